"""Families of rows of the placement model that are more than limits of a unit."""
