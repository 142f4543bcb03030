"""Tables to columns: sites, the networks that join them, and the sites that tasks may run at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.compile.problems import Checker, Table, listed
from hetopt.compile.strings import strings
from hetopt.instance import Devices, Ints, Regime, Series, Sites, Strings


def make_sites(table: Table, setting: Mapping[str, Any], check: Checker) -> Sites:
    """Return the sites; figures that they do not state are NaN."""
    check.unique("sites", "name", table["name"])
    timed = [
        isinstance(setting[name], Series) for name in ("energy_price_per_j", "carbon_kg_per_j")
    ]
    for column, clash in (
        ("energy_price_per_j", timed[0]),
        ("carbon_kg_per_j", timed[1]),
        ("pue", any(timed)),
    ):
        if clash:
            text = "Nothing, where the instance's own price or intensity changes over time."
            check.rows("sites", column, table, ~np.isnan(table[column]), text)
    return Sites.from_cells(table)


def give_sites_to_tasks(tables: Mapping[str, Table], check: Checker) -> None:
    """Let each task run only where its job may: the sites that both allow."""
    jobs, tasks = tables["jobs"], tables["tasks"]
    given: dict[int, list[str]] = jobs["allowed_sites"]
    if not given:
        return
    known = [str(name) for name in tables["sites"]["name"]]
    for row, names in given.items():
        _check_names("jobs", row, names, known, check)
    of_job = {str(jobs["name"][row]): names for row, names in given.items()}
    allowed = dict(tasks["allowed_sites"])
    for row, job in enumerate(tasks["job"].tolist()):
        if job not in of_job:
            continue
        own = allowed.get(row, of_job[job])
        both = [name for name in own if name in of_job[job]]
        if not both:
            expected = f"A site that its job allows: {', '.join(of_job[job])}."
            check.add("tasks", row, "allowed_sites", ", ".join(own), expected)
        allowed[row] = both
    tasks["allowed_sites"] = allowed
    jobs["allowed_sites"] = {}


def task_sites(table: Table, sites: Strings, check: Checker) -> tuple[Ints, Ints]:
    """Return pairs of task and site that are allowed; tasks without pairs may run anywhere."""
    index = {str(name): i for i, name in enumerate(sites)}
    task: list[int] = []
    site: list[int] = []
    for row, names in table["allowed_sites"].items():
        _check_names("tasks", row, names, list(index), check)
        found = [index[name] for name in dict.fromkeys(names) if name in index]
        task += [row] * len(found)
        site += found
    return np.array(task, dtype=np.int64), np.array(site, dtype=np.int64)


def _check_names(table: str, row: int, names: list[str], known: list[str], check: Checker) -> None:
    if check.unsure("sites", "name"):
        return
    for name in names:
        if name not in known:
            expected = f"A site: {listed(name, known)}."
            check.add(table, row, "allowed_sites", name, expected, certain=True)


def network_links(
    networks: Table, devices: Devices, sites: Sites, regime: Regime, check: Checker
) -> Table:
    """Return the links that networks between sites stand for, one-way, with their channels.

    Every device of one site is joined with every device of the other. All links of one network
    and direction share its channels; streams share its bandwidth, so they need at least one.
    """
    src = check.lookup("networks", "from", networks["from"], sites.name, "site")
    dst = check.lookup("networks", "to", networks["to"], sites.name, "site")
    rows: dict[str, list[Any]] = {"row": [], "src": [], "dst": [], "bus": []}
    for n in range(len(src)):
        if src[n] < 0 or dst[n] < 0:
            continue
        ways = [(int(src[n]), int(dst[n]))]
        if networks["both_ways"][n] and src[n] != dst[n]:
            ways.append((int(dst[n]), int(src[n])))
        for a, b in ways:
            name = f"network {n}: {sites.name[a]} -> {sites.name[b]}"
            for here in np.flatnonzero(devices.site == a).tolist():
                for there in np.flatnonzero(devices.site == b).tolist():
                    if here == there and devices.count_max[here] == 1:
                        continue
                    for key, value in zip(rows, (n, here, there, name), strict=True):
                        rows[key].append(value)
    row = np.array(rows["row"], dtype=np.int64)
    channels = networks["channels"][row]
    return {
        "src": np.array(rows["src"], dtype=np.int64),
        "dst": np.array(rows["dst"], dtype=np.int64),
        "bandwidth_b_per_s": networks["bandwidth_b_per_s"][row],
        "latency_s": networks["latency_s"][row],
        "energy_j_per_b": networks["energy_j_per_b"][row],
        "channels": np.maximum(channels, 1) if regime == "steady" else channels,
        "bus": strings(rows["bus"]),
        "per_unit": np.zeros(len(row), dtype=bool),
    }
