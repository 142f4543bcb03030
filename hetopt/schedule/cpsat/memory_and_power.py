"""Memory and power of the CP-SAT model: cumulatives over the time that bytes and watts are held.

Never a reservoir. Per unit with limited memory, and per pool over the units of its
members: weights for the whole window, working memory of running tasks, outputs from their
producer's start until the last consumer on the same unit (or in the same zero-copy pool) and the
first hop of each transfer have ended, copies from the first hop until their last consumer ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep, idlers, may_sleep
from hetopt.schedule.cpsat.idle_sleep_start_up import Rest, awake_stretches, draws_by_gaps
from hetopt.schedule.cpsat.measures import least_makespan
from hetopt.schedule.cpsat.transfers import Sending
from hetopt.schedule.cpsat.variables import Build, Literal, Place
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import option_power
from hetopt.schedule.model.resources import integer_demands
from hetopt.schedule.model.without_slowdown import shares
from hetopt.solution import READ, WRITE

SIZE_TIMES_DEMAND = 1 << 60
"""CP-SAT adds up size × demand of a cumulative in 64 bits."""


@dataclass(frozen=True, slots=True)
class Holding:
    """Bytes held on a place during an interval, where ``literal`` is true."""

    place: Place
    interval: Any
    literal: Literal
    bytes_b: Fraction
    whole_window: bool = False


def limit_memory(build: Build, sendings: list[Sending]) -> None:
    """Add one cumulative per unit with limited memory and one per limited pool."""
    instance = build.problem.instance
    devices, pools = instance.devices, instance.pools
    limited = _limited(instance)
    if not any(limited):
        return
    holdings = [
        *_weights(build, limited),
        *_working(build, limited),
        *_outputs(build, limited, sendings),
        *_copies(build, limited, sendings),
    ]
    for device, capacity in enumerate(devices.memory_b.tolist()):
        if np.isfinite(capacity):
            for unit in range(build.problem.units[device]):
                here = [h for h in holdings if h.place == (device, unit)]
                _cumulative(build, here, exact(capacity))
                _fit_each(build, (device, unit), here, exact(capacity))
    for pool, capacity in enumerate(pools.memory_b.tolist()):
        if np.isfinite(capacity):
            here = [h for h in holdings if devices.pool[h.place[0]] == pool]
            _cumulative(build, here, exact(capacity))


def _limited(instance: Instance) -> list[bool]:
    """Whether anything on a device counts against a memory limit."""
    return [
        bool(np.isfinite(m)) or bool(p >= 0 and np.isfinite(instance.pools.memory_b[p]))
        for m, p in zip(
            instance.devices.memory_b.tolist(), instance.devices.pool.tolist(), strict=True
        )
    ]


def _cumulative(build: Build, holdings: list[Holding], capacity: Fraction) -> None:
    """Σ of what is held at any time <= capacity, and a knapsack row over the weights."""
    if not holdings:
        return
    model = build.model
    summands = len(holdings) * build.copies + 1
    largest = max(1, min(1 << 40, SIZE_TIMES_DEMAND // ((build.reach + 1) * summands)))
    sizes = [h.bytes_b for h in holdings]
    scaled = integer_demands(sizes, capacity, largest, build.problem.grid.direction)
    build.faithful &= scaled.faithful
    rows = list(zip(scaled.demand, holdings, strict=True))
    # What is held for the whole window is so in every copy.
    once = [(size, h.interval) for size, h in rows if h.whole_window]
    again = [(size, h.interval) for size, h in rows if not h.whole_window]
    intervals = [*(i for _, i in once), *build.repeated([i for _, i in again])]
    demands = [*(size for size, _ in once), *[size for size, _ in again] * build.copies]
    model.add_cumulative(intervals, demands, scaled.capacity)
    resident = [
        size * h.literal for size, h in zip(scaled.demand, holdings, strict=True) if h.whole_window
    ]
    if resident:
        model.add(sum(resident) <= scaled.capacity)


def _fit_each(build: Build, place: Place, holdings: list[Holding], capacity: Fraction) -> None:
    """Weights and what one task needs while it runs <= capacity, for each task.

    Its inputs, copies or the producer's own, and its output are there for its whole run. The
    cumulative implies it, but sees it only once all starts are fixed, so that a memory a little
    too small took an enumeration of starts to refute.
    """
    resident = [h for h in holdings if h.whole_window]
    sizes = [h.bytes_b for h in resident]
    needs = [
        (choice.literal, need)
        for task, choices in enumerate(build.choices)
        for choice in choices
        if choice.place == place
        and choice.mode.duration
        and (need := _need(build, task, choice.mode.option, place))
    ]
    if not needs or sum(sizes) + max(need for _, need in needs) <= capacity:
        return
    scaled = integer_demands(
        [*sizes, *(need for _, need in needs)], capacity, 1 << 40, build.problem.grid.direction
    )
    weights: Any = sum(
        size * h.literal for size, h in zip(scaled.demand[: len(sizes)], resident, strict=True)
    )
    for (literal, _), demand in zip(needs, scaled.demand[len(sizes) :], strict=True):
        build.model.add(weights + demand * literal <= scaled.capacity)


def _need(build: Build, task: int, option: int, place: Place) -> Fraction:
    """Bytes beside weights that are on a task's unit at every instant of its run there."""
    problem, instance = build.problem, build.problem.instance
    network = Network(instance)
    need = exact(float(instance.options.memory_b[option]))
    ptr, rows = instance.predecessors
    read = instance.edges.tensor[rows[ptr[task] : ptr[task + 1]]]
    for tensor in np.unique(read[read >= 0]).tolist():
        staged = bool(instance.tensors.staged[tensor])
        homes = sorted(build.on[problem.producer[tensor]])
        # In a zero-copy pool, and at the host, an input is read where it lies.
        near = [*homes, instance.host] if staged else homes
        at_host = staged and place[0] == instance.host
        if not at_host and not any(network.zero_copy(home, place[0]) for home in near):
            need += exact(problem.bytes_b[tensor])
    made = np.flatnonzero(instance.tensors.producer == task).tolist()
    return need + sum((exact(problem.bytes_b[tensor]) for tensor in made), Fraction(0))


def _weights(build: Build, limited: list[bool]) -> list[Holding]:
    """Weights of each key that a unit ever runs, once, for the whole window."""
    options, model = build.problem.instance.options, build.model
    users: dict[tuple[Place, int], list[Any]] = {}
    size: dict[int, Fraction] = {}
    for choices in build.choices:
        for choice in choices:
            key = int(options.weights_key[choice.mode.option])
            if key >= 0 and limited[choice.place[0]]:
                users.setdefault((choice.place, key), []).append(choice.literal)
                size[key] = exact(float(options.weights_b[choice.mode.option]))
    found = []
    for (place, key), literals in users.items():
        if not size[key]:
            continue
        resident = build.bool(f"k{key},{place}")
        for literal in literals:
            model.add_implication(literal, resident)
        # At least one tick, so that a window of length 0 still holds what it runs.
        interval = model.new_optional_fixed_size_interval_var(
            0, max(1, build.reach), resident, f"k{key}"
        )
        found.append(Holding(place, interval, resident, size[key], whole_window=True))
    return found


def _working(build: Build, limited: list[bool]) -> list[Holding]:
    memory = build.problem.instance.options.memory_b
    return [
        Holding(c.place, c.interval, c.literal, exact(float(memory[c.mode.option])))
        for choices in build.choices
        for c in choices
        if limited[c.place[0]] and c.mode.duration and memory[c.mode.option] > 0
    ]


def _outputs(build: Build, limited: list[bool], sendings: list[Sending]) -> list[Holding]:
    """List outputs held; tensors that no sending knows are never in limited memory."""
    problem, model, network = build.problem, build.model, build.problem.network
    found = []
    for sending in sendings:
        size = exact(problem.bytes_b[sending.tensor])
        producer = problem.producer[sending.tensor]
        homes = [place for place in sorted(build.at[producer]) if limited[place[0]]]
        if not size or not homes:
            continue
        until = build.time(f"o{sending.tensor}")
        model.add(until >= build.end[producer])
        for source, target in sending.local:
            for consumer in sorted(set(problem.consumers[sending.tensor])):
                there = build.at[consumer].get(target)
                if there is not None and limited[source[0]]:
                    model.add(until >= build.end[consumer]).only_enforce_if(
                        [build.at[producer][source], there]
                    )
        for (leg, _, _), chain in sending.chains.items():
            if leg != READ:
                model.add(until >= chain.end(0)).only_enforce_if(chain.literal)
                continue
            # Read from the host, it leaves the producer's own memory only where that is in reach.
            for device, there in build.on[producer].items():
                if network.near_host(device):
                    model.add(until >= chain.end(0)).only_enforce_if([chain.literal, there])
        length = build.time(f"ol{sending.tensor}")
        for place in homes:
            here = build.at[producer][place]
            interval = model.new_optional_interval_var(
                build.start[producer], length, until, here, f"o{sending.tensor}"
            )
            found.append(Holding(place, interval, here, size))
    return found


def _copies(build: Build, limited: list[bool], sendings: list[Sending]) -> list[Holding]:
    """List copies held, from the first hop to the end of the last consumer on the unit."""
    problem, model = build.problem, build.model
    found = []
    for sending in sendings:
        size = exact(problem.bytes_b[sending.tensor])
        until: dict[Place, Any] = {}
        for (leg, _, target), chain in sending.chains.items():
            if leg == WRITE or not size or not limited[target[0]]:
                continue
            if target not in until:
                until[target] = build.time(f"c{sending.tensor}")
                for consumer in sorted(set(problem.consumers[sending.tensor])):
                    here = build.at[consumer].get(target)
                    if here is not None:
                        model.add(until[target] >= build.end[consumer]).only_enforce_if(here)
            length = build.time(f"cl{sending.tensor}")
            interval = model.new_optional_interval_var(
                chain.start[0], length, until[target], chain.literal, f"c{sending.tensor}"
            )
            found.append(Holding(target, interval, chain.literal, size))
    return found


def limit_power(build: Build) -> tuple[Any, Fraction] | None:
    """Limit, and where it is an objective measure, the watts drawn at once.

    Returns
    -------
    (variable, watts per unit of it) or None
        The peak, where ``peak_power`` is among the objectives.
    """
    instance = build.problem.instance
    cap = float(instance.limits.power_cap_w)
    wanted = "peak_power" in instance.objective
    if not np.isfinite(cap) and not wanted:
        return None
    by_gaps = draws_by_gaps(build)
    runs, windows, always = _drawn(build, by_gaps=by_gaps)
    # Sleep on a circle may begin a cycle earlier, and what is awake may be so a cycle later.
    more = 1 if build.problem.cycle and by_gaps and build.rests else 0
    drawn = [*runs, *windows]
    ceiling = exact(cap) if np.isfinite(cap) else always + _most(build)
    watts = [w for _, w in drawn]
    summands = len(runs) * (build.copies + more) + len(windows) + 2
    reach = build.reach + more * build.problem.cycle + 1
    largest = max(1, min(1 << 40, SIZE_TIMES_DEMAND // (reach * summands)))
    direction = build.problem.grid.direction
    scaled = integer_demands([*watts, always], ceiling, largest, direction)
    if np.isfinite(cap):
        # A gap in which it just begins to pay to sleep may be one of either here.
        build.faithful &= scaled.faithful and not may_sleep(instance)
    intervals = [*build.repeated([i for i, _ in runs], more), *(i for i, _ in windows)]
    demands = scaled.demand[: len(runs)] * (build.copies + more) + scaled.demand[len(runs) : -1]
    base = scaled.demand[-1]
    peak: Any = scaled.capacity
    if wanted:
        peak = build.model.new_int_var(base, max(base, scaled.capacity), "P")
    build.model.add_cumulative(intervals, demands, peak - base)
    return (peak, scaled.unit) if wanted else None


def power_is_hopeless(build: Build) -> bool:
    """Whether the idle power of what is always on exceeds the cap already."""
    cap = float(build.problem.instance.limits.power_cap_w)
    return bool(np.isfinite(cap)) and _always_w(build) > exact(cap)


def _always_w(build: Build) -> Fraction:
    """Watts of what is on whatever happens, asleep where it may sleep."""
    rows = idlers(build.problem.instance)
    return sum(
        (
            int(rows.count_min[row]) * exact(float(rows.sleep_power_w[row]))
            for row in np.flatnonzero(rows.always_on).tolist()
        ),
        Fraction(0),
    )


def _drawn(
    build: Build, *, by_gaps: bool
) -> tuple[list[tuple[Any, Fraction]], list[tuple[Any, Fraction]], Fraction]:
    """List runs and windows of units on with their watts, and what is on whatever happens.

    Without ``by_gaps`` sleep is relaxed to what draws no more at any instant: a plan is checked as
    it is.
    """
    given = build.problem.instance
    instance = given if by_gaps else as_if_asleep(given)
    rows, slowed = idlers(given), shares(instance)
    watts: dict[int, Fraction] = {}
    drawn: list[tuple[Any, Fraction]] = []
    windows: list[tuple[Any, Fraction]] = []
    for choices in build.choices:
        for choice in choices:
            option = choice.mode.option
            if option not in watts:
                watts[option] = option_power(instance, option)
            # What may be slowed draws less then, as little as one likes.
            if choice.mode.duration and watts[option] and not slowed[option]:
                drawn.append((choice.interval, watts[option]))
    # On a coarse grid a set-up may take no tick, and draws at no instant of it.
    shown = [s for s in build.setups if s.interval is not None]
    drawn.extend((s.interval, s.change.watts) for s in shown if s.change.watts)
    if by_gaps:
        for rest in build.rests:
            stretches, always = _awake(build, rest)
            drawn.extend(stretches)
            windows.extend(always)
    reach = build.reach + (build.problem.cycle if by_gaps else 0)
    for row in range(len(rows)):
        asleep = exact(float(rows.sleep_power_w[row]))
        if not by_gaps:
            # What a board draws is drawn by the units on it.
            asleep = exact(float(instance.devices.idle_power_w[row]))
        surely = int(rows.count_min[row]) if rows.always_on[row] else 0
        for literal in build.counted[row][surely:] if asleep else ():
            window = build.model.new_optional_fixed_size_interval_var(
                0, max(1, reach), literal, f"on{row}"
            )
            windows.append((window, asleep))
        if by_gaps:
            windows.extend(_at_standstill(build, row, surely))
        length, power = _going_on(build, row)
        for literal in build.counted[row] if power else ():
            window = build.model.new_optional_fixed_size_interval_var(
                0, length, literal, f"up{row}"
            )
            windows.append((window, power))
    return drawn, windows, _always_w(build)


def _awake(
    build: Build, rest: Rest
) -> tuple[list[tuple[Any, Fraction]], list[tuple[Any, Fraction]]]:
    """List what one that may sleep draws beyond sleep: while awake, while it wakes; and always."""
    rows, problem = idlers(build.problem.instance), build.problem
    more = exact(float(rows.idle_power_w[rest.row])) - exact(float(rows.sleep_power_w[rest.row]))
    if not more:
        return [], []
    stretches, always = awake_stretches(build, rest)
    found = [(stretch, more) for stretch in stretches]
    time = exact(float(rows.wake_time_s[rest.row]))
    joules = exact(float(rows.wake_energy_j[rest.row]))
    length = problem.grid.ticks(time)
    for nap in rest.naps if joules and length else ():
        waking = build.model.new_optional_fixed_size_interval_var(
            nap.end - length, length, nap.literal, f"wk{rest.row}"
        )
        found.append((waking, joules / time))
    return found, [(whole, more) for whole in always]


def _at_standstill(build: Build, row: int, surely: int) -> list[tuple[Any, Fraction]]:
    """List what those draw beyond sleep that are on in a window of no time: they idle then."""
    problem, model, rows = build.problem, build.model, idlers(build.problem.instance)
    more = exact(float(rows.idle_power_w[row])) - exact(float(rows.sleep_power_w[row]))
    timed = problem.cycle or np.isfinite(problem.instance.limits.horizon_s)
    if not more or timed or least_makespan(build):
        return []
    moves = build.bool("mv")
    ends = []
    for end in build.end:
        ends.append(build.bool("me"))
        model.add(end >= 1).only_enforce_if(ends[-1])
    model.add_bool_or([moves.negated(), *ends])
    found = []
    for k, literal in enumerate(build.counted[row]):
        still = build.bool("st")
        model.add_bool_or([still, moves, *([] if k < surely else [literal.negated()])])
        interval = model.new_optional_fixed_size_interval_var(0, 1, still, "st")
        found.append((interval, more))
    return found


def _going_on(build: Build, row: int) -> tuple[int, Fraction]:
    """Ticks for which one goes on, and its watts above idle meanwhile, or 0."""
    rows = idlers(build.problem.instance)
    time = exact(float(rows.start_up_time_s[row]))
    length = math.floor(time / build.problem.grid.tick)
    energy = exact(float(rows.start_up_energy_j[row]))
    return (length, energy / time) if length and energy else (0, Fraction(0))


def _most(build: Build) -> Fraction:
    """Watts that can never be exceeded: every unit on, every slot at its greatest draw."""
    instance = build.problem.instance
    relaxed, rows = as_if_asleep(instance), idlers(instance)
    total = Fraction(0)
    for row in range(len(rows)):
        time = exact(float(rows.wake_time_s[row]))
        waking = exact(float(rows.wake_energy_j[row])) / time if time else Fraction(0)
        each = exact(float(rows.idle_power_w[row])) + _going_on(build, row)[1]
        total += len(build.counted[row]) * (each + (waking if rows.sleeps[row] else 0))
    for device in range(len(instance.devices)):
        draws: Sequence[Fraction] = [
            max(option_power(instance, c.mode.option), option_power(relaxed, c.mode.option))
            for choices in build.choices
            for c in choices
            if c.place[0] == device
        ]
        # A unit that is set up runs nothing.
        draws = [*draws, *(s.change.watts for s in build.setups if s.place[0] == device)]
        slots = build.problem.slots[device] * len(build.counted[device]) if draws else 0
        total += min(slots, build.problem.n_tasks * build.copies) * max(draws, default=Fraction(0))
    return total
