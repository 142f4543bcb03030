"""The schedule regime: a finite set of jobs, each run once, with starts (docs/quantities.md)."""
