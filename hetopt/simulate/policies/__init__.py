"""Policies: objects that decide what is to be done when something happens (docs/simulate.md).

The simulator and a live controller call the same ``decide``
(:class:`hetopt.simulate.policies.stream_policy.Policy`). For streams:

``plan``
    The routes, shares and units of a plan. A unit that fails is replaced by one that is had and
    off; requests avoid routes through stations without a unit.
``greedy``
    Each request takes the route that is expected to end first, on the units that the plan has on.
``energy-greedy``
    Of the routes expected to end within the limit on latency the one of least energy. Units go on
    when no route does, and off after a while without work (DELAYEDOFF: as long as idling costs what
    the start does; A. Gandhi, V. Gupta, M. Harchol-Balter, M. Kozuch, "Optimality analysis of
    energy-performance trade-off for server farm management", 2010).
``price``
    The same at the prices of the steady relaxation: energy, and on each device its time at what a
    unit draws (or costs) while on, plus what the relaxation says one more unit is worth.
``rolling``
    :class:`~hetopt.simulate.policies.rolling.Rolling`: the library's own plan, made anew as rates
    change.
``only:DEVICE``
    The plan of a homogeneous rival.
"""

from __future__ import annotations

STREAM_POLICIES = ("plan", "greedy", "energy-greedy", "price", "rolling")
ONLY = "only:"
"""What names a homogeneous rival's plan begin with."""
