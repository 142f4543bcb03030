"""Annealing over placements."""
