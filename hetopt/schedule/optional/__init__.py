"""Schedules that may leave jobs out: which to run, by sets of jobs that cannot run together."""
