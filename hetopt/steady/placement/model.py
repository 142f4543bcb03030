"""The placement model of an instance, put together: one call for each family of constraints."""

from __future__ import annotations

from hetopt.instance import Instance
from hetopt.steady.placement.objectives import add_caps
from hetopt.steady.placement.rows.stages import add_stages
from hetopt.steady.placement.rows.transfers import add_latency, add_link_rows, add_transfers
from hetopt.steady.placement.rules import add_rules
from hetopt.steady.placement.variables import PlacementModel


def build_placement(
    instance: Instance, theta: float | None, *, known: float | None = None
) -> PlacementModel:
    """Build the assignment model of an instance.

    Parameters
    ----------
    theta
        Multiple of the demanded rates that is served; None where it is what is maximised.
    known
        A multiple that some placement serves, where one is known: only better ones are allowed,
        and T is counted in parts fine enough to tell them apart.
    """
    m = PlacementModel(instance, theta)
    add_stages(m)
    add_transfers(m)
    add_latency(m)
    m.hold_memory()
    m.hold_exclusive()
    if theta is None:
        m.choose_time_scale(known)
    m.hold_capacity()
    add_rules(m)
    m.hold_resources()
    add_link_rows(m)
    add_caps(m)
    return m
