"""Impossibilities that arithmetic finds, without a solver."""
