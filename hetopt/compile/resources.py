"""Tables to columns: resources, and what options use of them."""

from __future__ import annotations

import numpy as np

from hetopt.compile.problems import Checker, Table
from hetopt.compile.strings import codes, keys_of, positions
from hetopt.instance import (
    Boards,
    Devices,
    Ints,
    Options,
    Profiles,
    Regime,
    Resources,
    Uses,
)
from hetopt.instance.grouping import ptr_of


def make_resources(table: Table, boards: Boards, regime: Regime, check: Checker) -> Resources:
    """Return the resources; each has a capacity, a budget, or both; what slows has a capacity."""
    check.unique("resources", "name", table["name"])
    capacity, budget = table["capacity"], table["budget"]
    slow, loss = table["sharing"] == "slow", table["loss"]
    check.rows(
        "resources",
        "capacity",
        {"capacity": np.full(len(capacity), "")},
        np.isinf(capacity) & np.isinf(budget) & ~slow,
        "A capacity (renewable), a budget (non-renewable), or both.",
    )
    check.rows(
        "resources",
        "sharing",
        table,
        slow & np.isinf(capacity),
        "A capacity beside `sharing: slow`: what runs is slowed where it asks for more than that.",
    )
    check.rows(
        "resources", "loss", table, slow & (loss >= 1), "Less than 1, or nothing would ever end."
    )
    check.rows(
        "resources",
        "loss",
        table,
        ~slow & (loss > 0),
        "`sharing: slow` beside a loss: a resource that forbids slows nothing.",
    )
    board = _boards(table, boards, regime, check)
    return Resources(table["name"], capacity, budget, table["sharing"], loss, board)


def _boards(table: Table, boards: Boards, regime: Regime, check: Checker) -> Ints:
    """Return the kind of board that each has its capacity on, -1 where there is one for all."""
    board = check.lookup("resources", "board", table["board"], boards.name, "board")
    stated = table["board"] != ""
    text = "`sharing: slow` beside a board: only what slows has a capacity on each."
    check.rows("resources", "board", table, stated & (table["sharing"] != "slow"), text)
    text = "No budget beside a board: what all executions use together is no board's own."
    check.rows("resources", "board", table, stated & np.isfinite(table["budget"]), text)
    low, high = np.append(boards.count_min, 1)[board], np.append(boards.count_max, 1)[board]
    if regime == "steady":
        text = (
            "A board of count 1 in the steady regime, where the units on of a device are the first "
            "ones; list several boards one by one, each with devices and a resource of its own."
        )
        check.rows("resources", "board", table, (board >= 0) & (high > 1), text)
    else:
        text = "A board whose number is fixed, or at least 0: one capacity for each."
        check.rows("resources", "board", table, (board >= 0) & (low > 0) & (low < high), text)
    return board


def make_uses(
    table: Table,
    stated: Table,
    parts: tuple[Devices, Profiles, Options, Resources],
    check: Checker,
) -> Uses:
    """Return what options use, by option and resource; rows of amount 0 say nothing.

    Parameters
    ----------
    table, stated
        The tables ``uses`` and ``options``.
    parts
        What the rows name: devices, profiles with their options, resources.
    """
    devices, profiles, options, resources = parts
    count = len(options)
    if not len(table["resource"]) or not count:
        none = np.empty(0, dtype=np.int64)
        return Uses(np.zeros(count + 1, dtype=np.int64), none, np.empty(0))
    resource = check.lookup("uses", "resource", table["resource"], resources.name, "resource")
    option = _options(table, stated, (devices, profiles, options), check)
    key = option * (len(resources) + 1) + resource
    order = np.lexsort((resource, option))
    order = order[(option[order] >= 0) & (resource[order] >= 0)]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = key[order][1:] == key[order][:-1]
    for row in order[again].tolist():
        expected = "A resource that no other row of the option names."
        check.add("uses", row, "resource", table["resource"][row], expected)
    most = np.where(resources.slow, resources.capacity, np.inf)
    for row in order[table["amount"][order] > most[resource[order]]].tolist():
        expected = (
            f"A demand of at most {most[resource[row]]:g}, the capacity of "
            f"{table['resource'][row]}: an option alone runs at full speed."
        )
        check.add("uses", row, "amount", table["amount"][row], expected)
    board = resources.board[resource[order]]
    there = devices.on_board[options.device[option[order]]]
    for row in order[(board >= 0) & (board != there)].tolist():
        expected = f"A device on the board of which each has {table['resource'][row]} of its own."
        check.add("uses", row, "device", table["device"][row], expected)
    order = order[table["amount"][order] > 0]
    size = np.bincount(option[order], minlength=count)
    ptr = ptr_of(size)
    return Uses(ptr, resource[order].astype(np.int64), table["amount"][order])


def _options(
    table: Table, stated: Table, parts: tuple[Devices, Profiles, Options], check: Checker
) -> Ints:
    """Return the option that each row names, -1 where there is none."""
    devices, profiles, options = parts
    profile = check.lookup("uses", "profile", table["profile"], profiles.name, "profile")
    device = positions(check.keys(table["device"]), check.keys(devices.name))
    # An unknown device that an option names is told of there.
    alike = positions(check.keys(table["device"]), check.keys(stated["device"]))
    rows = np.flatnonzero((device < 0) & (alike < 0))
    check.lookup("uses", "device", table["device"][rows], devices.name, "device", rows)
    label, _ = codes(keys_of(np.concatenate([options.label, table["label"]])))
    wide = int(label.max(initial=0)) + 1
    owner = np.repeat(np.arange(len(profiles)), np.diff(profiles.ptr))
    known = (owner * len(devices) + options.device) * wide + label[: len(options)]
    wanted = (profile * len(devices) + device) * wide + label[len(options) :]
    order = np.argsort(known, kind="stable")
    at = np.minimum(np.searchsorted(known[order], wanted), len(known) - 1)
    named = (profile >= 0) & (device >= 0)
    found = np.where(named & (known[order][at] == wanted), order[at], -1)
    if not check.unsure("options", "label") and not check.unsure("options", "device"):
        for row in np.flatnonzero(named & (found < 0)):
            check.add(
                "uses",
                int(row),
                "label",
                table["label"][row],
                f"The label of an option that profile {table['profile'][row]} has on device "
                f"{table['device'][row]}.",
            )
    return np.asarray(found, dtype=np.int64)
