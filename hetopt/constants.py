"""Tolerances that hold everywhere (docs/quantities.md)."""

GAP_TOLERANCE = 1e-6
"""A relative gap up to this counts as 0; bounds from an LP or MIP are weakened by it."""

LIMIT_TOLERANCE = 1e-9
"""A limit is violated beyond this times the scale of its quantity.

That is the limit itself; of times the makespan: the latest end of anything in the plan. There is no
floor in seconds, bytes or watts, so that kernels of nanoseconds are held to their limits too.
"""
