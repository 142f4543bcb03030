"""Which streams share nothing: the parts that an instance falls into.

Jobs are of one part where they may use one device, or devices of one finite memory pool or of one
board, where their messages may cross links of one capacity (or a link that grows with the units of
a device), where they use one resource, or where a group joins their tasks. A device belongs to the
part of the jobs that may use it. What an instance says beyond the columns that were judged here
keeps it whole.
"""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Bools, Instance, Ints
from hetopt.instance.grouping import components, expand
from hetopt.instance.paths import Network
from hetopt.runtime.parts import MOST_PARTS

Part = tuple[Ints, Ints]
"""Jobs and devices of a part, ascending."""
SUMS = ("power", "cost", "carbon")
"""Objectives that are sums over devices and jobs."""
MOST_TRANSFERS = 200_000
"""Pairs of devices of messages that are looked at; beyond that all links count as one."""

JUDGED: dict[str, str] = {
    "": "name regime objective routing host allow_mixed_scopes model_keys currency description "
    "source left_out",
    "devices": "name kind count_min count_max spare slots memory_b pool idle_power_w idle_known "
    "max_utilization reserved off_when_unused exclusive overlap price_per_s purchase_price site "
    "scope preview source caution board start_up_time_s start_up_energy_j start_up_cost "
    "sleep_power_w wake_time_s wake_energy_j load_time_s load_energy_j_per_b setup_time_s "
    "setup_energy_j initial_configuration on_board",
    "boards": "name count_min count_max idle_power_w off_when_unused price_per_s start_up_time_s "
    "start_up_energy_j start_up_cost sleep_power_w wake_time_s wake_energy_j per_board",
    "setups": "device source target time_s energy_j",
    "pools": "name memory_b zero_copy",
    "sites": "name energy_price_per_j carbon_kg_per_j pue",
    "links": "src dst bandwidth_b_per_s latency_s energy_j_per_b channel_group group_channels bus "
    "per_unit",
    "profiles": "name ptr",
    "options": "device label time_s energy_j memory_b weights_b weights_key accuracy batch "
    "latency_s estimated time_low_s time_high_s energy_low_j energy_high_j interval preview source "
    "configuration",
    "resources": "name capacity budget sharing loss",
    "uses": "ptr resource amount",
    "tasks": "name profile work job pin_device pin_unit forbid_task forbid_device backward "
    "site_task site_site segment",
    "tensors": "name producer bytes_b staged",
    "edges": "src dst tensor",
    "jobs": "name release_s deadline_s due_s weight rate_per_s latency_slo_s min_accuracy slices "
    "contiguous model model_sha256 model_shape",
    "scenarios": "name weight demand rate_per_s",
    "periods": "energy_price_per_j carbon_kg_per_j power_cap_w cyclic min_up_s max_changes "
    "invest discount_rate initial_device initial_units initial_ptr initial_key",
    "together": "ptr task",
    "apart": "ptr task",
    "kind_shares": "kind least most of",
    "limits": "horizon_s power_cap_w budget_per_s energy_price_per_j carbon_kg_per_j "
    "energy_price_over_time carbon_over_time pue demand_known cycle_s",
}
"""Columns of each table (and, under no name, fields of the instance) that this module knows: it was
argued whether they tie jobs together: what belongs to a device or an option ties no more than these
do. A rule that is new keeps instances that state it whole."""


def parts_of(instance: Instance) -> list[Part]:
    """Return jobs and devices (ascending) of each part; one part where it must stay whole."""
    jobs, devices = len(instance.jobs), len(instance.devices)
    whole = [(np.arange(jobs), np.arange(devices))]
    # Without periods nothing goes on; with them what changes may be limited over all devices.
    # Plans of devices that slow each other have states, which are not joined here.
    if len(instance.periods) or instance.resources.slow.any():
        return whole
    if jobs < 2 or not _adds_up(instance) or beyond_judged(instance):
        return whole
    # The first of what joins jobs are devices.
    label = components(jobs, _joints(instance))
    first, part = np.unique(label[:jobs], return_inverse=True)
    part = _few(part.reshape(-1), np.bincount(instance.tasks.job, minlength=jobs))
    if part.max() == 0:
        return whole
    # A device that no job may use draws what it draws in any part.
    owner = np.zeros(len(label), dtype=np.int64)
    owner[label[:jobs]] = part
    home = owner[label[jobs : jobs + devices]] * np.isin(label[jobs : jobs + devices], first)
    parts = [(np.flatnonzero(part == k), np.flatnonzero(home == k)) for k in range(part.max() + 1)]
    return parts if _joinable(instance, parts) else whole


def beyond_judged(instance: Instance) -> list[str]:
    """Return what an instance states that :data:`JUDGED` does not know, as ``table.column``."""
    found = []
    for table in fields(instance):
        value = getattr(instance, table.name)
        if table.name in JUDGED[""].split():
            continue
        known = JUDGED.get(table.name, "").split()
        if hasattr(value, "__len__") and not len(value):
            continue
        found += [
            f"{table.name}.{column.name}"
            for column in fields(value)
            if column.name not in known and _says_something(getattr(value, column.name))
        ]
    return found


def tied(instance: Instance) -> bool:
    """Whether a cap on the power or the cost of all ties parts together."""
    return math.isfinite(instance.limits.power_cap_w) or math.isfinite(instance.limits.budget_per_s)


def rated_weight(instance: Instance, jobs: Ints) -> float:
    """Return the weight of those jobs that have an accuracy."""
    rated = _rated(instance)
    return 0.0 if rated is None else float((instance.jobs.weight * rated)[jobs].sum())


def _adds_up(instance: Instance) -> bool:
    """Whether the objective of parts that share nothing is known from the parts'."""
    name, jobs = instance.objective[0], instance.jobs
    if len(instance.objective) > 1 or len(instance.kind_shares):
        return False
    if name == "throughput":
        # Whole slices know no smaller share; what is unlimited in one part is so in none of all.
        times = instance.options.time_s[instance.classes.option]
        free = (instance.devices.count_max == NO_MAXIMUM).any()
        return not (tied(instance) or jobs.slices.any() or free or not times.all())
    if name == "accuracy":
        return not len(instance.scenarios) and _rated(instance) is not None
    return name in SUMS


def _joinable(instance: Instance, parts: list[Part]) -> bool:
    """Whether each part has an answer to the question."""
    if instance.objective[0] == "accuracy":
        return all(rated_weight(instance, jobs) > 0 for jobs, _ in parts)
    rate = instance.jobs.rate_per_s[None]
    if len(instance.scenarios):
        rate = instance.scenarios.rate_per_s
    return all(bool((rate[:, jobs] > 0).any(axis=1).all()) for jobs, _ in parts)


def _rated(instance: Instance) -> Bools | None:
    """Return which jobs have an accuracy, None where that depends on the options chosen (J)."""
    classes = instance.classes
    stated = ~np.isnan(instance.options.accuracy[classes.option])
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    count = np.bincount(owner, stated, len(classes))
    if ((count > 0) & (count < np.diff(classes.ptr))).any():
        return None
    rated = np.zeros(len(instance.jobs), dtype=bool)
    rated[instance.tasks.job[count[classes.member] > 0]] = True
    return rated


def _joints(instance: Instance) -> list[tuple[Ints, Ints, int]]:
    """(jobs, what each is joined to, number of such things) for all that joins jobs.

    The first block is the devices, right behind the jobs, so that device d can stand in the place
    of a job as number J + d: a device in a pool, or a link that grows with its units.
    """
    devices, tasks, jobs = instance.devices, instance.tasks, len(instance.jobs)
    classes = instance.classes
    wide = len(classes)
    pairs = np.unique(tasks.job * wide + classes.member)
    job, klass = pairs // wide, pairs % wide
    which, at = expand(classes.ptr, klass)
    owner, option = job[which], classes.option[at]
    found = [_distinct(owner, instance.options.device[option], len(devices))]
    finite = np.append(np.isfinite(instance.pools.memory_b), False)[devices.pool]
    pooled = np.flatnonzero(finite)
    if len(pooled):
        found.append((jobs + pooled, devices.pool[pooled], len(instance.pools)))
    carried = np.flatnonzero(devices.on_board >= 0)
    if len(carried):
        found.append((jobs + carried, devices.on_board[carried], len(instance.boards)))
    if len(instance.uses):
        which, rows = expand(instance.uses.ptr, option)
        used = instance.uses.resource[rows]
        found.append(_distinct(owner[which], used, len(instance.resources)))
    for groups in (instance.together, instance.apart):
        group = np.repeat(np.arange(len(groups)), np.diff(groups.ptr))
        found.append((tasks.job[groups.task], group, len(groups)))
    found.extend(_network_joints(instance))
    return found


def _network_joints(instance: Instance) -> list[tuple[Ints, Ints, int]]:
    """Return what joins jobs by the links that their messages may cross."""
    links, jobs = instance.links, len(instance.jobs)
    sending = np.flatnonzero(instance.edges.tensor >= 0)
    if not len(sending):
        return []
    job = instance.tasks.job[instance.edges.src[sending]]
    crossed = _crossed(instance, sending)
    if crossed is None:
        return [(np.unique(job), np.zeros(len(np.unique(job)), dtype=np.int64), 1)]
    # A group of channels is one node, and so is a link in no group, after the groups.
    groups = len(links.group_channels)
    grouped = links.channel_group >= 0
    node = np.where(grouped, links.channel_group, groups + np.arange(len(links)))
    pairs = np.array([(j, node[k]) for j, k in crossed], dtype=np.int64).reshape(-1, 2)
    # Where a link grows with the units of a device, so does what it carries for others.
    grown = np.flatnonzero(links.per_unit)
    one = np.concatenate([pairs[:, 0], jobs + links.src[grown]])
    return [(one, np.concatenate([pairs[:, 1], node[grown]]), groups + len(links))]


def _crossed(instance: Instance, sending: Ints) -> list[tuple[int, int]] | None:
    """Return (job, link) for all links that a job's messages may cross; None: too many to tell."""
    edges, tensors, classes = instance.edges, instance.tensors, instance.classes
    devices = [
        np.unique(instance.options.device[classes.option[classes.ptr[k] : classes.ptr[k + 1]]])
        for k in range(len(classes))
    ]
    network, host = Network(instance), instance.host
    found: dict[tuple[int, int], None] = {}
    known: dict[tuple[int, int, float, bool], list[int]] = {}
    looked = 0
    for edge in sending.tolist():
        src, dst, tensor = int(edges.src[edge]), int(edges.dst[edge]), int(edges.tensor[edge])
        size, staged = float(tensors.bytes_b[tensor]), bool(tensors.staged[tensor])
        key = (int(classes.member[src]), int(classes.member[dst]), size, staged)
        if key not in known:
            begins, ends = devices[key[0]].tolist(), devices[key[1]].tolist()
            ways = [(a, b) for a in begins for b in ends]
            if staged:
                ways = [(a, host) for a in begins] + [(host, b) for b in ends]
            looked += len(ways)
            if looked > MOST_TRANSFERS:
                return None
            crossed: dict[int, None] = {}
            for a, b in ways:
                crossed |= dict.fromkeys(network.path(a, b, size) or ())
            known[key] = list(crossed)
        job = int(instance.tasks.job[src])
        found |= {(job, link): None for link in known[key]}
    return list(found)


def _few(part: Ints, size: Ints) -> Ints:
    """Renumber parts in order of their first job; put too many together, the largest first."""
    _, first, part = np.unique(part, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    part = rank[part.reshape(-1)]
    if len(first) <= MOST_PARTS:
        return part
    load = np.bincount(part, size)
    home, filled = np.zeros(len(first), dtype=np.int64), np.zeros(MOST_PARTS)
    for k in np.argsort(-load, kind="stable").tolist():
        home[k] = int(filled.argmin())
        filled[home[k]] += load[k]
    return home[part]


def _distinct(one: Ints, other: Ints, count: int) -> tuple[Ints, Ints, int]:
    """Return the distinct pairs, and how many other things there are."""
    pairs = np.unique(one * count + other)
    return pairs // count, pairs % count, count


def _says_something(value: Any) -> bool:
    """Whether a column or field states anything: not only 0, nothing, no limit, or no."""
    column = np.asarray(value)
    if value is None or not column.size:
        return False
    if column.dtype.kind in "iu":
        return bool(((column != 0) & (column != -1)).any())
    if column.dtype.kind == "f":
        return bool(((column != 0) & np.isfinite(column)).any())
    return any(bool(entry) for entry in column.reshape(-1).tolist())
