"""Loops over ``solve()``: questions that take more than one solve to answer."""
