"""Compiled searches that improve a schedule, and the registry that chooses among them."""
