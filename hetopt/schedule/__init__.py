"""The schedule regime: a finite set of jobs, each run once, with start times (design §3.2)."""
