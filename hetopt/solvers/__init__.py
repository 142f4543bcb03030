"""Solvers of models: CP-SAT, HiGHS in its own process, others by PuLP, relaxations."""
