"""Objectives of schedules that count joules."""

from __future__ import annotations

ENERGY_LIKE = ("energy", "cost", "carbon")
