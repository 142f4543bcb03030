"""Schedules in time: what policies make of them when tasks take other times than planned."""
