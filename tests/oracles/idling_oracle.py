"""Optimum of a tiny schedule with sleep and start-ups: every option, unit and start on a grid.

Written from the columns and the definitions of docs/quantities.md alone. What happens in each tick
is added up; what idles is counted once for each pattern of ticks in which it is taken.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.instance import Instance
from tests.oracles.paths import exact
from tests.oracles.schedule_oracle import TooHardError

MOST_PLANS = 400_000
DIGITS = 9


def idling_optimum(instance: Instance, tick: Fraction) -> tuple[float, ...] | None:
    """Return the lexicographic optimum of the objectives, None where there is no plan."""
    oracle = Oracle(instance, tick)
    best: tuple[float, ...] | None = None
    for values in oracle.values():
        if best is None or _rounded(values) < _rounded(best):
            best = values
    return best


def _rounded(values: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(float(f"{v:.{DIGITS}g}") for v in values)


class Oracle:
    """One instance in ticks; watts times ticks are what energies are counted in."""

    def __init__(self, instance: Instance, tick: Fraction) -> None:
        self.instance, self.tick = instance, tick
        devices, limits = instance.devices, instance.limits
        self.cycle = 0 if math.isinf(limits.cycle_s) else self.ticks(limits.cycle_s)
        self.horizon = self.limit(limits.horizon_s)
        self.n = len(instance.tasks)
        self.cap = limits.power_cap_w * (1 + 1e-9)
        self.series = {
            "cost": limits.energy_price_over_time,
            "carbon": limits.carbon_over_time,
        }
        self.flat = {"cost": limits.energy_price_per_j, "carbon": limits.carbon_kg_per_j}
        self.kinds = self.idlers()
        self.homes = [
            [self.homes_of(d, u) for u in range(int(devices.count_max[d]))]
            for d in range(len(devices))
        ]
        self.kept: dict[Any, Any] = {}
        self.plans = 0

    def idlers(self) -> list[dict[str, float]]:
        """Kinds of what idles, with times in ticks."""
        devices, boards = self.instance.devices, self.instance.boards
        found = [self.idler(devices, d) for d in range(len(devices))]
        for b in range(len(boards)):
            found.append(self.idler(boards, b))
            carries = [d for d in range(len(devices)) if devices.on_board[d] == b]
            if any(not devices.off_when_unused[d] and devices.count_min[d] for d in carries):
                found[-1] |= {"offable": False, "ready": 0, "start_j": 0.0, "start_cost": 0.0}
        return found

    def idler(self, table: Any, row: int) -> dict[str, float]:
        sleep = float(table.sleep_power_w[row])
        offable = bool(table.off_when_unused[row])
        on = offable and not self.cycle
        return {
            "idle": float(table.idle_power_w[row]),
            "sleep": float(table.idle_power_w[row]) if math.isnan(sleep) else sleep,
            "wake": self.ticks(table.wake_time_s[row]),
            "wake_j": float(table.wake_energy_j[row]),
            "ready": self.ticks(table.start_up_time_s[row]) if on else 0,
            "start_j": float(table.start_up_energy_j[row]) if on else 0.0,
            "start_cost": float(table.start_up_cost[row]) if on else 0.0,
            "offable": offable,
            "least": int(table.count_min[row]),
            "price": float(table.price_per_s[row]),
        }

    def homes_of(self, device: int, unit: int) -> list[tuple[int, int]]:
        """What is taken where a unit is: kind and number."""
        devices, boards = self.instance.devices, self.instance.boards
        board = int(devices.on_board[device])
        if board < 0:
            return [(device, unit)]
        each = int(devices.count_max[device]) // int(boards.count_max[board])
        return [(device, unit), (len(devices) + board, unit // each)]

    def ticks(self, seconds: float) -> int:
        value = exact(float(seconds)) / self.tick
        assert value.denominator == 1
        return int(value)

    def limit(self, seconds: float) -> int:
        return 10**6 if math.isinf(seconds) else math.floor(exact(float(seconds)) / self.tick)

    def values(self) -> Iterator[tuple[float, ...]]:
        """Objectives of every plan on the grid that keeps all limits."""
        inst = self.instance
        choices = []
        for t in range(self.n):
            r = int(inst.tasks.profile[t])
            rows = range(int(inst.profiles.ptr[r]), int(inst.profiles.ptr[r + 1]))
            choices.append(
                [
                    (o, int(inst.options.device[o]), u)
                    for o in rows
                    for u in range(int(inst.devices.count_max[inst.options.device[o]]))
                ]
            )
        for combination in itertools.product(*choices):
            yield from self.placed(combination)

    def placed(self, chosen: tuple[tuple[int, int, int], ...]) -> Iterator[tuple[float, ...]]:
        """Objectives of the plans with these options and units."""
        inst = self.instance
        place = [(d, u) for _, d, u in chosen]
        length = [
            self.ticks(inst.tasks.work[t] * inst.options.time_s[chosen[t][0]])
            for t in range(self.n)
        ]
        hops: list[tuple[int, int, int, int]] = []  # producer, consumer, ticks, link
        waits: list[list[int]] = [[] for _ in range(self.n)]
        for a, b, tensor in zip(
            inst.edges.src.tolist(),
            inst.edges.dst.tolist(),
            inst.edges.tensor.tolist(),
            strict=True,
        ):
            if tensor >= 0 and place[a] != place[b]:
                pair = (place[a][0], place[b][0])
                links = [
                    k
                    for k in range(len(inst.links))
                    if (int(inst.links.src[k]), int(inst.links.dst[k])) == pair
                ]
                if not links:
                    return
                hops.append((a, b, self.ticks(inst.links.latency_s[links[0]]), links[0]))
            else:
                waits[b].append(a)
        items = [("task", t) for t in range(self.n)]
        for k, (a, b, _, _) in enumerate(hops):
            at = items.index(("task", b))
            items.insert(at, ("hop", k))
            assert items.index(("task", a)) < at
        used = {home for p in place for home in self.homes[p[0]][p[1]]}
        yield from self.search(chosen, place, length, hops, waits, items, used)

    def search(self, chosen, place, length, hops, waits, items, used) -> Iterator[Any]:
        inst = self.instance
        start = [0] * self.n
        begun = [0] * len(hops)
        slots = inst.devices.slots.tolist()
        taken: dict[tuple[int, int], list[tuple[int, int]]] = {}

        def free(p: tuple[int, int], at: int, long: int) -> bool:
            here = [*taken.get(p, []), (at, at + long)]
            if not self.cycle:
                return all(
                    sum(a <= t < b for a, b in here) <= slots[p[0]] for t in range(at, at + long)
                )
            return max(self.on_circle(here), default=0) <= slots[p[0]]

        def ready(p: tuple[int, int]) -> int:
            return max(int(self.kinds[k]["ready"]) for k, _ in self.homes[p[0]][p[1]])

        def go(i: int) -> Iterator[Any]:
            if i == len(items):
                self.plans += 1
                if self.plans > MOST_PLANS:
                    raise TooHardError
                found = self.judge(chosen, place, length, hops, start, begun, taken, used)
                if found is not None:
                    yield found
                return
            kind, at = items[i]
            if kind == "task":
                job = int(inst.tasks.job[at])
                low = max(self.ticks(inst.jobs.release_s[job]), ready(place[at]))
                low = max([low, *(start[a] + length[a] for a in waits[at])])
                low = max([low, *(begun[k] + h[2] for k, h in enumerate(hops) if h[1] == at)])
                high = min(self.limit(inst.jobs.deadline_s[job]), self.horizon) - length[at]
                held, long = [place[at]], length[at]
            else:
                a, b, long, _ = hops[at]
                low = start[a] + length[a]
                high = min(self.limit(inst.jobs.deadline_s[int(inst.tasks.job[b])]), self.horizon)
                high -= long + length[b]
                overlap = inst.devices.overlap
                held = [p for p in (place[a], place[b]) if not overlap[p[0]]]
                if not overlap[place[b][0]] and long:
                    low = max(low, ready(place[b]))
                if not held or not long:
                    high = min(high, low)  # it waits for nothing
            for s in range(low, high + 1):
                if long and not all(free(p, s, long) for p in held):
                    continue
                if kind == "task":
                    start[at] = s
                else:
                    begun[at] = s
                for p in held if long else ():
                    taken.setdefault(p, []).append((s, s + long))
                yield from go(i + 1)
                for p in held if long else ():
                    taken[p].pop()

        yield from go(0)

    def on_circle(self, intervals: list[tuple[int, int]]) -> list[int]:
        count = [0] * self.cycle
        for a, b in intervals:
            for t in range(a, b):
                count[t % self.cycle] += 1
        return count

    def judge(self, chosen, place, length, hops, start, begun, taken, used) -> Any:
        """Objectives of a plan, None where it draws more than the cap."""
        inst = self.instance
        ends = [s + x for s, x in zip(start, length, strict=True)]
        last = max(ends, default=0)
        window = self.cycle or (self.horizon if self.horizon < 10**6 else last)
        names = inst.objective
        bill = dict.fromkeys(("energy", "cost", "carbon"), 0.0)
        power = [0.0] * max(window, 1)
        for t in range(self.n):
            o = chosen[t][0]
            joules = float(inst.tasks.work[t] * inst.options.energy_j[o])
            self.add(bill, joules, start[t], ends[t])
            if length[t]:
                watts = float(inst.options.energy_j[o] / inst.options.time_s[o])
                for at in range(start[t], ends[t]):
                    power[at % self.cycle if self.cycle else at] += watts
        for k, (_, _, long, link) in enumerate(hops):
            joules = float(inst.links.energy_j_per_b[link])
            self.add(bill, joules, begun[k], begun[k] + long)
        by_home: dict[tuple[int, int], list[tuple[int, int]]] = {home: [] for home in used}
        taken = {p: list(intervals) for p, intervals in taken.items()}
        for p, begin, end, joules in self.setups(chosen, place, start):
            ready = max(int(self.kinds[k]["ready"]) for k, _ in self.homes[p[0]][p[1]])
            if begin < (ready if end > begin else 0):
                return None
            here = taken.setdefault(p, [])
            if any(begin < b and a < end for a, b in here):
                return None
            here.append((begin, end))
            self.add(bill, joules, begin, end)
            for at in range(begin, end):
                power[at] += joules / ((end - begin) * float(self.tick))
        for p, intervals in taken.items():
            for home in self.homes[p[0]][p[1]]:
                by_home[home] += intervals
        for k, kind in enumerate(self.kinds):
            mine = [home for home in by_home if home[0] == k]
            had = max(int(kind["least"]), len(mine))
            bill["cost"] += kind["price"] * had * window * float(self.tick)
            for home in mine:
                mask = frozenset(
                    t % self.cycle if self.cycle else t
                    for a, b in by_home[home]
                    for t in range(a, b)
                )
                self.take(bill, power, self.draw(k, mask, window))
                bill["cost"] += kind["start_cost"]
            if not kind["offable"]:
                for _ in range(had - len(mine)):
                    self.take(bill, power, self.draw(k, None, window))
        # In a window of no time what is on idles.
        peak = (
            max(power)
            if window
            else sum(
                kind["idle"] * len([home for home in by_home if home[0] == k])
                if kind["offable"]
                else kind["idle"] * max(int(kind["least"]), len([h for h in by_home if h[0] == k]))
                for k, kind in enumerate(self.kinds)
            )
        )
        if peak > self.cap:
            return None
        late = []
        for j in range(len(inst.jobs)):
            own = [ends[t] for t in range(self.n) if int(inst.tasks.job[t]) == j]
            due = float(inst.jobs.due_s[j])
            late.append(
                0.0 if math.isinf(due) else max(0, max(own) - self.ticks(due)) * float(self.tick)
            )
        latency = [
            ends[t] - self.ticks(inst.jobs.release_s[int(inst.tasks.job[t])]) for t in range(self.n)
        ]
        found = bill | {
            "makespan": float((max(latency) if self.cycle else last) * self.tick),
            "peak_power": peak,
            "tardiness": float((inst.jobs.weight * np.array(late)).sum()),
        }
        return tuple(found[name] for name in names)

    def setups(self, chosen, place, start) -> Iterator[tuple[Any, int, int, float]]:
        """Unit, begin, end and joules of the set-up before each task that needs one."""
        inst = self.instance
        loaded: dict[Any, str] = {}
        for t in sorted(range(self.n), key=lambda t: start[t]):
            wanted, p = str(inst.options.configuration[chosen[t][0]]), place[t]
            if not wanted:
                continue
            before = loaded.get(p, str(inst.devices.initial_configuration[p[0]]))
            loaded[p] = wanted
            if before in ("", wanted):
                continue
            long = self.ticks(inst.devices.setup_time_s[p[0]])
            joules = float(inst.devices.setup_energy_j[p[0]])
            if long or joules:
                yield p, start[t] - long, start[t], joules

    def take(self, bill: dict[str, float], power: list[float], drawn: Any) -> None:
        paid, watts = drawn
        for name, value in paid.items():
            bill[name] += value
        for t, w in watts:
            power[t] += w

    def add(self, bill: dict[str, float], joules: float, begin: int, end: int) -> None:
        """Add energy that is spread evenly over ticks, or drawn at an instant."""
        bill["energy"] += joules
        for name in ("cost", "carbon"):
            series, pue = self.series[name], float(self.instance.limits.pue)
            if series is None:
                bill[name] += joules * self.flat[name] * pue
                continue
            marks = [self.ticks(t) for t in series.from_s]

            def price(t: float, marks=marks, series=series) -> float:
                return series.value[max(k for k, m in enumerate(marks) if m <= t)]

            if end > begin:
                mean = sum(price(t) for t in range(begin, end)) / (end - begin)
            else:
                mean = min(price(begin), price(max(begin - 0.5, 0)))
            bill[name] += joules * mean * pue

    def draw(self, k: int, mask: frozenset[int] | None, window: int) -> Any:
        """What one that is on draws: its bill, and watts by tick.

        ``mask`` are the ticks in which it is taken; None where it runs nothing at all.
        """
        key = (k, mask, window)
        if key in self.kept:
            return self.kept[key]
        kind, tick = self.kinds[k], float(self.tick)
        bill = dict.fromkeys(("energy", "cost", "carbon"), 0.0)
        watts = [kind["idle"]] * window
        ready = int(kind["ready"]) if mask is not None else 0
        pieces: list[tuple[float, int, int]] = [(kind["idle"] * window * tick, 0, window)]
        if mask is not None and kind["start_j"]:
            pieces.append((kind["start_j"], 0, ready))
            for t in range(min(ready, window)):
                watts[t] += kind["start_j"] / (ready * tick)
        for a, b, wakes in self.gaps(mask or frozenset(), ready, window):
            long = b - a
            saved = (kind["idle"] - kind["sleep"]) * long * tick
            wake_j = kind["wake_j"] if wakes else 0.0
            if wakes and long < kind["wake"]:
                continue
            if saved - wake_j <= 1e-9 * kind["idle"] * long * tick:
                continue
            pieces.append((-saved, a, b))
            for t in range(a, b):
                watts[t % window] -= kind["idle"] - kind["sleep"]
            if wake_j:
                wake = int(kind["wake"])
                pieces.append((wake_j, b - wake, b))
                for t in range(b - wake, b):
                    watts[t % window] += wake_j / (wake * tick)
        for joules, a, b in pieces:
            self.add(bill, joules, a, b)
        self.kept[key] = bill, list(enumerate(watts))
        return self.kept[key]

    def gaps(self, mask: frozenset[int], ready: int, window: int) -> list[tuple[int, int, bool]]:
        if self.cycle:
            if not mask:
                return [(0, window, False)]
            found = []
            for t in sorted(mask):
                long = 1
                while (t + long) % window not in mask:
                    long += 1
                if long > 1:
                    found.append((t + 1, t + long, True))
            return found
        found, reached = [], ready
        for t in sorted(mask):
            if t > reached:
                found.append((reached, t, True))
            reached = max(reached, t + 1)
        if window > reached:
            found.append((reached, window, False))
        return found
