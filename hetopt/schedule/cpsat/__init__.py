"""The CP-SAT model of a schedule, a module per family of constraints, and its repairs."""
