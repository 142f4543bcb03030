"""Tables to columns: memory pools, devices and links."""

from __future__ import annotations

import math

import numpy as np

from hetopt import units
from hetopt.compile.problems import Checker, Table
from hetopt.instance import (
    NO_MAXIMUM,
    Boards,
    Bools,
    Devices,
    Instance,
    Ints,
    KindShares,
    Links,
    Pools,
    Regime,
    Strings,
)
from hetopt.instance.column_specs.platform import SLEEP, START_UP


def make_pools(table: Table, check: Checker) -> Pools:
    """Return the memory pools."""
    check.unique("pools", "name", table["name"])
    return Pools.from_cells(table)


def make_boards(table: Table, devices: Devices, check: Checker) -> Boards:
    """Return the boards; units of the devices on them are spread over their number."""
    check.unique("boards", "name", table["name"])
    low, high = table["count_min"], table["count_max"]
    check.rows("boards", "count_max", table, high < low, "At least the minimum.")
    at = devices.on_board
    per_board = np.zeros(len(devices), dtype=np.int64)
    for d in np.flatnonzero(at >= 0).tolist():
        board = int(at[d])
        fewest, most = int(low[board]), int(high[board])
        had = int(devices.count_min[d]), int(devices.count_max[d])
        each = max(1, had[1] // most)
        if had[1] == NO_MAXIMUM or had != (each * fewest, each * most):
            counts = str(most) if fewest == most else f"{fewest} to {most}"
            text = f"A multiple of the number of boards {table['name'][board]}, which is {counts}."
            check.add("devices", d, "count_max", had[1], text)
        per_board[d] = each
    sites = [np.unique(devices.site[at == board]) for board in range(len(low))]
    for board in [b for b, found in enumerate(sites) if len(found) > 1]:
        text = "Devices at one site: its energy is drawn there."
        check.add("boards", board, "name", table["name"][board], text)
    check_sleep("boards", table, check)
    return Boards.from_cells(table, per_board=per_board)


def make_devices(
    table: Table, pools: Strings, sites: Strings, boards: Strings, check: Checker
) -> Devices:
    """Return the devices; a purchase price is spread over the lifetime."""
    name = table["name"]
    check.unique("devices", "name", name)
    hashed = np.strings.find(name, "#") >= 0
    check.rows("devices", "name", table, hashed, "A name without '#'.", certain=True)
    low, high = table["count_min"], table["count_max"]
    check.rows(
        "devices",
        "count_max",
        table,
        (high != NO_MAXIMUM) & (high < np.maximum(low, 1)),
        "At least the minimum, and at least 1.",
    )
    check.rows(
        "devices",
        "spare",
        table,
        (table["spare"] > 0) & (high != NO_MAXIMUM) & (high <= table["spare"]),
        "Fewer spare units than the most units had, which include them.",
    )
    check.rows(
        "devices",
        "min_load",
        table,
        table["min_load"] > table["max_utilization"],
        "At most `max_utilization`: a unit that is on could be neither more nor less busy.",
    )
    check_sleep("devices", table, check)
    pool = check.lookup("devices", "memory_pool", table["memory_pool"], pools, "pool")
    price = table["price_per_s"]
    lifetime = table["lifetime_s"]
    return Devices.from_cells(
        table,
        pool=pool,
        price_per_s=np.where(np.isnan(lifetime), price, price / lifetime),
        purchase_price=np.asarray(
            np.where(np.isnan(lifetime), table["purchase_price"], price), dtype=np.float64
        ),
        site=check.lookup("devices", "site", table["site"], sites, "site"),
        on_board=check.lookup("devices", "board", table["board"], boards, "board")
        if len(boards)
        else np.full(len(name), -1, dtype=np.int64),
    )


def check_start_ups(instance: Instance, tables: dict[str, Table], check: Checker) -> None:
    """Refuse devices that go on later than anything may end, and what no schedule knows yet."""
    limits, jobs = instance.limits, instance.jobs
    slow = instance.resources.slow
    if len(slow) and slow[instance.uses.resource].any():
        beside = [
            f"sleep or start-up of {name} ({', '.join(str(n) for n in part.name[idles])})"
            for name, part in (("devices", instance.devices), ("boards", instance.boards))
            if (idles := _starts_or_sleeps(tables[name])).any()
        ]
        if beside:
            text = f"forbid, or no {' and no '.join(beside)}: no schedule knows both together yet."
            check.add("resources", int(np.flatnonzero(slow)[0]), "sharing", "slow", text)
    if math.isfinite(limits.cycle_s) or not len(jobs):
        return
    latest = min(limits.horizon_s, float(jobs.deadline_s.max()))
    end = units.format(latest, "time", digits=6)
    text = f"At most the latest deadline, {end}: nothing could run there before that."
    for name, part in (("devices", instance.devices), ("boards", instance.boards)):
        late = part.off_when_unused & (tables[name]["start_up_time_s"] > latest)
        check.rows(name, "start_up_time_s", tables[name], late, text)


def _starts_or_sleeps(table: Table) -> Bools:
    """Whether rows state anything of start-ups or sleep."""
    stated = np.zeros(len(table["name"]), dtype=bool)
    for column in (*START_UP, *SLEEP):
        value = table[column.name]
        none = np.isnan(value) if column.default != column.default else value == column.default
        stated |= ~none
    return stated


def check_sleep(name: str, table: Table, check: Checker) -> None:
    """Refuse sleep above idle power, and waking without sleep."""
    power, idle = table["sleep_power_w"], table["idle_power_w"]
    for column in ("wake_time_s", "wake_energy_j"):
        alone = (table[column] > 0) & np.isnan(power)
        check.rows(name, column, table, alone, "Beside it the power of sleep: sleep: {power: ...}.")
    text = "At most the idle power: what sleeps draws no more than what idles."
    check.rows(name, "sleep_power_w", table, power > idle, text)


def make_kind_shares(
    table: Table, devices: Devices, regime: Regime, routing: str, check: Checker
) -> KindShares:
    """Return the limits on shares of kinds."""
    everyone = np.ones(len(table["kind"]), dtype=bool)
    if regime == "schedule":
        text = "Nothing: shares of kinds size a fleet in the steady regime; this is a schedule."
        check.rows("kind_shares", "kind", table, everyone, text)
    elif routing == "single":
        text = "Nothing where `routing` is single: shares of kinds are of a fleet with split rates."
        check.rows("kind_shares", "kind", table, everyone, text)
    if len(everyone):
        absent = ~np.isin(table["kind"].astype(object), devices.kind.astype(object))
        check.rows("kind_shares", "kind", table, absent, "A kind that some device has.")
        check.rows(
            "kind_shares", "max", table, table["max"] < table["min"], "At least the minimum."
        )
        paid = table["of"] == "price"
        if not devices.price_per_s.any():
            text = "Units, or a price of some device, for shares of it."
            check.rows("kind_shares", "of", table, paid, text)
    return KindShares(table["kind"], table["min"], table["max"], table["of"])


def make_links(table: Table, networks: Table, devices: Strings, check: Checker) -> Links:
    """Return links one-way, with their channel groups.

    Parameters
    ----------
    networks
        Links between sites, as :func:`hetopt.compile.sites.network_links` returns them; they come
        last.
    """
    src = check.lookup("links", "from", table["from"], devices, "device")
    dst = check.lookup("links", "to", table["to"], devices, "device")
    repeat = np.where(table["both_ways"] & (src != dst), 2, 1)
    row = np.repeat(np.arange(len(src)), repeat)
    back = np.zeros(len(row), dtype=bool)
    back[1:] = row[1:] == row[:-1]
    group, capacity = _channel_groups(table, row, check)
    links = Links(
        src=np.where(back, dst[row], src[row]),
        dst=np.where(back, src[row], dst[row]),
        bandwidth_b_per_s=table["bandwidth_b_per_s"][row],
        latency_s=table["latency_s"][row],
        energy_j_per_b=table["energy_j_per_b"][row],
        channel_group=group,
        group_channels=capacity,
        bus=table["bus"][row],
        per_unit=table["per_unit"][row],
    )
    return _joined(links, networks, check) if len(networks["src"]) else links


def _joined(links: Links, networks: Table, check: Checker) -> Links:
    """Return links with those of networks behind them."""
    row = np.arange(len(networks["src"]))
    group, capacity = _channel_groups(networks, row, check)
    group = np.where(group >= 0, group + len(links.group_channels), -1)
    more = {**networks, "channel_group": group, "group_channels": capacity}
    return Links(
        **{
            name: np.concatenate([getattr(links, name), more[name]])
            for name in Links.__dataclass_fields__
        }
    )


def _channel_groups(table: Table, row: Ints, check: Checker) -> tuple[Ints, Ints]:
    """Give every bus, and every other link with channels, a group of its own."""
    bus, channels = table["bus"][row], table["channels"][row]
    group = np.full(len(row), -1, dtype=np.int64)
    if not (bus != "").any():
        own = channels > 0
        group[own] = np.arange(own.sum())
        return group, channels[own]
    capacity: list[int] = []
    by_bus: dict[str, tuple[int, int]] = {}
    for i, (name, number) in enumerate(zip(bus.tolist(), channels.tolist(), strict=True)):
        if name in by_bus:
            group[i], stated = by_bus[name]
            if stated != number:
                _bus_conflict(int(row[i]), table, check)
            continue
        if number > 0:
            group[i] = len(capacity)
            capacity.append(number)
        if name:
            by_bus[name] = (int(group[i]), number)
    return group, np.array(capacity, dtype=np.int64)


def _bus_conflict(row: int, table: Table, check: Checker) -> None:
    check.add(
        "links",
        row,
        "channels",
        table["channels"][row],
        f"Links of bus {table['bus'][row]} share its channels, so all must state the same number.",
    )
