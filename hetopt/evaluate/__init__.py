"""Every quantity of a plan; :mod:`hetopt.verify` shares no code with it."""

from hetopt.evaluate.quantities import evaluate, noise, objective_value, objectives

__all__ = [
    "evaluate",
    "noise",
    "objective_value",
    "objectives",
]
