"""Proven bounds of objectives of schedules, and of single times."""
