"""Families of rows of the program of streams that stand beside its formulation."""
