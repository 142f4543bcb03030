"""Tables to columns and back: the one way into an :class:`~hetopt.instance.Instance`.

Every form of an instance (document, folder of tables, builder, pandas frames) becomes the tables
of :mod:`hetopt.tables` and passes the checks here, all of them vectorised, all problems collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt import checks
from hetopt.clean import Checker, clean_settings, clean_table, strings
from hetopt.errors import InputError
from hetopt.instance import (
    NO_MAXIMUM,
    SCHEDULE_OBJECTIVES,
    STEADY_OBJECTIVES,
    Devices,
    Edges,
    Floats,
    Groups,
    Instance,
    Ints,
    Jobs,
    Limits,
    Links,
    Options,
    Pools,
    Profiles,
    Regime,
    Routing,
    Strings,
    Tasks,
    Tensors,
)
from hetopt.tables import REQUIRED_TABLES, TABLES
from hetopt.unroll import unroll

if TYPE_CHECKING:
    import pandas as pd

Table = dict[str, Any]
DEFAULT_JOB = "job"


def from_frames(frames: Mapping[str, pd.DataFrame], settings: Mapping[str, Any]) -> Instance:
    """Build an instance from tables.

    Parameters
    ----------
    frames
        Tables by name (``devices``, ``options`` and ``tasks`` are required; ``pools``, ``links``,
        ``transfers``, ``jobs`` may be absent), with the columns of :mod:`hetopt.tables`.
    settings
        Limits, objective and the like (``hetopt.tables.SETTINGS``), and ``together`` / ``apart``.

    Raises
    ------
    InputError
        With every problem found: unknown tables, columns or names, values of a wrong type, unit
        or range, cycles, contradictions.
    """
    check = Checker()
    for name in frames:
        if name not in TABLES:
            check.add(name, -1, "", name, f"Tables are {', '.join(TABLES)}.")
    for name in REQUIRED_TABLES:
        if name not in frames or len(frames[name]) == 0:
            check.add(name, -1, "", "", f"At least one row is expected in table {name}.")
    setting = clean_settings(settings, check)
    tables = {name: clean_table(name, frames.get(name), check) for name in TABLES}
    check.stop_if_any()

    regime = _regime(setting, tables["jobs"])
    _check_regime(regime, setting, tables, check)
    _default_names(tables)
    tables, setting = unroll(tables, setting, check)
    check.stop_if_any()

    pools = _pools(tables["pools"], check)
    devices = _devices(tables["devices"], pools.name, regime, check)
    links = _links(tables["links"], devices.name, check)
    profiles, options, keys, given = _options(tables["options"], devices, check)
    jobs, demand_known = _jobs(tables["jobs"], setting, regime, check)
    tasks = _tasks(tables["tasks"], devices, profiles, given, jobs, check)
    tensors, edges = _transfers(tables["transfers"], tasks, regime, check)
    groups = {
        name: _groups(setting[name], tasks.name, name, check) for name in ("together", "apart")
    }
    host = _host(setting["host"], devices, tensors, check)
    objective = _objective(setting["objective"], regime, demand_known, check)
    check.stop_if_any()
    instance = Instance(
        name=setting["name"],
        description=setting["description"],
        regime=regime,
        devices=devices,
        pools=pools,
        links=links,
        profiles=profiles,
        options=options,
        tasks=tasks,
        tensors=tensors,
        edges=edges,
        jobs=jobs,
        together=groups["together"],
        apart=groups["apart"],
        limits=Limits(
            horizon_s=setting["horizon_s"],
            power_cap_w=setting["power_cap_w"],
            budget_per_s=setting["budget_per_s"],
            energy_price_per_j=setting["energy_price_per_j"],
            carbon_kg_per_j=setting["carbon_kg_per_j"],
            pue=setting["pue"],
            demand_known=demand_known,
        ),
        objective=objective,
        routing=_routing(setting["routing"]),
        host=host,
        allow_mixed_scopes=setting["allow_mixed_scopes"],
        model_keys=keys,
        currency=setting["currency"],
    )
    checks.check_structure(instance, check)
    check.stop_if_any()
    return instance


def _regime(setting: Mapping[str, Any], jobs: Table) -> Regime:
    if setting["regime"] == "schedule":
        return "schedule"
    streams = bool(np.isfinite(jobs["rate_per_s"]).any() or np.isfinite(jobs["share"]).any())
    steady = streams or np.isfinite(setting["demand_per_s"]) or setting["routing"]
    return "steady" if setting["regime"] == "steady" or steady else "schedule"


def _check_regime(
    regime: Regime, setting: Mapping[str, Any], tables: dict[str, Table], check: Checker
) -> None:
    """Refuse what has a meaning in the other regime only, rather than ignore it."""
    for name, columns in TABLES.items():
        for column in columns:
            if column.regime and column.regime != regime:
                value = tables[name][column.name]
                default: Any = column.default
                same = np.isnan(value) if default != default else value == default
                for row in np.flatnonzero(~same):
                    check.add(
                        name,
                        int(row),
                        column.name,
                        value[row],
                        f"This belongs to the {column.regime} regime; the instance is {regime}.",
                    )
    checks.check_settings_regime(regime, setting, check)
    if regime == "schedule":
        for row in np.flatnonzero(tables["devices"]["count_max"] == NO_MAXIMUM):
            check.add(
                "devices",
                int(row),
                "count_max",
                "",
                "A maximum is expected: a schedule chooses among a finite number of units.",
            )


def _default_names(tables: dict[str, Table]) -> None:
    """Fill in the job and the profile that a task does not name."""
    jobs, tasks = tables["jobs"], tables["tasks"]
    if len(jobs["name"]) == 0:
        row = clean_table("jobs", None, Checker(), rows=1)
        row["name"] = strings([DEFAULT_JOB])
        tables["jobs"] = jobs = row
    if len(jobs["name"]) == 1:
        tasks["job"] = np.where(tasks["job"] == "", jobs["name"][0], tasks["job"])
    tasks["profile"] = np.where(tasks["profile"] == "", tasks["name"], tasks["profile"])


def _pools(table: Table, check: Checker) -> Pools:
    check.unique("pools", "name", table["name"])
    return Pools(table["name"], table["memory_b"], table["zero_copy"])


def _devices(table: Table, pools: Strings, regime: Regime, check: Checker) -> Devices:
    name = table["name"]
    check.unique("devices", "name", name)
    check.rows("devices", "name", table, np.strings.find(name, "#") >= 0, "A name without '#'.")
    low, high = table["count_min"], table["count_max"]
    check.rows(
        "devices",
        "count_max",
        table,
        (high != NO_MAXIMUM) & (high < np.maximum(low, 1)),
        "At least the minimum, and at least 1.",
    )
    pool = check.lookup("devices", "memory_pool", table["memory_pool"], pools, "pool")
    price = table["price_per_s"]
    lifetime = table["lifetime_s"]
    return Devices(
        name=name,
        kind=table["kind"],
        count_min=low,
        count_max=high,
        slots=table["slots"],
        memory_b=table["memory_b"],
        pool=pool,
        idle_power_w=table["idle_power_w"],
        idle_known=table["idle_known"],
        max_utilization=table["max_utilization"],
        reserved=table["reserved"],
        off_when_unused=table["off_when_unused"],
        exclusive=table["exclusive"],
        overlap=table["overlap"],
        price_per_s=np.where(np.isnan(lifetime), price, price / lifetime),
        scope=table["scope"],
        preview=table["preview"],
        source=table["source"],
    )


def _links(table: Table, devices: Strings, check: Checker) -> Links:
    src = check.lookup("links", "from", table["from"], devices, "device")
    dst = check.lookup("links", "to", table["to"], devices, "device")
    repeat = np.where(table["both_ways"] & (src != dst), 2, 1)
    row = np.repeat(np.arange(len(src)), repeat)
    back = np.concatenate([[False], row[1:] == row[:-1]]) if len(row) else np.empty(0, dtype=bool)
    bus, channels = table["bus"][row], table["channels"][row]
    group = np.full(len(row), -1, dtype=np.int64)
    capacity: list[int] = []
    by_bus: dict[str, int] = {}
    for i in range(len(row)):
        name = str(bus[i])
        if channels[i] == 0:
            if name and by_bus.get(name, -1) >= 0:
                _bus_conflict(int(row[i]), table, check)
            elif name:
                by_bus[name] = -1
            continue
        if name and name in by_bus:
            group[i] = by_bus[name]
            if group[i] < 0 or capacity[group[i]] != channels[i]:
                _bus_conflict(int(row[i]), table, check)
            continue
        group[i] = len(capacity)
        capacity.append(int(channels[i]))
        if name:
            by_bus[name] = int(group[i])
    return Links(
        src=np.where(back, dst[row], src[row]),
        dst=np.where(back, src[row], dst[row]),
        bandwidth_b_per_s=table["bandwidth_b_per_s"][row],
        latency_s=table["latency_s"][row],
        energy_j_per_b=table["energy_j_per_b"][row],
        channel_group=group,
        group_channels=np.array(capacity, dtype=np.int64),
        bus=bus,
        per_unit=table["per_unit"][row],
    )


def _bus_conflict(row: int, table: Table, check: Checker) -> None:
    check.add(
        "links",
        row,
        "channels",
        table["channels"][row],
        f"Links of bus {table['bus'][row]} share its channels, so all must state the same number.",
    )


def _options(
    table: Table, devices: Devices, check: Checker
) -> tuple[Profiles, Options, tuple[tuple[str, str], ...], Ints]:
    """Return profiles, options, weights keys, and the input row of each option."""
    import pandas as pd

    code, names = pd.factorize(pd.Series(table["profile"].astype(object)))
    order = np.argsort(code, kind="stable")
    table = {name: column[order] for name, column in table.items()}
    ptr = np.concatenate([[0], np.cumsum(np.bincount(code, minlength=len(names)))])
    device = check.lookup("options", "device", table["device"], devices.name, "device", order)
    energy = _energy(table, device, devices, order, check)
    key, keys = _weights_keys(table, order, check)
    frame = pd.DataFrame(
        {"profile": code[order], "device": device, "label": table["label"].astype(object)}
    )
    for row in np.flatnonzero(frame.duplicated().to_numpy() & (device >= 0)):
        check.add(
            "options",
            int(order[row]),
            "label",
            table["label"][row],
            f"A label is expected that no other option of profile {table['profile'][row]} on "
            f"device {table['device'][row]} has.",
        )
    options = Options(
        device=device,
        label=table["label"],
        time_s=table["time_s"],
        energy_j=energy,
        memory_b=table["memory_b"],
        weights_b=table["weights_b"],
        weights_key=key,
        accuracy=table["accuracy"],
        batch=table["batch"],
        latency_s=table["latency_s"],
        estimated=table["estimated"],
        preview=table["preview"],
        source=table["source"],
    )
    return Profiles(strings(names), ptr.astype(np.int64)), options, keys, order.astype(np.int64)


def _energy(table: Table, device: Ints, devices: Devices, order: Ints, check: Checker) -> Floats:
    energy, power, time = table["energy_j"], table["power_w"], table["time_s"]
    has_energy, has_power = ~np.isnan(energy), ~np.isnan(power)
    idle = np.where(device >= 0, devices.idle_power_w[device], 0.0)
    known = np.where(device >= 0, devices.idle_known[device], True)
    idle = np.where(known, idle, 0.0)

    def complain(rows: Any, column: str, value: Any, expected: str) -> None:
        for row in np.flatnonzero(rows):
            check.add("options", int(order[row]), column, value[row], expected)

    complain(has_energy & has_power, "power_w", power, "Either energy_j or power_w, not both.")
    if has_energy.any() or has_power.any():
        complain(
            ~has_energy & ~has_power,
            "energy_j",
            np.full(len(time), ""),
            "energy_j (above idle) or power_w (whole draw), as other options state one.",
        )
    below = has_power & (power < idle)
    for row in np.flatnonzero(below):
        check.add(
            "options",
            int(order[row]),
            "power_w",
            power[row],
            f"power_w is the whole draw of the unit, so at least the idle power of device "
            f"{table['device'][row]}, {idle[row]:g} W; energy above idle goes into energy_j.",
        )
    result = np.where(has_power, (np.nan_to_num(power) - idle) * time, np.nan_to_num(energy))
    complain((time == 0) & (result > 0), "energy_j", result, "0 for a task of time 0.")
    return result


def _weights_keys(
    table: Table, order: Ints, check: Checker
) -> tuple[Ints, tuple[tuple[str, str], ...]]:
    """Key weights by (model, variant); a key has one size."""
    has = table["weights_b"] > 0
    unnamed = table["model"] == ""
    model = np.where(unnamed, table["profile"], table["model"])
    variant = np.where(unnamed & (table["variant"] == ""), table["label"], table["variant"])
    index: dict[tuple[str, str], int] = {}
    first: list[int] = []
    key = np.full(len(has), -1, dtype=np.int64)
    for row in np.flatnonzero(has):
        name = (str(model[row]), str(variant[row]))
        if name not in index:
            index[name] = len(first)
            first.append(int(row))
        key[row] = index[name]
        size = table["weights_b"][first[index[name]]]
        if table["weights_b"][row] != size:
            check.add(
                "options",
                int(order[row]),
                "weights_b",
                table["weights_b"][row],
                f"Weights of model {name[0]}, variant {name[1] or '(none)'}, have one size; "
                f"another option says {size:g} B.",
            )
    return key, tuple(index)


def _jobs(
    table: Table, setting: Mapping[str, Any], regime: Regime, check: Checker
) -> tuple[Jobs, bool]:
    check.unique("jobs", "name", table["name"])
    n = len(table["name"])
    rate = np.full(n, np.nan)
    known = True
    if regime == "steady":
        given, share = table["rate_per_s"], table["share"]
        has_rate, has_share = ~np.isnan(given), ~np.isnan(share)
        check.rows("jobs", "share", table, has_rate & has_share, "Either rate_per_s or share.")
        check.rows("jobs", "rate_per_s", table, ~has_rate & ~has_share, "A rate_per_s or a share.")
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
    jobs = Jobs(
        name=table["name"],
        release_s=table["release_s"],
        deadline_s=table["deadline_s"],
        due_s=table["due_s"],
        weight=table["weight"],
        rate_per_s=rate,
        latency_slo_s=table["latency_slo_s"],
        min_accuracy=table["min_accuracy"],
    )
    check.rows(
        "jobs",
        "deadline_s",
        table,
        table["deadline_s"] < table["release_s"],
        "A deadline after the release; both are absolute times.",
    )
    return jobs, known


SHARE_TOLERANCE = 1e-6
"""Shares are often written with few digits; a sum this close to 1 is taken as 1."""


def _tasks(
    table: Table,
    devices: Devices,
    profiles: Profiles,
    option_rows: Ints,
    jobs: Jobs,
    check: Checker,
) -> Tasks:
    check.unique("tasks", "name", table["name"])
    profile = check.lookup("tasks", "profile", table["profile"], profiles.name, "profile")
    check.rows("tasks", "job", table, table["job"] == "", "A job, as there are several.")
    job = check.lookup("tasks", "job", table["job"], jobs.name, "job")
    pin_device, pin_unit = _pins(table, devices, check)
    task, device = _forbids(table, devices.name, check)
    return Tasks(
        name=table["name"],
        profile=profile,
        work=table["work"],
        job=job,
        pin_device=pin_device,
        pin_unit=pin_unit,
        forbid_task=task,
        forbid_device=device,
    )


def _pins(table: Table, devices: Devices, check: Checker) -> tuple[Ints, Ints]:
    n = len(table["name"])
    device, unit = np.full(n, -1, dtype=np.int64), np.full(n, -1, dtype=np.int64)
    index = {str(name): i for i, name in enumerate(devices.name)}
    for row in np.flatnonzero(table["pin"] != ""):
        text = str(table["pin"][row])
        name, mark, number = text.partition("#")
        d = index.get(name, -1)
        limit = NO_MAXIMUM if d < 0 else int(devices.count_max[d])
        fits = not mark or (number.isdecimal() and (limit == NO_MAXIMUM or int(number) < limit))
        if d < 0 or not fits:
            check.add(
                "tasks",
                int(row),
                "pin",
                text,
                f"A device ({', '.join(index)}) or one of its units (NAME#0).",
            )
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
                check.add("tasks", row, "forbid", name, f"A device: {', '.join(index)}.")
    return np.array(task, dtype=np.int64), np.array(device, dtype=np.int64)


def _transfers(table: Table, tasks: Tasks, regime: Regime, check: Checker) -> tuple[Tensors, Edges]:
    import pandas as pd

    src = check.lookup("transfers", "from", table["from"], tasks.name, "task")
    dst = check.lookup("transfers", "to", table["to"], tasks.name, "task")
    check.rows("transfers", "to", table, (src == dst) & (src >= 0), "Another task than the sender.")
    if regime == "steady":
        check.rows(
            "transfers",
            "to",
            table,
            (src >= 0) & (dst >= 0) & (tasks.job[src] != tasks.job[dst]),
            "A task of the sender's own job: requests of different jobs do not meet.",
        )
    named = table["tensor"] != ""
    size, staged = table["bytes"], table["staged"]
    message = named | ~np.isnan(size)
    check.rows("transfers", "staged", table, staged & ~message, "A message: bytes or a tensor.")
    code = np.full(len(src), -1, dtype=np.int64)
    shared, _ = pd.factorize(pd.Series(table["tensor"][named].astype(object)))
    code[named] = shared
    private = np.flatnonzero(message & ~named)
    code[private] = (shared.max() + 1 if len(shared) else 0) + np.arange(len(private))
    # Tensors are numbered in the order of their first edge, whatever they are named.
    used = np.flatnonzero(message)
    _, first = np.unique(code[used], return_index=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    tensor = np.full(len(src), -1, dtype=np.int64)
    tensor[used] = rank[code[used]]
    head = used[np.sort(first)]
    n = len(head)
    bytes_b = np.full(n, -1.0)
    stated = used[~np.isnan(size[used])]
    bytes_b[tensor[stated][::-1]] = size[stated][::-1]
    for row in stated[size[stated] != bytes_b[tensor[stated]]]:
        check.add("transfers", int(row), "bytes", size[row], "One size for all edges of a tensor.")
    check.rows(
        "transfers",
        "bytes",
        table,
        named & np.isnan(size) & (bytes_b[tensor] < 0 if n else False),
        "The size of the tensor, on at least one of its edges.",
    )
    producer = src[head]
    for row in used[src[used] != producer[tensor[used]]]:
        check.add("transfers", int(row), "from", table["from"][row], "One producer for a tensor.")
    flags = np.zeros(n, dtype=bool)
    flags[tensor[used[staged[used]]]] = True
    double = pd.DataFrame({"t": tensor[used], "d": dst[used]}).duplicated().to_numpy()
    for row in used[double]:
        check.add("transfers", int(row), "to", table["to"][row], "Each reader of a tensor once.")
    return Tensors(table["tensor"][head], producer, bytes_b, flags), Edges(src, dst, tensor)


def _groups(groups: Any, tasks: Strings, setting: str, check: Checker) -> Groups:
    index: dict[str, int] = {}
    if groups:
        index = {str(name): i for i, name in enumerate(tasks)}
    ptr, members = [0], list[int]()
    for i, names in enumerate(groups):
        for name in names:
            if name not in index:
                check.setting(f"{setting}[{i}]", name, "A task of the instance.")
            else:
                members.append(index[name])
        ptr.append(len(members))
    return Groups(np.array(ptr, dtype=np.int64), np.array(members, dtype=np.int64))


def _host(name: str, devices: Devices, tensors: Tensors, check: Checker) -> int:
    names = [str(d) for d in devices.name]
    if name:
        if name in names:
            return names.index(name)
        check.setting("host", name, f"A device: {', '.join(names)}.")
        return -1
    if not tensors.staged.any():
        return -1
    cpus = np.flatnonzero(devices.kind == "cpu")
    if len(cpus) == 1:
        return int(cpus[0])
    check.setting("host", "", "The device that staged tensors go by way of, as no one cpu is.")
    return -1


def _objective(
    names: tuple[str, ...], regime: Regime, demand_known: bool, check: Checker
) -> tuple[str, ...]:
    if not names:
        if regime == "schedule":
            return ("energy",)
        return ("power",) if demand_known else ("throughput",)
    allowed = SCHEDULE_OBJECTIVES if regime == "schedule" else STEADY_OBJECTIVES
    for name in names:
        if name not in allowed:
            check.setting(
                "objective", name, f"Objectives of the {regime} regime are {', '.join(allowed)}."
            )
    if len(set(names)) < len(names):
        check.setting("objective", ", ".join(names), "Each objective once.")
    return names


def _routing(name: str) -> Routing:
    return "single" if name == "single" else "split"


def to_frames(instance: Instance) -> dict[str, pd.DataFrame]:
    """Return the tables of an instance; see :func:`hetopt.export.to_frames`."""
    from hetopt import export

    return export.to_frames(instance)


def to_settings(instance: Instance) -> dict[str, Any]:
    """Return the settings of an instance; see :func:`hetopt.export.to_settings`."""
    from hetopt import export

    return export.to_settings(instance)
