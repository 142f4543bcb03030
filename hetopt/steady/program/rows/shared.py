"""What units and routes share: memory of pools, links, resources."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Links
from hetopt.steady.model.resources import resource_limits
from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.rows.stream_variables import StreamVariables


def pools(model: StreamVariables) -> None:
    """Σ_k memory_k n_k ≤ pool memory."""
    for pool, memory in enumerate(model.instance.pools.memory_b.tolist()):
        members = [
            k
            for k, kind in enumerate(model.kinds)
            if model.instance.devices.pool[kind.device] == pool
        ]
        if members and np.isfinite(memory):
            taken = sum_of((model.count[k], model.kinds[k].memory_b) for k in members)
            size = memory or 1.0
            model.add_row(taken * (1.0 / size) <= memory / size, f"pool_{pool}")


def links(model: StreamVariables) -> None:
    """Σ_{l in group} Σ_r R_j B_rl y_r / bandwidth_l ≤ channels, times the units of the source."""
    links = model.instance.links
    use: dict[int, list[tuple[Any, float]]] = {}
    for r, route in enumerate(model.routes):
        for link, size in route.link_b.items():
            busy = model.route_rate(r) * size / float(links.bandwidth_b_per_s[link])
            if busy > 0:
                use.setdefault(link, []).append((model.share[r], busy))
    for bus in buses(links, sorted(use)):
        load = sum_of(term for link in bus.links for term in use[link])
        units = _sending(model, bus.source) if bus.source >= 0 else 1.0
        model.add_row(load <= units * (bus.channels * model.keep), f"link_{bus.links[0]}")


class Bus(NamedTuple):
    """Links that share channels, or one alone; the device whose units they grow with, -1: none."""

    links: list[int]
    channels: int
    source: int


def buses(links: Links, used: Iterable[int]) -> list[Bus]:
    """Return the buses of some links (ascending), in the order of their first ones."""
    groups: dict[tuple[int, int], list[int]] = {}
    for link in used:
        group = int(links.channel_group[link])
        groups.setdefault((group, -1 if group >= 0 else link), []).append(link)
    found = []
    for (group, _), members in groups.items():
        scaling = {int(links.src[i]) if links.per_unit[i] else -1 for i in members}
        if len(scaling) > 1:
            raise InputError(
                f"Links of bus {links.bus[members[0]]!s} scale with the units of different "
                "devices (`per_unit`), so their shares of one bus are not defined; give them "
                "buses of their own."
            )
        channels = max(1, int(links.group_channels[group])) if group >= 0 else 1
        found.append(Bus(members, channels, scaling.pop()))
    return found


def _sending(model: StreamVariables, device: int) -> Any:
    """Units whose number the capacity of a link grows with: those on, spares left out.

    Units that may be off are on only to serve, so none of them is a spare one.
    """
    on = model.on[device]
    if device not in model.spared or on is model.work[device]:
        return on
    return sum_of([(on, 1.0), (model.spared[device], -float(model.instance.devices.spare[device]))])


def resources(model: StreamVariables) -> None:
    """Σ_r R_j a_r y_r ≤ capacity, or ≤ budget per second."""
    for resource, limit in resource_limits(model.instance).items():
        takers = [r for r, route in enumerate(model.routes) if route.taken.get(resource, 0.0) > 0]
        if not limit:
            # Nothing of it is there, so that what needs it serves nothing.
            for r in takers:
                model.share[r].bounds(0, 0)
            continue
        load = sum_of(
            (model.share[r], model.route_rate(r) * model.routes[r].taken[resource] / limit)
            for r in takers
        )
        model.add_row(load <= model.keep, f"resource_{resource[0]}_{resource[1]}")
