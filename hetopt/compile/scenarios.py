"""Tables to columns: scenarios of demand, and periods, which follow each other in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hetopt.compile.problems import Checker, Table, listed
from hetopt.instance import (
    NO_MAXIMUM,
    Devices,
    Instance,
    Jobs,
    Periods,
    Pools,
    Regime,
    Scenarios,
)
from hetopt.instance.column_specs.platform import LOAD, START_UP
from hetopt.instance.states.setups import configured_devices
from hetopt.instance.tables import NO_MOST

PER = "/"
"""Between model and variant in the name of weights."""


def demand_table(tables: Mapping[str, Table], check: Checker) -> tuple[str, Table]:
    """Return the table that states demands at different times, and its name.

    Periods are scenarios whose weight is how long they last.
    """
    scenarios, periods = tables["scenarios"], tables["periods"]
    if not len(periods["name"]):
        return "scenarios", scenarios
    if len(scenarios["name"]):
        text = "Either scenarios, or periods, which follow each other in time."
        check.add("periods", -1, "", f"{len(periods['name'])} beside scenarios", text)
    return "periods", {
        "name": periods["name"],
        "weight": periods["duration_s"],
        "demand": periods["demand"],
    }


def make_scenarios(
    home: str,
    table: Table,
    rates: Table,
    jobs: Jobs,
    question: tuple[Regime, str, bool],
    check: Checker,
) -> Scenarios:
    """Return the scenarios; a job without a rate of its own in one has ``demand`` × its rate.

    Parameters
    ----------
    home
        Name of the table: ``scenarios``, or ``periods``.
    table, rates
        What they are, and the table ``rates``.
    question
        Regime, routing, and whether the jobs' rates are more than ratios.
    """
    regime, routing, known = question
    check.unique(home, "name", table["name"])
    count = len(table["name"])
    scenario = check.lookup("rates", "scenario", rates["scenario"], table["name"], home[:-1])
    job = check.lookup("rates", "job", rates["job"], jobs.name, "job")
    if count:
        _check_meaning(home, table, regime, routing, check)
    if not known:
        for row in range(len(rates["job"])):
            text = "A demand_per_s beside the jobs' shares: without one they are ratios only."
            check.add("rates", row, "rate_per_s", rates["rate_per_s"][row], text)
    rate_per_s = table["demand"][:, None] * jobs.rate_per_s[None, :]
    told = np.zeros(rate_per_s.shape, dtype=np.bool_)
    for row in np.flatnonzero((scenario >= 0) & (job >= 0)).tolist():
        at = int(scenario[row]), int(job[row])
        if told[at]:
            check.add("rates", row, "job", rates["job"][row], f"Each job once in a {home[:-1]}.")
        told[at] = True
        rate_per_s[at] = rates["rate_per_s"][row]
    if regime == "steady" and not np.isnan(jobs.rate_per_s).any():
        for row in np.flatnonzero(~(rate_per_s > 0).any(axis=1)).tolist():
            text = f"A job with a rate above 0 in the {home[:-1]}."
            check.add(home, row, "demand", float(table["demand"][row]), text)
    return Scenarios(table["name"], table["weight"], table["demand"], rate_per_s)


def _check_meaning(home: str, table: Table, regime: Regime, routing: str, check: Checker) -> None:
    if regime == "schedule":
        for row in range(len(table["name"])):
            text = "This belongs to the steady regime; the instance is schedule."
            check.add(home, row, "name", table["name"][row], text)
    elif routing == "single":
        check.setting("routing", routing, f"split: one placement cannot differ by {home[:-1]}.")
    if not (table["weight"] > 0).any():
        check.add(home, -1, "weight", "0", "A weight above 0 of at least one scenario.")


def make_periods(
    tables: Mapping[str, Table],
    setting: Mapping[str, Any],
    platform: tuple[Devices, Pools, tuple[tuple[str, str], ...], Any],
    regime: Regime,
    check: Checker,
) -> Periods:
    """Return what ties the periods; :meth:`Periods.none` where there are none.

    Parameters
    ----------
    platform
        Devices, pools, names of weights, and options.
    """
    table, initial = tables["periods"], tables["initial"]
    if not len(table["name"]):
        _check_without(initial, setting if regime == "steady" else {}, check)
        return Periods.none()
    devices, pools, keys, options = platform
    if regime == "steady":
        _check_devices(table, devices, pools, options, int(setting["periods_max_changes"]), check)
    invest, rate = bool(setting["periods_invest"]), float(setting["periods_discount_rate"])
    cyclic = bool(setting["periods_cyclic"])
    if invest:
        if cyclic and check.was_written("settings", "periods_cyclic"):
            text = "cyclic: false, or nothing: units once bought stay, so that nothing repeats."
            check.setting("periods_cyclic", True, text)
        cyclic = False
        _check_bought(tables, check)
    elif rate:
        text = "invest: true beside it: money of all times counts alike else."
        check.setting("periods_discount_rate", rate, text)
    if cyclic and len(initial["device"]):
        text = "cyclic: false of the periods; where they repeat, the last one is before the first."
        check.add("initial", 0, "device", initial["device"][0], text)
    device = check.lookup("initial", "device", initial["device"], devices.name, "device")
    ptr, key = _weights(initial, device, devices, keys, options, check)
    units = initial["units"]
    for d in np.unique(device[device >= 0]).tolist():
        most, rows = int(devices.count_max[d]), np.flatnonzero(device == d)
        if most != NO_MAXIMUM and int(units[rows].sum()) > most:
            text = f"At most the {most} units that there are of device {devices.name[d]}."
            check.add("initial", int(rows[-1]), "units", int(units[rows].sum()), text)
    return Periods.from_cells(
        table,
        cyclic=cyclic,
        min_up_s=float(setting["periods_min_up_s"]),
        max_changes=int(setting["periods_max_changes"]),
        invest=invest,
        discount_rate=rate,
        initial_device=device,
        initial_units=units,
        initial_ptr=ptr,
        initial_key=key,
    )


def _check_bought(tables: Mapping[str, Table], check: Checker) -> None:
    """Refuse what counts units had, and does not know that they are bought over time."""
    boards, shares = tables["boards"], tables["kind_shares"]
    for row in range(len(boards["name"])):
        text = "No boards where units are bought over time (invest): state the devices alone."
        check.add("boards", row, "name", boards["name"][row], text)
    for row in np.flatnonzero(shares["of"] == "price").tolist():
        text = "units: shares of prices do not know units that are bought over time (invest)."
        check.add("kind_shares", row, "of", "price", text)


def check_periods(instance: Instance, check: Checker) -> None:
    """Refuse what tells units of a device apart: they are alike from period to period.

    Nor is a unit set up from one configuration to another between periods: that would be free.
    """
    if len(instance.periods):
        for d in np.flatnonzero(configured_devices(instance)).tolist():
            text = (
                "Options of one configuration on the device: with periods, no unit is set up from "
                "one to another (state weights and `load`, where that is what it takes)."
            )
            check.add("devices", d, "name", instance.devices.name[d], text)
        for task in np.flatnonzero(instance.tasks.pin_unit >= 0).tolist():
            name = instance.unit_name(
                int(instance.tasks.pin_device[task]), int(instance.tasks.pin_unit[task])
            )
            text = "A device alone: with periods, no unit is told from the others of its device."
            check.add("tasks", task, "pin", name, text)


def _check_without(initial: Table, setting: Mapping[str, Any], check: Checker) -> None:
    """Refuse what only means something with periods."""
    for row in range(len(initial["device"])):
        text = "Periods that are not cyclic, of which this is what was there before."
        check.add("initial", row, "device", initial["device"][row], text)
    for name, default in (
        ("periods_cyclic", True),
        ("periods_min_up_s", 0.0),
        ("periods_max_changes", NO_MOST),
        ("periods_invest", False),
        ("periods_discount_rate", 0.0),
    ):
        if setting.get(name, default) != default:
            check.setting(name, setting[name], "A list of periods beside it.")


def _check_devices(
    table: Table, devices: Devices, pools: Pools, options: Any, most: int, check: Checker
) -> None:
    """Refuse starts that take longer than a period, and loading where no memory says of what."""
    duration = table["duration_s"]
    shortest = float(duration.min())
    told = check.told("periods", int(duration.argmin()), "duration_s", shortest)
    for column in (START_UP[0], LOAD[0]):
        value = getattr(devices, column.name)
        for d in np.flatnonzero(value > shortest).tolist():
            text = f"At most the shortest period, {told}: it is done before one begins."
            check.add("devices", d, column.name, float(value[d]), text)
    inside = np.append(pools.memory_b, np.inf)[devices.pool]
    unlimited = np.isinf(devices.memory_b) & np.isinf(inside)
    heavy = np.zeros(len(devices), dtype=bool)
    heavy[options.device[options.weights_key >= 0]] = True
    for d in np.flatnonzero(unlimited & heavy).tolist():
        for column in LOAD:
            value = float(getattr(devices, column.name)[d])
            if value > 0:
                text = "A memory of the device too, so that plans say which unit holds which model."
                check.add("devices", d, column.name, value, text)
        if most != NO_MOST:
            text = (
                "A memory: without one no plan says which unit holds which weights, and what is "
                "loaded counts as a change."
            )
            check.add("devices", d, "memory_b", "unlimited", text)


def _weights(
    table: Table,
    device: np.ndarray,
    devices: Devices,
    keys: tuple[tuple[str, str], ...],
    options: Any,
    check: Checker,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights that initial units hold: ptr and keys."""
    names = weights_names(keys)
    number = {name: k for k, name in enumerate(names)}
    size = {}
    for key, size_b in zip(options.weights_key.tolist(), options.weights_b.tolist(), strict=True):
        size[key] = float(size_b)
    ptr, found = [0], []
    for row in range(len(table["device"])):
        listed_names = table["weights"].get(row, [])
        mine = []
        for name in listed_names:
            if name not in number:
                text = f"Weights of some option, MODEL/VARIANT: {listed(name, names)}."
                check.add("initial", row, "weights", name, text)
            elif number[name] in mine:
                check.add("initial", row, "weights", name, "Each weights once.")
            else:
                mine.append(number[name])
        room = float(devices.memory_b[device[row]]) if device[row] >= 0 else np.inf
        if sum(size[k] for k in mine) > room:
            memory = check.told("devices", int(device[row]), "memory_b", room)
            text = f"Weights that fit into a unit together, whose memory is {memory}."
            check.add("initial", row, "weights", ", ".join(listed_names), text)
        found += sorted(mine)
        ptr.append(len(found))
    return np.array(ptr, dtype=np.int64), np.array(found, dtype=np.int64)


def weights_names(keys: tuple[tuple[str, str], ...]) -> list[str]:
    """Return the name of each key of weights: MODEL/VARIANT, or the model where it has no other."""
    return [f"{model}{PER}{variant}" if variant else model for model, variant in keys]
