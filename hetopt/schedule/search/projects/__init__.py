"""Makespans under resources: annealing over lists and modes."""
