"""What requests may be sent along: stations that they wait at, and the routes through them.

A *station* is one queue and the units that serve it: all units of a device; those of an
``exclusive`` device that serve one job; or one unit, where a plan names units (memory limits,
``routing: single``). A *route* gives each task of a job an option and a station. Times, energies
and delays of a route are those of :mod:`hetopt.evaluate.steady`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np

from hetopt.errors import InputError
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import NO_MAXIMUM, Bools, Floats, Instance, Ints
from hetopt.instance.graph import topological_order
from hetopt.instance.grouping import ptr_of
from hetopt.instance.paths import Network
from hetopt.instance.states.stream_boards import boards_had, boards_under
from hetopt.solution import SteadyPlan

MOST_ROUTES = 512
"""Routes of a job that a dispatcher chooses among; beyond it only those on one device each."""
ROOM_TO_GROW = 4
"""Units that a policy may switch on of a device without a maximum, times those of the plan."""
WHOLE = 1e-9

RouteKey = tuple[int, tuple[tuple[int, int, int], ...]]
"""Job, then (task, option, unit or -1) of each task in the job's order."""


@dataclass(frozen=True)
class Fleet:
    """Units that may be on, and the stations that they serve.

    Attributes
    ----------
    device, number
        Of each unit (G), those of a device side by side.
    station_device, station_job, station_unit
        Of each station (S); job -1: any, unit -1: any unit of the device assigned to it.
    unit_station
        Station of each unit, -1 for one in reserve (G).
    on
        Whether each unit is on at first (G).
    had
        Units of each device that are paid for all the time (D).
    unit_board
        Board that each unit stands on, -1 for none (G).
    board_kind, board_on
        Kind of each board, those of a kind side by side, and whether it is on at first (N).
    boards_had
        Boards of each kind that are paid for all the time (B).
    never_off
        Whether each board is never off once it is on (N).
    """

    device: Ints
    number: Ints
    station_device: Ints
    station_job: Ints
    station_unit: Ints
    unit_station: Ints
    on: np.ndarray
    had: Ints
    unit_board: Ints
    board_kind: Ints
    board_on: Bools
    boards_had: Ints
    never_off: Bools
    at: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def station(self, device: int, job: int, unit: int) -> int:
        """Return the station where a job's task on a device (on a unit, or -1) waits; -1: none."""
        for key in ((device, -1, unit), (device, job, -1), (device, -1, -1)):
            found = self.at.get(key)
            if found is not None:
                return found
        return -1

    def board_is_on(self, unit: int, on: Container[int]) -> bool:
        """Whether a unit stands on no board, or on one that is on while some units are."""
        board = int(self.unit_board[unit])
        if board < 0 or (self.board_on[board] and self.never_off[board]):
            return True
        return any(g in on for g in np.flatnonzero(self.unit_board == board).tolist())


def fleet_of(instance: Instance, plan: SteadyPlan, whole: bool = False) -> Fleet:
    """Return the units that a plan has on, and the queues that it implies.

    Parameters
    ----------
    whole
        Whether units that the plan does not have may be switched on too, up to ``count_max``.
    """
    devices = instance.devices
    named = np.zeros(len(devices), dtype=bool)
    named[instance.options.device[plan.option[plan.unit >= 0]]] = True
    most = np.where(
        devices.count_max == NO_MAXIMUM,
        np.maximum(ROOM_TO_GROW * plan.units_had, ROOM_TO_GROW),
        devices.count_max,
    )
    size = np.maximum(most, plan.units_had) if whole else plan.units_had
    device = np.repeat(np.arange(len(devices)), size)
    number = np.arange(len(device)) - np.repeat(np.cumsum(size) - size, size)
    # A unit that is never off is on as soon as it is had.
    active = np.where(devices.off_when_unused, plan.units_on, plan.units_had)
    on = number < active[device]
    stations: list[tuple[int, int, int]] = []
    unit_station = np.full(len(device), -1, dtype=np.int64)
    for d in range(len(devices)):
        units = np.flatnonzero(device == d)
        if named[d]:
            for g in units:
                unit_station[g] = len(stations)
                stations.append((d, -1, int(number[g])))
        elif devices.exclusive[d]:
            wanted = _units_per_job(instance, plan, d)
            begin = 0
            for job in range(len(instance.jobs)):
                count = int(wanted[job])
                unit_station[units[begin : begin + count]] = len(stations)
                begin += count
                stations.append((d, job, -1))
        else:
            unit_station[units] = len(stations)
            stations.append((d, -1, -1))
    of_device, of_job, of_unit = np.array(stations, dtype=np.int64).reshape(-1, 3).T.copy()
    at = {key: s for s, key in enumerate(stations)}
    had = plan.units_had if not whole else devices.count_min
    had = had.astype(np.int64)
    return Fleet(
        *(device, number, of_device, of_job, of_unit, unit_station, on, had),
        *_boards(instance, plan, size, device, number, on, had),
        at,
    )


def _boards(
    instance: Instance,
    plan: SteadyPlan,
    size: Ints,
    device: Ints,
    number: Ints,
    on: Bools,
    had: Ints,
) -> tuple[Ints, Ints, Bools, Ints, Bools]:
    """Return the board of each unit, and of each board its kind, whether it is on, boards had."""
    boards, at = instance.boards, instance.devices.on_board
    never_off = ~boards.off_when_unused
    first_had = boards_had(instance, plan.units_had)
    count = np.maximum(boards_under(instance, size), first_had)
    begin = np.cumsum(count) - count
    kind = np.repeat(np.arange(len(boards)), count)
    place = np.full(len(device), -1, dtype=np.int64)
    carried = at[device] >= 0
    of = device[carried]
    place[carried] = begin[at[of]] + number[carried] // np.maximum(1, boards.per_board[of])
    # One that is never off is on as soon as it is had.
    lit = never_off[kind] & (np.arange(len(kind)) - begin[kind] < first_had[kind])
    lit[place[carried & on]] = True
    return place, kind, lit, boards_had(instance, had), never_off[kind]


@dataclass(frozen=True)
class RouteTable:
    """Routes of all jobs: K routes with M rows (tasks in an order in which none waits for a later).

    Attributes
    ----------
    job, ptr
        Job of each route (K); its rows are ``ptr[k]:ptr[k + 1]``.
    task, option, station
        Of each row (M).
    position
        Place of each row's task among the tasks of its job (M).
    time_s
        Time of one execution: of a whole batch where ``batch`` > 1 (M).
    latency_s
        Expected time from the begin of an execution to its end for a request, as the plan counts
        it: twice the time of a batch that fills while another runs (M).
    after_s
        Time that a request still takes after its execution left the slot, of a stated latency (M).
    batch
        Requests that one execution takes at most; 1 where they join one by one (M).
    share
        Part of a slot that an execution takes: 1 / b where requests join a batch one by one (M).
    energy_j
        Energy above idle of one execution (M).
    before, out_ptr, out_row, out_delay_s
        How many rows of its route each row waits for; and which wait for it (counted from 0 in the
        route), with the delay of the message.
    transfer_j, transfer_device
        Energy of a request's messages, and the device at which it is drawn (K).
    service_s
        Latency of each route without waiting (K).
    """

    keys: tuple[RouteKey, ...]
    job: Ints
    ptr: Ints
    task: Ints
    option: Ints
    station: Ints
    position: Ints
    time_s: Floats
    latency_s: Floats
    after_s: Floats
    batch: Ints
    share: Floats
    energy_j: Floats
    before: Ints
    out_ptr: Ints
    out_row: Ints
    out_delay_s: Floats
    transfer_j: Floats
    transfer_device: Ints
    service_s: Floats

    def __len__(self) -> int:
        return len(self.job)


def route_table(instance: Instance, fleet: Fleet, keys: Sequence[RouteKey]) -> RouteTable:
    """Return the table of some routes, in their order, each once."""
    keys = list(dict.fromkeys(keys))
    plan = _as_plan(instance, keys)
    of = SteadyQuantities(instance, plan)
    options, devices, chosen = instance.options, instance.devices, plan.option
    free = 1.0 - devices.reserved[of.device]
    batch = options.batch[chosen].astype(np.int64)
    time = of.row_busy_s * batch / np.where(free > 0, free, 1.0)
    work = instance.tasks.work[plan.task]
    own = work * options.time_s[chosen]
    stated = options.latency_s[chosen]
    joined = (batch >= 2) & (stated <= own * (1.0 + WHOLE))
    filled = np.where((batch >= 2) & ~joined, 2.0, 1.0) * own
    after = np.where(np.isnan(stated) | joined, 0.0, np.maximum(0.0, stated - filled))
    # Who joins a batch stays for all of an execution, whatever a stated latency says of its parts.
    latency = np.where(joined, np.maximum(of.row_latency_s, own), of.row_latency_s)
    energy = work * options.energy_j[chosen]
    order, back = _topological(instance, plan, of.route)
    edges, delay = of.transfers.edges, of.transfers.edge_delay_s
    before = np.bincount(back[edges.dst_row], minlength=len(order)).astype(np.int64)
    into = back[edges.dst_row] - plan.ptr[edges.route]
    out_ptr, out_row, out_delay = _by_row(back[edges.src_row], into, delay, len(order))
    position = np.arange(len(plan.task)) - plan.ptr[of.route]
    station = np.array(
        [
            fleet.station(int(d), int(plan.route_job[k]), int(u))
            for d, k, u in zip(of.device, of.route, plan.unit, strict=True)
        ],
        dtype=np.int64,
    )
    transfers = of.transfers
    count = len(plan.route_job)
    transfer_j = np.bincount(transfers.route, transfers.energy_j, count).astype(np.float64)
    at = np.full(count, -1, dtype=np.int64)
    at[transfers.route[::-1]] = of.device[transfers.src_row[::-1]]
    return RouteTable(
        tuple(keys),
        plan.route_job,
        plan.ptr,
        plan.task[order],
        chosen[order],
        station[order],
        position[order],
        time[order],
        latency[order],
        after[order],
        np.where(joined, 1, batch)[order],
        np.where(joined, 1.0 / batch, 1.0)[order],
        np.where(joined, energy / batch, energy)[order],
        before,
        out_ptr,
        out_row,
        out_delay,
        transfer_j,
        at,
        of.longest_s(latency),
    )


def routes_of_plan(plan: SteadyPlan) -> tuple[list[RouteKey], list[float]]:
    """Return the routes of a plan with a rate above 0, and their rates."""
    keys, rates = [], []
    for k in np.flatnonzero(plan.rate_per_s > 0):
        rows = slice(int(plan.ptr[k]), int(plan.ptr[k + 1]))
        parts = zip(
            plan.task[rows].tolist(),
            plan.option[rows].tolist(),
            plan.unit[rows].tolist(),
            strict=True,
        )
        keys.append((int(plan.route_job[k]), tuple(parts)))
        rates.append(float(plan.rate_per_s[k]))
    return keys, rates


def every_route(instance: Instance, fleet: Fleet, plan: SteadyPlan) -> list[RouteKey]:
    """Return the routes that a dispatcher may choose: all of a job with few, else the usual ones.

    Routes whose latency without waiting exceeds the limit are left out; so are those to devices of
    which no unit is had, and to units that do not hold the weights that they need, where the plan
    names units.
    """
    known, _ = routes_of_plan(plan)
    named = bool((plan.unit >= 0).any())
    if named:
        found = [*known, *_units_that_hold(instance, known)]
    else:
        found = [*known, *_all_routes(instance)]
    table = route_table(instance, fleet, found)
    limit = instance.jobs.latency_slo_s[table.job]
    fine = table.service_s <= limit * (1.0 + WHOLE)
    manned = np.isin(np.arange(len(fleet.station_device)), fleet.unit_station)
    nobody = (table.station < 0) | ~manned[table.station]
    lost = np.zeros(len(table), dtype=bool)
    np.logical_or.at(lost, np.repeat(np.arange(len(table)), np.diff(table.ptr)), nobody)
    kept = [key for key, a, b in zip(table.keys, fine, lost, strict=True) if (a and not b)]
    return kept or known


def _all_routes(instance: Instance) -> Iterator[RouteKey]:
    network = Network(instance)
    reachable = _reachable(instance, network)
    ptr, tasks = instance.job_tasks
    device = instance.options.device
    for job in range(len(instance.jobs)):
        mine = tasks[ptr[job] : ptr[job + 1]].tolist()
        choices = [instance.task_options(t).tolist() for t in mine]
        count = float(np.prod([float(len(c)) for c in choices]))
        if count > MOST_ROUTES:
            # One device each: of every task the fastest option and the one of least energy.
            combined: list[tuple[int, ...]] = []
            for d in range(len(instance.devices)):
                own = [[o for o in c if device[o] == d] for c in choices]
                if all(own):
                    columns = (instance.options.time_s, instance.options.energy_j)
                    combined += [tuple(min(c, key=f.__getitem__) for c in own) for f in columns]
        else:
            combined = list(product(*choices))
        for chosen in combined:
            if _allowed(instance, mine, chosen, reachable):
                yield job, tuple((t, o, -1) for t, o in zip(mine, chosen, strict=True))


def _units_that_hold(instance: Instance, known: Sequence[RouteKey]) -> Iterator[RouteKey]:
    """Yield routes of jobs with one task over units that hold what their options need.

    A unit keeps the configuration that it has in the plan.
    """
    options = instance.options
    holds: set[tuple[int, int, int]] = set()
    has: dict[tuple[int, int], str] = {}
    for _, rows in known:
        for _, option, unit in rows:
            device = int(options.device[option])
            holds.add((device, unit, int(options.weights_key[option])))
            if options.configuration[option]:
                has[device, unit] = str(options.configuration[option])
    ptr, tasks = instance.job_tasks
    for job in range(len(instance.jobs)):
        if ptr[job + 1] - ptr[job] != 1:
            continue
        task = int(tasks[ptr[job]])
        pinned = int(instance.tasks.pin_unit[task])
        for option in instance.task_options(task).tolist():
            for device, unit, key in sorted(holds):
                fits = device == options.device[option] and key == options.weights_key[option]
                loaded = str(options.configuration[option]) in ("", has.get((device, unit)))
                if fits and loaded and pinned in (-1, unit):
                    yield job, ((task, option, unit),)


def _allowed(
    instance: Instance, tasks: list[int], chosen: tuple[int, ...], reachable: np.ndarray
) -> bool:
    device = dict(zip(tasks, instance.options.device[list(chosen)].tolist(), strict=True))
    for group in instance.together:
        if len({device[t] for t in group.tolist() if t in device}) > 1:
            return False
    for group in instance.apart:
        mine = [device[t] for t in group.tolist() if t in device]
        if len(set(mine)) < len(mine):
            return False
    edges = instance.edges
    for task in tasks:
        begin, end = instance.successors[0][task : task + 2]
        for edge in instance.successors[1][begin:end].tolist():
            other = int(edges.dst[edge])
            if edges.tensor[edge] >= 0 and not reachable[device[task], device[other]]:
                return False
    return True


def _reachable(instance: Instance, network: Network) -> np.ndarray:
    wide = len(instance.devices)
    found = np.eye(wide, dtype=bool)
    if not len(instance.tensors):
        return np.ones((wide, wide), dtype=bool)
    src, dst = np.divmod(np.arange(wide * wide), wide)
    apart = (src != dst) & ~network.free(src, dst)
    ptr, link = network.paths(src[apart], dst[apart], np.ones(int(apart.sum())))
    found[src[~apart], dst[~apart]] = True
    some = link[ptr[:-1]] >= 0 if len(link) else np.zeros(0, dtype=bool)
    found[src[apart], dst[apart]] = some
    if instance.tensors.staged.any():
        host = instance.host
        found |= found[:, [host]] & found[[host], :]
    return found


def _as_plan(instance: Instance, keys: Sequence[RouteKey]) -> SteadyPlan:
    if not keys:
        raise InputError("No route serves any job of the instance.")
    rows = [row for _, parts in keys for row in parts]
    task, option, unit = np.array(rows, dtype=np.int64).reshape(-1, 3).T.copy()
    size = [len(parts) for _, parts in keys]
    none = np.zeros(len(instance.devices), dtype=np.int64)
    return SteadyPlan(
        np.array([job for job, _ in keys], dtype=np.int64),
        np.ones(len(keys)),
        ptr_of(size),
        task,
        option,
        unit,
        none,
        none,
    )


def _topological(instance: Instance, plan: SteadyPlan, route: Ints) -> tuple[Ints, Ints]:
    """Return the rows of each route in topological order, and where each row went."""
    _, level = topological_order(len(instance.tasks), instance.edges.src, instance.edges.dst)
    order = np.lexsort((plan.task, level[plan.task], route)).astype(np.int64)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return order, back


def _by_row(row: Ints, other: Ints, delay: Floats, count: int) -> tuple[Ints, Ints, Floats]:
    order = np.argsort(row, kind="stable")
    ptr = ptr_of(np.bincount(row, minlength=count))
    return ptr, other[order].astype(np.int64), delay[order]


def _units_per_job(instance: Instance, plan: SteadyPlan, device: int) -> Ints:
    """Return how many units of an exclusive device serve each job: what its load needs."""
    of = SteadyQuantities(instance, plan)
    rows = of.device == device
    job = plan.route_job[of.route[rows]]
    load = np.bincount(job, (of.row_rate_per_s * of.row_busy_s)[rows], len(instance.jobs))
    return np.asarray(np.ceil(load / of.unit_capacity[device] - WHOLE), dtype=np.int64)
