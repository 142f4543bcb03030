"""Optimum of a tiny schedule instance by enumeration of options, units and integer starts.

Written from the instance's columns and the definitions of docs/quantities.md alone. All durations,
releases, deadlines and due dates must be multiples of one tick. Then starts may be taken as
multiples too: rounding every start of a plan down keeps order, and what is active in the tick from
t on is what was active just before t + 1, so every limit still holds and no end is later.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance
from tests.oracles.paths import Paths, exact
from tests.oracles.places import allowed_at, joule
from tests.oracles.timing import TOLERANCE, less, search

NODES = 3_000_000
MOST_PLACEMENTS = 60_000
NO_LIMIT = 10**9


class TooHardError(Exception):
    """The instance needs more enumeration than is sensible."""


@dataclass
class Item:
    """A task or a hop: its duration in ticks and what it waits for."""

    length: int
    after: list[int] = field(default_factory=list)
    job: int = -1
    low: int = 0
    high: int = NO_LIMIT
    joules: Fraction = Fraction(0)
    glued: int = -1


@dataclass
class Placement:
    """One choice of option and unit for every task, ready for the search over starts."""

    items: list[Item]
    occupations: list[tuple[int, list[int], int, float]]
    capacity: list[float]
    power: int
    const: list[float]
    per_makespan: list[float]
    per_tardiness: list[float]
    per_peak: list[float]
    horizon: int
    lower: list[float]
    priced: np.ndarray
    windowed: np.ndarray


def schedule_optimum(instance: Instance, tick: Fraction = Fraction(1)) -> tuple[float, ...] | None:
    """Return the lexicographic optimum of the instance's objectives, None where infeasible."""
    oracle = _Oracle(instance, tick)
    placements = list(itertools.islice(oracle.placements(), MOST_PLACEMENTS + 1))
    if len(placements) > MOST_PLACEMENTS:
        raise TooHardError
    placements.sort(key=lambda p: p.lower)
    best = np.full(len(instance.objective), 1e300)
    nodes = 0
    for placement in placements:
        if less(np.array(placement.lower), best):
            nodes += oracle.improve(placement, best, NODES - nodes)
    if best[0] >= 1e299:
        return None
    sign = [-1.0 if name == "accuracy" else 1.0 for name in instance.objective]
    return tuple(s * float(v) for s, v in zip(sign, best, strict=True))


class _Oracle:
    def __init__(self, instance: Instance, tick: Fraction) -> None:
        self.instance = instance
        self.tick = tick
        self.paths = Paths(instance)
        self.n = len(instance.tasks)
        self.edges = [
            (int(a), int(b), int(t))
            for a, b, t in zip(
                instance.edges.src, instance.edges.dst, instance.edges.tensor, strict=True
            )
        ]
        self.order = _topological(self.n, self.edges)
        limits, jobs = instance.limits, instance.jobs
        self.release = [self.ticks(v) for v in jobs.release_s]
        self.deadline = [self.ticks_down(v) for v in jobs.deadline_s]
        self.due = np.array([-1 if math.isinf(v) else self.ticks(v) for v in jobs.due_s])
        self.horizon = self.ticks_down(limits.horizon_s)
        self.window = math.isfinite(limits.horizon_s)
        known = {"cost": limits.energy_price_over_time, "carbon": limits.carbon_over_time}
        self.series = {
            name: known[name] for name in instance.objective if known.get(name) is not None
        }
        self.changed = max((self.ticks(s.from_s[-1]) for s in self.series.values()), default=0)

    def prices(self, name: str, last: int) -> np.ndarray:
        """Price of a joule with PUE in each tick up to and with ``last``."""
        series = self.series[name]
        starts = [self.ticks(t) for t in series.from_s]
        values = [max(k for k, begin in enumerate(starts) if begin <= t) for t in range(last + 1)]
        return self.instance.limits.pue * np.array([series.value[k] for k in values])

    def ticks(self, seconds: float) -> int:
        value = exact(seconds) / self.tick
        assert value.denominator == 1, "times of an oracle's instance are multiples of its tick"
        return int(value)

    def ticks_down(self, seconds: float) -> int:
        return NO_LIMIT if math.isinf(seconds) else math.floor(exact(seconds) / self.tick)

    def placements(self) -> Iterator[Placement]:
        """All choices of option and unit that no limit without a clock forbids."""
        inst = self.instance
        choices = []
        for t in range(self.n):
            own = []
            for o in self._options(t):
                d = int(inst.options.device[o])
                units = range(int(inst.devices.count_max[d]))
                own += [(o, d, u) for u in units if inst.tasks.pin_unit[t] in (-1, u)]
            choices.append(own)
        symmetric = [True] * len(inst.devices)
        for d, u in zip(inst.tasks.pin_device, inst.tasks.pin_unit, strict=True):
            if u >= 0:
                symmetric[d] = False
        for combination in itertools.product(*choices):
            if self._canonical(combination, symmetric) and self._groups_hold(combination):
                for orders in self._orders(combination):
                    placement = self._place(combination, orders)
                    if placement is not None:
                        yield placement

    def _orders(self, combination) -> Iterator[list[list[int]]]:
        """Yield every order in which each unit with set-ups may run what needs a configuration."""
        inst = self.instance
        rows: dict[tuple[int, int], list[int]] = {}
        for t, (o, d, u) in enumerate(combination):
            stated = d in inst.setups.device or inst.devices.setup_time_s[d]
            if inst.options.configuration[o] and (stated or inst.devices.setup_energy_j[d]):
                rows.setdefault((d, u), []).append(t)
        yield from (
            [list(order) for order in orders]
            for orders in itertools.product(
                *(itertools.permutations(tasks) for tasks in rows.values())
            )
        )

    def _set_up(self, option, unit, orders, items, occupations, slot, power) -> list:
        """Add the set-ups that the orders need; return (device, joules) of each."""
        inst = self.instance
        spent = []
        for order in orders:
            d = unit[order[0]][0]
            loaded = str(inst.devices.initial_configuration[d])
            for before, t in zip([-1, *order], order, strict=False):
                wanted = str(inst.options.configuration[option[t]])
                time, joules = self._change(d, loaded, wanted)
                if before >= 0:
                    items[t].after.append(before)
                loaded = wanted
                if not time and not joules:
                    continue
                item = Item(int(time / self.tick), [before] if before >= 0 else [], joules=joules)
                assert time % self.tick == 0, "set-ups are multiples of the tick"
                items.append(item)
                new = len(items) - 1
                items[t].after.append(new)
                items[t].glued = new
                occupations.append((new, [new], slot(unit[t]), 1.0))
                if time:
                    occupations.append((new, [new], power, float(joules / time)))
                spent.append((d, joules))
        return spent

    def _change(self, d: int, loaded: str, wanted: str) -> tuple[Fraction, Fraction]:
        """Time and joules of one set-up."""
        inst = self.instance
        if loaded in ("", wanted):
            return Fraction(0), Fraction(0)
        for k in range(len(inst.setups)):
            row = (int(inst.setups.device[k]), inst.setups.source[k], inst.setups.target[k])
            if row == (d, loaded, wanted):
                return exact(inst.setups.time_s[k]), exact(inst.setups.energy_j[k])
        return exact(inst.devices.setup_time_s[d]), exact(inst.devices.setup_energy_j[d])

    def _options(self, t: int) -> list[int]:
        inst = self.instance
        r = int(inst.tasks.profile[t])
        banned = {
            int(d)
            for x, d in zip(inst.tasks.forbid_task, inst.tasks.forbid_device, strict=True)
            if x == t
        }
        pin = int(inst.tasks.pin_device[t])
        return [
            o
            for o in range(int(inst.profiles.ptr[r]), int(inst.profiles.ptr[r + 1]))
            if int(inst.options.device[o]) not in banned
            and allowed_at(inst, t, int(inst.options.device[o]))
            and pin in (-1, int(inst.options.device[o]))
        ]

    def _canonical(self, combination, symmetric) -> bool:
        fresh: dict[int, int] = {}
        for _, d, u in combination:
            if symmetric[d] and u > fresh.get(d, 0):
                return False
            fresh[d] = max(fresh.get(d, 0), u + 1)
        return True

    def _groups_hold(self, combination) -> bool:
        units = [(d, u) for _, d, u in combination]
        for group in self.instance.together:
            if len({units[t] for t in group}) > 1:
                return False
        return all(len({units[t] for t in g}) == len(g) for g in self.instance.apart)

    def _place(self, combination, orders) -> Placement | None:
        inst = self.instance
        options, devices = inst.options, inst.devices
        option = [c[0] for c in combination]
        unit = [(c[1], c[2]) for c in combination]
        work = [exact(w) for w in inst.tasks.work]
        accuracy = self._accuracy(option)
        if accuracy is None:
            return None
        for k, budget in enumerate(inst.resources.budget.tolist()):
            spent = sum(
                (exact(a) for o in option for r, a in _uses(inst, o) if r == k), Fraction(0)
            )
            if float(spent) > budget * (1 + TOLERANCE):
                return None
        items: list[Item] = []
        for t in range(self.n):
            j = int(inst.tasks.job[t])
            time = work[t] * exact(options.time_s[option[t]]) / self.tick
            assert time.denominator == 1, "times of an oracle's instance are multiples of its tick"
            joules = work[t] * exact(options.energy_j[option[t]])
            items.append(Item(int(time), [], j, self.release[j], self.deadline[j], joules))

        capacity: list[float] = []
        occupations: list[tuple[int, list[int], int, float]] = []
        resource: dict[tuple, int] = {}

        def needs(key: tuple, limit: float) -> int:
            if key not in resource:
                resource[key] = len(capacity)
                capacity.append(limit)
            return resource[key]

        def slot(u: tuple[int, int]) -> int:
            return needs(("slot", u), float(devices.slots[u[0]]))

        held: list[tuple[int, list[int], tuple[int, int], float]] = []
        for t in range(self.n):
            occupations.append((t, [t], slot(unit[t]), 1.0))
            held.append((t, [t], unit[t], float(options.memory_b[option[t]])))
        sent = self._messages(unit, items, occupations, held, needs, slot)
        if sent is None:
            return None
        for a, b, tensor in self.edges:
            if tensor < 0:
                items[b].after.append(a)
        if not self._memory(option, unit, held, occupations, needs):
            return None

        used = [len({u for u in unit if u[0] == d}) for d in range(len(devices))]
        had = [max(int(devices.count_min[d]), used[d]) for d in range(len(devices))]
        on = [used[d] if devices.off_when_unused[d] else had[d] for d in range(len(devices))]
        idle = float(sum(exact(devices.idle_power_w[d]) * on[d] for d in range(len(devices))))
        rent = float(sum(exact(devices.price_per_s[d]) * had[d] for d in range(len(devices))))
        power = needs(("power",), inst.limits.power_cap_w * (1 + TOLERANCE) - idle)
        if idle > inst.limits.power_cap_w * (1 + TOLERANCE):
            return None
        strongest = 0.0
        for t in range(self.n):
            for k, amount in _uses(inst, option[t]):
                capacity_k = needs(
                    ("resource", k), float(inst.resources.capacity[k]) * (1 + TOLERANCE)
                )
                if items[t].length and math.isfinite(capacity[capacity_k]):
                    occupations.append((t, [t], capacity_k, amount))
            if items[t].length:
                watts = float(exact(options.energy_j[option[t]]) / exact(options.time_s[option[t]]))
                strongest = max(strongest, watts)
                occupations.append((t, [t], power, watts))
        setups = self._set_up(option, unit, orders, items, occupations, slot, power)
        if setups:
            watts = [a for first, _, r, a in occupations if r == power and first >= self.n]
            strongest = max([strongest, *watts])
        drawn = [(u[0], work[t] * exact(options.energy_j[option[t]])) for t, u in enumerate(unit)]
        still = [(d, exact(devices.idle_power_w[d]) * on[d]) for d in range(len(devices))]
        active, idle_paid = (self._bill(parts) for parts in (drawn + sent + setups, still))
        return self._finish(
            items, occupations, capacity, power, active, idle_paid, rent, accuracy, strongest
        )

    def _bill(self, parts: list[tuple[int, Fraction]]) -> dict[str, float]:
        """Energy, cost and carbon of (device, joules), or of powers per second."""
        inst = self.instance
        bill = {"energy": float(sum(j for _, j in parts))}
        for name in ("cost", "carbon"):
            bill[name] = float(sum(j * joule(inst, d, name) for d, j in parts))
        return bill

    def _accuracy(self, option) -> float | None:
        """Weighted mean accuracy, None where a job's is below its minimum."""
        inst = self.instance
        total, weights = 0.0, 0.0
        for j in range(len(inst.jobs)):
            tasks = [t for t in range(self.n) if inst.tasks.job[t] == j]
            stated = [float(inst.options.accuracy[option[t]]) for t in tasks]
            stated = [a for a in stated if not math.isnan(a)]
            if not stated:
                continue
            if min(stated) < inst.jobs.min_accuracy[j] - TOLERANCE:
                return None
            total += inst.jobs.weight[j] * min(stated)
            weights += inst.jobs.weight[j]
        return total / weights if weights else 0.0

    def _messages(self, unit, items, occupations, held, needs, slot):
        """Add hops, what waits for them and what they hold; return (sender, joules) of each."""
        inst, paths = self.instance, self.paths
        sent: list[tuple[int, Fraction]] = []
        n_tensors = len(inst.tensors)
        readers: list[list[int]] = [[] for _ in range(n_tensors)]
        for _, b, tensor in self.edges:
            if tensor >= 0:
                readers[tensor].append(b)

        def leg(src: int, dst: int, size: Fraction, after: int, ends) -> list[int] | None:
            """Append the hops of one transfer; ``ends``: units that may lose a slot at each end."""
            path = paths.find(src, dst, size)
            if path is None:
                return None
            made = []
            for link in path:
                time = paths.time(link, size) / self.tick
                assert time.denominator == 1, "hop times are multiples of the tick"
                joules = paths.energy(link, size)
                items.append(Item(int(time), [after], -1, 0, NO_LIMIT, joules))
                after = len(items) - 1
                made.append(after)
                sent.append((int(inst.links.src[link]), joules))
                group = int(inst.links.channel_group[link])
                if group >= 0:
                    channels = needs(("channel", group), float(inst.links.group_channels[group]))
                    occupations.append((after, [after], channels, 1.0))
            for place, at in zip(ends, (made[:1], made[-1:]), strict=True):
                if place is not None and at and not inst.devices.overlap[place[0]]:
                    occupations.append((at[0], [at[0]], slot(place), 1.0))
            return made

        for tensor in range(n_tensors):
            p = int(inst.tensors.producer[tensor])
            home, size = unit[p], exact(inst.tensors.bytes_b[tensor])
            until = [p]
            near = [
                c
                for c in readers[tensor]
                if unit[c] == home or paths.zero_copy(home[0], unit[c][0])
            ]
            far = [c for c in readers[tensor] if c not in near]
            for c in near:
                items[c].after.append(p)
                until.append(c)
            targets = sorted({unit[c] for c in far})
            staged = bool(inst.tensors.staged[tensor]) and far
            source, at_host = p, False
            if staged:
                # What lies in one zero-copy pool with host memory is in reach of the host as it is.
                at_host = self._near_host(home[0])
                if not at_host:
                    write = leg(home[0], inst.host, size, p, (home, None))
                    if write is None:
                        return None
                    until.append(write[0])
                    source = write[-1]
            for target in targets:
                own = [c for c in far if unit[c] == target]
                if staged and self._near_host(target[0]):
                    for c in own:
                        items[c].after.append(source)
                    continue
                if staged:
                    hops = leg(inst.host, target[0], size, source, (None, target))
                else:
                    hops = leg(home[0], target[0], size, p, (home, target))
                if hops is None:
                    return None
                if not staged or at_host:
                    until.append(hops[0])
                for c in own:
                    items[c].after.append(hops[-1])
                held.append((hops[0], own, target, float(size)))
            held.append((p, until, home, float(size)))
        return sent

    def _near_host(self, device: int) -> bool:
        host = self.instance.host
        return device == host or self.paths.zero_copy(device, host)

    def _memory(self, option, unit, held, occupations, needs) -> bool:
        """Turn what is held into occupations of memories; False where weights alone burst one."""
        inst = self.instance
        devices = inst.devices
        limits: dict[tuple, float] = {}
        weights: dict[tuple, dict[int, float]] = {}
        for t in range(self.n):
            key = int(inst.options.weights_key[option[t]])
            if key >= 0:
                size = float(inst.options.weights_b[option[t]])
                weights.setdefault(unit[t], {})[key] = size
        for d in range(len(devices)):
            for u in range(int(devices.count_max[d])):
                limits["unit", (d, u)] = float(devices.memory_b[d])
        for p in range(len(inst.pools)):
            limits["pool", p] = float(inst.pools.memory_b[p])

        def places(u: tuple[int, int]) -> list[tuple]:
            pool = int(devices.pool[u[0]])
            return [("unit", u), *([("pool", pool)] if pool >= 0 else [])]

        base = dict.fromkeys(limits, 0.0)
        for u, sizes in weights.items():
            for place in places(u):
                base[place] += sum(sizes.values())
        for place, limit in limits.items():
            if base[place] > limit * (1 + TOLERANCE):
                return False
        for first, until, u, amount in held:
            for place in places(u):
                if amount and math.isfinite(limits[place]):
                    r = needs(place, limits[place] * (1 + TOLERANCE) - base[place])
                    occupations.append((first, until, r, amount))
        return True

    def _finish(
        self, items, occupations, capacity, power, active, idle, rent, accuracy, strongest
    ) -> Placement | None:
        """Number items in topological order, set windows and the objective's coefficients."""
        inst = self.instance
        limits = inst.limits
        links = [(b, i) for i, item in enumerate(items) for b in item.after]
        order = _topological(len(items), [(a, b, -1) for a, b in links])
        if len(order) < len(items):
            return None  # tasks wait for each other in an order that set-ups were tried in
        place = {item: k for k, item in enumerate(order)}
        ordered = [items[i] for i in order]
        for item in ordered:
            item.after = [place[b] for b in item.after]
            item.glued = place[item.glued] if item.glued >= 0 else -1
        occupations = [
            (place[first], [place[i] for i in until], r, amount)
            for first, until, r, amount in occupations
        ]
        serial = max(self.release) + sum(i.length for i in ordered)
        last = min(self.horizon, serial + self.changed)
        for item in ordered:
            item.high = min(item.high, last)
            for b in item.after:
                item.low = max(item.low, ordered[b].low + ordered[b].length)
        for item in ordered:
            if item.glued >= 0:
                setup = ordered[item.glued]
                setup.low = max(setup.low, item.low - setup.length)
        for item in reversed(ordered):
            item.high -= item.length
            for b in item.after:
                ordered[b].high = min(ordered[b].high, item.high)
        if any(item.high < item.low for item in ordered):
            return None
        tick = float(self.tick)
        window = float(limits.horizon_s) if self.window else 0.0
        per_tick = 0.0 if self.window else tick
        terms = {
            name: (active[name] + idle[name] * window, idle[name] * per_tick, 0.0, 0.0)
            for name in ("energy", "cost", "carbon")
        }
        const, each, _, _ = terms["cost"]
        terms |= {
            "makespan": (0.0, tick, 0.0, 0.0),
            "cost": (const + rent * window, each + rent * per_tick, 0.0, 0.0),
            "tardiness": (0.0, 0.0, tick, 0.0),
            "peak_power": (idle["energy"], 0.0, 0.0, 1.0),
            "accuracy": (-accuracy, 0.0, 0.0, 0.0),
        }
        const, per_makespan, per_tardiness, per_peak = (
            list(column) for column in zip(*(terms[n] for n in inst.objective), strict=True)
        )
        makespan = max(i.low + i.length for i in ordered)
        priced = np.zeros((len(inst.objective), len(ordered), last + 1))
        windowed = np.zeros((len(inst.objective), last + 1))
        for k, name in enumerate(inst.objective):
            if name not in self.series:
                continue
            prices = self.prices(name, last)
            const[k] = rent * window if name == "cost" else 0.0
            per_makespan[k] = rent * per_tick if name == "cost" else 0.0
            if self.window:
                const[k] += (
                    idle["energy"] * tick * sum(self.prices(name, self.horizon)[: self.horizon])
                )
            else:
                windowed[k, 1:] = idle["energy"] * tick * np.cumsum(prices[:-1])
            for i, item in enumerate(ordered):
                for s in range(item.low, item.high + 1):
                    # An instant at a change pays the lower price.
                    around = prices[max(s - 1, 0) : s + 1]
                    mean = prices[s : s + item.length].mean() if item.length else around.min()
                    priced[k, i, s] = float(item.joules) * mean
        lower = [
            c + m * makespan + p * strongest + windowed[k, makespan]
            for k, (c, m, p) in enumerate(zip(const, per_makespan, per_peak, strict=True))
        ]
        for i, item in enumerate(ordered):
            for k in range(len(lower)):
                lower[k] += priced[k, i, item.low : item.high + 1].min()
        return Placement(
            ordered,
            occupations,
            capacity,
            power,
            const,
            per_makespan,
            per_tardiness,
            per_peak,
            last,
            lower,
            priced,
            windowed,
        )

    def improve(self, placement: Placement, best: np.ndarray, nodes: int) -> int:
        """Search the starts of one placement; ``best`` is improved in place."""
        items = placement.items
        n = len(items)
        before = np.zeros((n, n), dtype=bool)
        tail = np.zeros(n, dtype=np.int64)
        for i in range(n - 1, -1, -1):
            for b in items[i].after:
                before[i, b] = True
                tail[b] = max(tail[b], items[i].length + tail[i])
        members = np.zeros((len(placement.occupations), n), dtype=bool)
        for o, (_, until, _, _) in enumerate(placement.occupations):
            members[o, until] = True
        # What starts at an item that is numbered after some of its members cannot be: a hold
        # starts with the item that all its members wait for.
        visited, _ = search(
            np.array([i.length for i in items]),
            np.array([i.low for i in items]),
            np.array([i.high for i in items]),
            tail,
            before,
            np.array([i.job for i in items]),
            self.due,
            self.instance.jobs.weight,
            np.array([o[0] for o in placement.occupations]),
            members,
            np.array([o[2] for o in placement.occupations]),
            np.array([o[3] for o in placement.occupations]),
            np.array(placement.capacity),
            placement.power,
            np.array(placement.const),
            np.array(placement.per_makespan),
            np.array(placement.per_tardiness),
            np.array(placement.per_peak),
            np.array([i.glued for i in items]),
            placement.priced,
            placement.windowed,
            best,
            nodes,
        )
        if visited < 0:
            raise TooHardError
        return int(visited)


def _uses(instance: Instance, option: int) -> list[tuple[int, float]]:
    uses = instance.uses
    return [
        (int(uses.resource[i]), float(uses.amount[i]))
        for i in range(int(uses.ptr[option]), int(uses.ptr[option + 1]))
    ]


def _topological(n: int, edges: list[tuple[int, int, int]]) -> list[int]:
    waiting = [0] * n
    for _, b, _ in edges:
        waiting[b] += 1
    order = [i for i in range(n) if not waiting[i]]
    for a in order:
        for x, b, _ in edges:
            if x == a:
                waiting[b] -= 1
                if not waiting[b]:
                    order.append(b)
    return order
