"""Schedules made in one pass: priorities, rules, and what carries them out."""
