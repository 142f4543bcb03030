"""Tables to columns: jobs, tasks, what restricts their placement, and transfers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.compile.problems import Checker, Table, listed
from hetopt.compile.sites import task_sites
from hetopt.compile.strings import codes
from hetopt.instance import (
    NO_MAXIMUM,
    Devices,
    Edges,
    Floats,
    Groups,
    Ints,
    Jobs,
    Options,
    Profiles,
    Regime,
    Strings,
    Tasks,
    Tensors,
)
from hetopt.instance.mixes import balanced_shares

SHARE_TOLERANCE = 1e-6
"""Shares are often written with few digits; a sum this close to 1 is taken as 1."""


def make_jobs(
    table: Table, setting: Mapping[str, Any], regime: Regime, check: Checker
) -> tuple[Jobs, bool]:
    """Return the jobs, and whether their rates are more than ratios."""
    check.unique("jobs", "name", table["name"])
    n = len(table["name"])
    rate = np.full(n, np.nan)
    known = True
    if regime == "steady":
        given, share = table["rate_per_s"], table["share"]
        has_rate, has_share = ~np.isnan(given), ~np.isnan(share)
        check.rows("jobs", "share", table, has_rate & has_share, "Either a rate or a share.")
        lacking = {"rate_per_s": np.full(n, "")}
        check.rows("jobs", "rate_per_s", lacking, ~has_rate & ~has_share, "A rate or a share.")
        demand = setting["demand_per_s"]
        if has_share.any():
            known = bool(np.isfinite(demand))
            if has_rate.any():
                check.add("jobs", -1, "share", "", "Rates for all jobs, or shares for all.")
            elif abs(share.sum() - 1.0) > SHARE_TOLERANCE:
                check.add("jobs", -1, "share", f"a sum of {share.sum():g}", "Shares sum to 1.")
            rate = share * (demand if known else 1.0)
        else:
            rate = given
            if np.isfinite(demand):
                check.setting("demand_per_s", demand, "Jobs with shares, which it multiplies.")
    jobs = Jobs.from_cells(
        table,
        rate_per_s=rate,
    )
    asked, limited = table["latency_quantile"], np.isfinite(table["latency_slo_s"])
    text = "Less than 1: no estimate says that all requests meet a limit."
    check.rows("jobs", "latency_quantile", table, asked >= 1, text)
    text = "Beside it the limit that it is of: latency_slo: {limit: 50 ms, quantile: 0.99}."
    check.rows("jobs", "latency_quantile", table, (asked < 1) & ~limited, text)
    check.rows(
        "jobs",
        "deadline_s",
        table,
        table["deadline_s"] < table["release_s"],
        "A deadline after the release; both are absolute times.",
    )
    return jobs, known


def make_tasks(
    table: Table,
    devices: Devices,
    sites: Strings,
    profiles: Profiles,
    jobs: Jobs,
    check: Checker,
) -> Tasks:
    """Return the tasks, with what they may not run on, and the sites they must run at."""
    check.unique("tasks", "name", table["name"])
    profile = check.lookup("tasks", "profile", table["profile"], profiles.name, "profile")
    if len(jobs):
        no_job = table["job"] == ""
        check.rows("tasks", "job", table, no_job, "A job, as there are several.", certain=True)
    job = check.lookup("tasks", "job", table["job"], jobs.name, "job")
    pin_device, pin_unit = _pins(table, devices, check)
    task, device = _forbids(table, devices.name, check)
    site_task, site_site = task_sites(table, sites, check)
    return Tasks.from_cells(
        table,
        profile=profile,
        job=job,
        pin_device=pin_device,
        pin_unit=pin_unit,
        forbid_task=task,
        forbid_device=device,
        site_task=site_task,
        site_site=site_site,
    )


def _pins(table: Table, devices: Devices, check: Checker) -> tuple[Ints, Ints]:
    n = len(table["name"])
    device, unit = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    index = {str(name): i for i, name in enumerate(devices.name)}
    for row in np.flatnonzero(table["pin"] != ""):
        cell = str(table["pin"][row])
        name, mark, number = cell.partition("#")
        d = index.get(name, -1)
        limit = NO_MAXIMUM if d < 0 else int(devices.count_max[d])
        fits = not mark or (number.isdecimal() and (limit == NO_MAXIMUM or int(number) < limit))
        if d < 0 or not fits:
            if d >= 0 or not check.unsure("devices", "name"):
                known = listed(name, list(index))
                expected = f"A device ({known}) or one of its units (NAME#0)."
                check.add("tasks", int(row), "pin", cell, expected, certain=True)
            continue
        device[row] = d
        unit[row] = int(number) if mark else -1
    return device, unit


def _forbids(table: Table, devices: Strings, check: Checker) -> tuple[Ints, Ints]:
    index = {str(name): i for i, name in enumerate(devices)}
    task: list[int] = []
    device: list[int] = []
    for row, names in table["forbid"].items():
        for name in names:
            if name in index:
                task.append(row)
                device.append(index[name])
            else:
                expected = f"A device: {listed(name, list(index))}."
                check.add("tasks", row, "forbid", name, expected, certain=True)
    return np.array(task, dtype=np.int64), np.array(device, dtype=np.int64)


def make_transfers(
    table: Table, tasks: Tasks, regime: Regime, check: Checker
) -> tuple[Tensors, Edges]:
    """Return the tensors, numbered in the order of their first edge, and the edges."""
    src = check.lookup("transfers", "from", table["from"], tasks.name, "task")
    dst = check.lookup("transfers", "to", table["to"], tasks.name, "task")
    check.rows("transfers", "to", table, (src == dst) & (src >= 0), "Another task than the sender.")
    if regime == "steady":
        meet = (src >= 0) & (dst >= 0)
        meet[meet] = tasks.job[src[meet]] != tasks.job[dst[meet]]
        check.rows(
            "transfers",
            "to",
            table,
            meet,
            "A task of the sender's own job: requests of different jobs do not meet.",
        )
    named = table["tensor"] != ""
    size, staged = table["bytes"], table["staged"]
    message = named | ~np.isnan(size)
    check.rows("transfers", "staged", table, staged & ~message, "A message: bytes or a tensor.")
    tensor, head = _number_tensors(table["tensor"], named, message, check)
    used = np.flatnonzero(message)
    bytes_b = _tensor_sizes(table, tensor, len(head), check)
    producer = src[head]
    for row in used[src[used] != producer[tensor[used]]]:
        check.add("transfers", int(row), "from", table["from"][row], "One producer for a tensor.")
    flags = np.zeros(len(head), dtype=bool)
    flags[tensor[used[staged[used]]]] = True
    if len(head) < len(used):
        reader = tensor[used] * len(tasks) + dst[used]
        _, first = np.unique(reader, return_index=True)
        again = np.ones(len(used), dtype=bool)
        again[first] = False
        for row in used[again & (dst[used] >= 0)]:
            expected = "Each reader of a tensor once."
            check.add("transfers", int(row), "to", table["to"][row], expected)
    return Tensors(table["tensor"][head], producer, bytes_b, flags), Edges(src, dst, tensor)


def _number_tensors(names: Strings, named: Any, message: Any, check: Checker) -> tuple[Ints, Ints]:
    """Return the tensor of each edge (-1: none) and the first edge of each tensor."""
    tensor = np.full(len(named), -1, dtype=np.int64)
    used = np.flatnonzero(message)
    if not named.any():
        tensor[used] = np.arange(len(used))
        return tensor, used
    code, shared = codes(check.keys(names))
    code = np.where(named, code, len(shared) + np.arange(len(code)))
    _, first, number = np.unique(code[used], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    tensor[used] = rank[number]
    return tensor, used[np.sort(first)]


def _tensor_sizes(table: Table, tensor: Ints, count: int, check: Checker) -> Floats:
    """Return the size of each tensor; it stands on at least one edge, and the same on all."""
    size = table["bytes"]
    bytes_b = np.full(count, -1.0)
    stated = np.flatnonzero((tensor >= 0) & ~np.isnan(size))
    bytes_b[tensor[stated][::-1]] = size[stated][::-1]
    for row in stated[size[stated] != bytes_b[tensor[stated]]]:
        check.add("transfers", int(row), "bytes", size[row], "One size for all edges of a tensor.")
    used = np.flatnonzero(tensor >= 0)
    for row in used[bytes_b[tensor[used]] < 0]:
        expected = "The size of the tensor, on at least one of its edges."
        check.add("transfers", int(row), "bytes", "", expected)
    return bytes_b


def make_groups(groups: Any, tasks: Strings, setting: str, check: Checker) -> Groups:
    """Return groups of tasks from lists of their names."""
    index: dict[str, int] = {}
    if groups:
        index = {str(name): i for i, name in enumerate(tasks)}
    ptr, members = [0], list[int]()
    for i, names in enumerate(groups):
        for name in names:
            if name not in index:
                if not check.unsure("tasks", "name"):
                    check.setting(f"{setting}[{i}]", name, "A task of the instance.")
            else:
                members.append(index[name])
        ptr.append(len(members))
    return Groups(np.array(ptr, dtype=np.int64), np.array(members, dtype=np.int64))


def give_shares(
    tables: Mapping[str, Table],
    setting: Mapping[str, Any],
    parts: tuple[Devices, Profiles, Options],
    check: Checker,
) -> None:
    """Give each job its share of a balanced mix (``mix: balanced``).

    What a request costs on a device is the sum over its tasks of the least whole energy (idle
    included) of their options there.
    """
    if setting["mix"] != "balanced" or check.problems:
        return
    jobs = tables["jobs"]
    stated = ~np.isnan(jobs["rate_per_s"]) | ~np.isnan(jobs["share"])
    if stated.any():
        text = "Jobs without rate and share, which a balanced mix gives them."
        check.setting("mix", "balanced", text)
        return
    energy = _energy(tables["tasks"], jobs["name"], *parts)
    if not (energy[~np.isnan(energy)] > 0).all():
        check.setting("mix", "balanced", "Options with energy or idle power: the mix balances it.")
    elif np.isnan(energy).all(axis=1).any():
        lost = [str(n) for n in jobs["name"][np.isnan(energy).all(axis=1)]]
        text = f"Jobs that some device runs whole; none runs {', '.join(lost)}."
        check.setting("mix", "balanced", text)
    else:
        jobs["share"] = balanced_shares(energy)


def _energy(
    tasks: Table, jobs: Any, devices: Devices, profiles: Profiles, options: Options
) -> Floats:
    """Return the whole energy of a request, of shape (jobs, devices); NaN: does not run there."""
    idle = devices.idle_power_w[options.device]
    whole = (options.energy_j + idle * options.time_s) / options.batch
    energy = np.zeros((len(jobs), len(devices)))
    names = [str(n) for n in profiles.name]
    for job, profile, work in zip(tasks["job"], tasks["profile"], tasks["work"], strict=True):
        least = np.full(len(devices), np.inf)
        if str(profile) in names:
            p = names.index(str(profile))
            rows = slice(profiles.ptr[p], profiles.ptr[p + 1])
            np.minimum.at(least, options.device[rows], whole[rows] * work)
        energy[np.flatnonzero(jobs == job)] += least
    return np.where(np.isinf(energy), np.nan, energy)
