"""Independent tasks: annealing between bounds by multipliers."""
