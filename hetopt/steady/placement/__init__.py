"""``routing: single``: every task on one unit, by CP-SAT and by a search."""
