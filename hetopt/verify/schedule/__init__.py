"""The checker of schedules."""
