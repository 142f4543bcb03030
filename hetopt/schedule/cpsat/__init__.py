"""The CP-SAT model of a schedule, a module per family of constraints, and its repairs."""

from hetopt.solvers.cpsat import load_cp_model

load_cp_model()  # before a module of this package imports it by name, which loads pandas
