"""Limits on where tasks run: pins, bans, sites, groups of tasks, and links that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hetopt.analysis.explanation.limits.limit import Limit, cells
from hetopt.analysis.explanation.repetitions import grouped
from hetopt.instance import Groups, Instance, Ints, Links
from hetopt.instance.grouping import list_ptr
from hetopt.instance.paths import Network, message_tables


def bans(instance: Instance) -> list[Limit]:
    """Pins of tasks, devices that they are forbidden on, sites that they must stay at.

    Repetitions of a task are one.
    """
    tasks = instance.tasks
    names = tasks.name.tolist()
    pinned = np.flatnonzero(tasks.pin_device >= 0).tolist()
    places = [(int(tasks.pin_device[t]), int(tasks.pin_unit[t])) for t in pinned]
    found = [
        _pin(instance, name, [pinned[k] for k in group])
        for name, group in grouped([names[t] for t in pinned], places).items()
    ]
    pairs = zip(tasks.forbid_task.tolist(), tasks.forbid_device.tolist(), strict=True)
    banned: dict[int, list[int]] = {}
    for t, d in dict.fromkeys(pairs):
        banned.setdefault(d, []).append(t)
    for d, members in banned.items():
        groups = grouped([names[t] for t in members], [d] * len(members))
        found += [
            _ban(instance, name, [members[k] for k in group], d) for name, group in groups.items()
        ]
    return found + _stays(instance)


def _stays(instance: Instance) -> list[Limit]:
    """Sites that tasks must stay at; repetitions of a task as one."""
    tasks, sites = instance.tasks, instance.sites.name
    where: dict[int, list[int]] = {}
    for t, site in zip(tasks.site_task.tolist(), tasks.site_site.tolist(), strict=True):
        where.setdefault(t, []).append(site)
    bound = list(where)
    groups = grouped([str(tasks.name[t]) for t in bound], [tuple(where[t]) for t in bound])
    found = []
    for name, group in groups.items():
        members = [bound[k] for k in group]

        def lift(i: Instance, members: list[int] = members) -> Instance:
            keep = ~np.isin(i.tasks.site_task, members)
            kept = {f: getattr(i.tasks, f)[keep] for f in ("site_task", "site_site")}
            return replace(i, tasks=replace(i.tasks, **kept))

        places = " or ".join(str(sites[site]) for site in where[members[0]])
        words, remedy = f"the rule that {name} stays at {places}", f"let {name} leave {places}"
        found.append(Limit("allowed_sites", name, words, lift, remedy=remedy))
    return found


def _pin(instance: Instance, name: str, members: list[int]) -> Limit:
    device, unit = (
        int(c[members[0]]) for c in (instance.tasks.pin_device, instance.tasks.pin_unit)
    )
    place = instance.devices.name[device] if unit < 0 else instance.unit_name(device, unit)
    lift = cells("tasks", members, pin_device=-1, pin_unit=-1)
    remedy = f"let {name} run elsewhere than on {place}"
    return Limit("pin", name, f"the pin of {name} to {place}", lift, remedy=remedy)


def _ban(instance: Instance, name: str, members: list[int], device: int) -> Limit:
    place = instance.devices.name[device]

    def lift(i: Instance) -> Instance:
        keep = ~np.isin(i.tasks.forbid_task, members) | (i.tasks.forbid_device != device)
        kept = {f: getattr(i.tasks, f)[keep] for f in ("forbid_task", "forbid_device")}
        return replace(i, tasks=replace(i.tasks, **kept))

    words, remedy = f"the ban of {name} from {place}", f"let {name} run on {place}"
    return Limit("forbid", f"{name}={place}", words, lift, remedy=remedy)


def groups_of_tasks(instance: Instance) -> list[Limit]:
    """Tasks that must share a unit, or must not."""
    found = []
    for field, verb in (("together", "on one unit"), ("apart", "on different units")):
        groups: Groups = getattr(instance, field)
        for g, members in enumerate(groups):
            names = ", ".join(instance.tasks.name[members].tolist())

            def lift(i: Instance, field: str = field, g: int = g) -> Instance:
                change: dict[str, Any] = {field: _without(getattr(i, field), g)}
                return replace(i, **change)

            words = f"the rule that {names} run {verb}"
            remedy = f"let {names} not run {verb}"
            found.append(Limit(field, names, words, lift, remedy=remedy))
    return found


def missing_links(instance: Instance) -> list[Limit]:
    """Pairs of devices that some message may have to join, and that no path joins.

    A staged message goes by the host: from its producer there, and from there to its consumer.
    """
    edges = np.flatnonzero(instance.edges.tensor >= 0)
    wide = len(instance.devices)
    if not len(edges):
        return []
    ptr, option = instance.admissible
    can = np.zeros((len(instance.tasks), wide), dtype=bool)
    can[np.repeat(np.arange(len(ptr) - 1), np.diff(ptr)), instance.options.device[option]] = True
    pairs = np.zeros((wide, wide), dtype=bool)
    every = np.arange(wide)
    apart = ~Network(instance).free(every[:, None], every[None, :])
    apart &= ~(np.eye(wide, dtype=bool) & (instance.devices.count_max == 1))
    host = instance.host
    for e in edges.tolist():
        between = np.outer(can[instance.edges.src[e]], can[instance.edges.dst[e]])
        if instance.tensors.staged[instance.edges.tensor[e]]:
            between &= apart
            pairs[:, host] |= between.any(axis=1) & (every != host)
            pairs[host] |= between.any(axis=0) & (every != host)
        else:
            pairs |= between
    pairs &= ~message_tables(instance).allowed
    names = instance.devices.name
    found = []
    for a, b in np.argwhere(pairs).tolist():
        what = f"{names[a]} to {names[b]}" if a != b else f"one unit of {names[a]} to another"

        def lift(i: Instance, a: int = a, b: int = b) -> Instance:
            return replace(i, links=_joined(i.links, a, b))

        remedy = f"add a link from {what}"
        subject = f"{names[a]}->{names[b]}"
        found.append(Limit("no_link", subject, f"no link from {what}", lift, remedy=remedy))
    return found


def _joined(links: Links, src: int, dst: int) -> Links:
    """Add a link that takes no time and no energy and carries any number of messages."""
    row = {
        "src": src,
        "dst": dst,
        "bandwidth_b_per_s": np.inf,
        "latency_s": 0.0,
        "energy_j_per_b": 0.0,
        "channel_group": -1,
        "bus": "",
        "per_unit": False,
    }
    columns = {
        name: np.concatenate([column, np.array([value], dtype=column.dtype)])
        for name, value in row.items()
        for column in (getattr(links, name),)
    }
    return replace(links, **columns)


def _without(groups: Groups, index: int) -> Groups:
    kept: Sequence[Ints] = [m for g, m in enumerate(groups) if g != index]
    ptr = list_ptr(kept)
    flat = np.concatenate([*kept, np.empty(0, dtype=np.int64)]).astype(np.int64)
    return Groups(ptr, flat)
