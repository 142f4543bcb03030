"""A schedule instance as solvers see it: in ticks, in integers, packed for compiled loops."""
