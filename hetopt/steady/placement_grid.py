"""In how many parts the placement model counts, as CP-SAT knows whole numbers only."""

GRID = 10**12
"""Parts that a limit or an objective is divided into."""

TIME_GRID = 10**9
"""Largest T; a factor of 100 above what one unit of everything would need."""

FINE_GRID = 10**8
"""T of a known plan, where T is counted more finely to find the last digits."""

LINK_UNITS = 8
"""Units per task that throughput may have on for links that grow with the units on."""

BREAKS = 2.0
"""Multiple of a limit that no sum can take back; larger demands are cut to it."""

CAP_GRID = 10**8
"""Parts of a cap beside T, whose product must stay below 2^63."""

ACCURACY_GRID = 10**8
"""Parts of an accuracy, rounded up, and of its weight."""

OBJECTIVE_GRID = 10**11
"""Parts that the sum of an objective's terms is divided into."""
