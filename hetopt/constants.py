"""Tolerances that hold everywhere (design §3.5)."""

GAP_TOLERANCE = 1e-6
"""A relative gap up to this counts as 0; bounds from an LP or MIP are weakened by it."""

LIMIT_TOLERANCE = 1e-9
"""A limit L is violated beyond this times max(1, |L|)."""
