r"""The cheapest routes of one graph job at given prices: labels over its tasks in order.

A label is a choice of options for the tasks so far, with its cost at the prices, the places of
tasks that others still wait for, and, where the job has a latency limit, their ends. A task is
placed for all labels and all of its options at once, in arrays. Of labels that look the same to
the tasks to come, one is dropped where another costs no more and ends no later in anything that is
waited for: on a chain this is the shortest path with a resource (Desrochers & Soumis, INFOR
26:191, 1988), on other graphs a dynamic program over the tasks that are open at once.

Where more labels are open than ``LABELS``, the cheapest are kept, and what was left out still
counts: its cost so far plus the least of all later tasks is part of the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Floats, Groups, Instance, Ints
from hetopt.instance.paths import Network
from hetopt.steady.model.capacity import memory_limited
from hetopt.steady.routes.labels import Found, Labels, merged, pareto_by_look
from hetopt.steady.routes.measure_prices import Prices
from hetopt.steady.routes.route import LATENCY_SLACK, accuracy_counts
from hetopt.steady.routes.route_columns import Measures
from hetopt.steady.routes.route_search_tables import Legs, Step, room_of, step_of
from hetopt.steady.routes.transfers import Leg, leg

LABELS = 1_500
"""Labels kept after a task: some milliseconds a task."""


NARROW = 40
"""Labels of a quick search, which compares costs and the last ends alone."""

CANDIDATES = 6
"""Labels compared with one another, in multiples of those kept: the cheapest come first."""


@dataclass(frozen=True, slots=True)
class _Costs:
    """Costs at some prices: of the options of each task, which of them count, and of transfers."""

    own: list[Floats]
    allowed: list[Ints]
    moves: dict[int, tuple[Floats, ...]]


class RouteSearch:
    """Finds cheapest routes of one job, again and again at other prices.

    Parameters
    ----------
    fit
        Whether to leave out what needs more memory than a unit has.
    """

    def __init__(self, instance: Instance, job: int, *, fit: bool = True) -> None:
        self.instance, self.job = instance, job
        self.measures = Measures.of(instance)
        self.network = Network(instance)
        ptr, tasks = instance.job_tasks
        own = [int(t) for t in tasks[ptr[job] : ptr[job + 1]]]
        inside = set(own)
        self.order = [int(t) for t in instance.topological_order if int(t) in inside]
        self.position = {task: p for p, task in enumerate(self.order)}
        self.own = [self.position[t] for t in own]
        slo = float(instance.jobs.latency_slo_s[job])
        self.timed = bool(np.isfinite(slo))
        self.slo_s = slo * (1 + LATENCY_SLACK)
        self.limited = memory_limited(instance) & fit
        self.steps = [step_of(instance, self.measures, task, self.limited) for task in self.order]
        self.bits = self._bits()
        self.together = self._groups(instance.together)
        self.apart = self._groups(instance.apart)
        self.last_use = self._last_uses()
        self.legs = self._legs()
        self.tail_s = self._tails()

    def cheapest(
        self, prices: Prices, most: int, below: float = np.inf, width: int = LABELS
    ) -> Found:
        """Return up to ``most`` of the cheapest routes that cost less than ``below``.

        Where there is none, ``least`` says no more than that all cost at least as much. After each
        task ``width`` labels are kept; with 0 nothing is searched, and ``least`` is the sum of the
        least costs of the tasks.
        """
        weight = float(prices.accuracy[self.job])
        if not weight or not accuracy_counts(self.instance, self.job):
            return self._search(prices, most, -np.inf, below, width)
        # The accuracy of a route is its least: one search for each value that it may have.
        stated = np.concatenate([step.accuracy for step in self.steps])
        found = Found([], np.empty(0), np.inf)
        for floor in np.unique(stated[np.isfinite(stated)]).tolist():
            part = self._search(prices, most, floor, below - weight * floor, width)
            found = merged(found, part, weight * floor, most)
        return found

    def _search(self, prices: Prices, most: int, floor: float, below: float, width: int) -> Found:
        """Search among the options of at least some accuracy."""
        factor = float(prices.factor[self.job])
        own = [
            factor * (prices.energy * step.energy_j + step.use @ prices.measures)
            for step in self.steps
        ]
        allowed = [np.flatnonzero(~(step.accuracy < floor)) for step in self.steps]
        if any(not len(rows) for rows in allowed):
            return Found([], np.empty(0), np.inf)
        if not width:
            least = sum(float(c[rows].min()) for c, rows in zip(own, allowed, strict=True))
            return Found([], np.empty(0), least, cut=True)
        moves = {
            tensor: tuple(legs.cost(prices, factor) for legs in kinds)
            for tensor, kinds in self.legs.items()
        }
        return self._grow(_Costs(own, allowed, moves), most, width, below)

    def _grow(self, costs: _Costs, most: int, width: int, ceiling: float) -> Found:
        """Place task after task, keeping ``width`` labels."""
        rest = [float(own[rows].min()) for own, rows in zip(costs.own, costs.allowed, strict=True)]
        later = np.concatenate([np.cumsum(rest[::-1])[::-1][1:], [0.0]])
        labels = Labels(np.zeros(1))
        history: list[tuple[Ints, Ints]] = []
        dropped, cut = np.inf, False
        for p, step in enumerate(self.steps):
            labels, parent, choice = self._place(labels, p, step, costs)
            kept = np.flatnonzero(labels.cost + float(later[p]) < ceiling)
            if len(kept) < len(labels.cost):
                dropped = min(dropped, ceiling)
            if len(kept) > CANDIDATES * width:
                kept = kept[np.argsort(labels.cost[kept], kind="stable")]
                beyond = float(labels.cost[kept[CANDIDATES * width]])
                dropped, cut = min(dropped, beyond + float(later[p])), True
                kept = np.sort(kept[: CANDIDATES * width])
            labels, parent, choice = labels.rows(kept), parent[kept], choice[kept]
            kept = self._undominated(labels, p, quick=width <= NARROW)
            if len(kept) > width:
                ranked = kept[np.argsort(labels.cost[kept], kind="stable")]
                beyond = float(labels.cost[ranked[width]])
                dropped, cut = min(dropped, beyond + float(later[p])), True
                kept = np.sort(ranked[:width])
            history.append((parent[kept], step.option[choice[kept]]))
            labels = labels.rows(kept)
            if not len(kept):
                if width <= NARROW:
                    return Found([], np.empty(0), float(sum(rest)), cut=True)
                return Found([], np.empty(0), dropped, cut)
        ranked = np.argsort(labels.cost, kind="stable")[:most]
        chosen = [self._backwards(history, int(row)) for row in ranked]
        least = min(float(labels.cost[ranked[0]]), dropped)
        if width <= NARROW:
            least, cut = float(sum(rest)), True
        return Found(chosen, labels.cost[ranked], least, cut)

    def _backwards(self, history: list[tuple[Ints, Ints]], row: int) -> tuple[int, ...]:
        placed = []
        for parent, option in reversed(history):
            placed.append(int(option[row]))
            row = int(parent[row])
        placed.reverse()
        return tuple(placed[p] for p in self.own)

    def _place(
        self,
        labels: Labels,
        p: int,
        step: Step,
        costs: _Costs,
    ) -> tuple[Labels, Ints, Ints]:
        """Place a task by each option in each label; return labels, their parents and options."""
        cost, allowed, moves = costs.own[p], costs.allowed[p], costs.moves
        size = len(labels.cost)
        parent = np.repeat(np.arange(size), len(allowed))
        choice = np.tile(allowed, size)
        fits = np.ones(len(parent), dtype=bool)
        for groups, same in ((self.together, True), (self.apart, False)):
            for group in groups:
                for other in group if p in group else ():
                    if other < p:
                        fits &= (labels.place[other][parent] == step.device[choice]) == same
        parent, choice = parent[fits], choice[fits]
        device = step.device[choice]
        total = labels.cost[parent] + cost[choice]
        ready = np.zeros(len(parent))
        possible = np.ones(len(parent), dtype=bool)
        arrived: dict[int, list[tuple[Any, Floats]]] = {}
        ptr, edges = self.instance.predecessors
        for edge in edges[ptr[step.task] : ptr[step.task + 1]]:
            source = self.position[int(self.instance.edges.src[edge])]
            tensor = int(self.instance.edges.tensor[edge])
            at = labels.finish[source][parent]
            if tensor >= 0:
                home = labels.place[source][parent]
                moved = (home != device) & ~self.network.free(home, device)
                extra, at, news = self._moved(
                    labels, parent, tensor, home, device, moved, at, arrived, moves
                )
                total += extra
                possible &= np.isfinite(at)
                arrived.setdefault(tensor, []).extend(news)
            ready = np.maximum(ready, at)
        finish = ready + step.latency_s[choice]
        if self.timed:
            possible &= finish + self.tail_s[p] <= self.slo_s
        held = self._held(labels, parent, step, choice, possible)
        grown = labels.rows(parent)
        grown.cost = total
        grown.held = held
        for tensor, news in arrived.items():
            for where, times in news:
                grown.arrival[tensor][where] = times
        self._open(grown, p, device, finish)
        index = np.flatnonzero(possible)
        return grown.rows(index), parent[index], choice[index]

    def _moved(
        self,
        labels: Labels,
        parent: Ints,
        tensor: int,
        home: Ints,
        device: Ints,
        moved: Any,
        at: Floats,
        arrived: dict[int, list[tuple[Any, Floats]]],
        moves: dict[int, tuple[Floats, ...]],
    ) -> tuple[Floats, Floats, list[tuple[Any, Floats]]]:
        """Return costs and times of bringing a tensor to a device, and the arrivals to note."""
        table = labels.arrival[tensor][parent]
        for where, times in arrived.get(tensor, []):
            table[where] = times
        rows = np.arange(len(parent))
        there = table[rows, device]
        needed = moved & np.isnan(there)
        cost = np.zeros(len(parent))
        news: list[tuple[Any, Floats]] = []
        kinds, costs = self.legs[tensor], moves[tensor]
        arrival = at
        if self.instance.tensors.staged[tensor]:
            memory, host = len(self.instance.devices), self.instance.host
            written = table[:, memory]
            first = needed & np.isnan(written)
            writes = first & (home != host)
            time = np.where(writes, kinds[0].time_s[home, host], 0.0)
            cost += np.where(writes, costs[0][home, host], 0.0)
            arrival = np.where(first, at + time, written)
            index = np.flatnonzero(first)
            news.append(((index, np.full(len(index), memory)), arrival[index]))
            reads = needed & (device != host)
            time = np.where(reads, kinds[1].time_s[host, device], 0.0)
            cost += np.where(reads, costs[1][host, device], 0.0)
            arrival = arrival + time
        else:
            arrival = at + np.where(needed, kinds[0].time_s[home, device], 0.0)
            cost += np.where(needed, costs[0][home, device], 0.0)
        index = np.flatnonzero(needed)
        news.append(((index, device[index]), arrival[index]))
        arrival = np.where(needed, arrival, np.where(moved, there, at))
        return np.where(np.isfinite(arrival), cost, 0.0), arrival, news

    def _held(
        self, labels: Labels, parent: Ints, step: Step, choice: Ints, possible: Any
    ) -> dict[int, Ints]:
        """Add weights to what units of limited memory hold; what does not fit is not possible."""
        held = {d: column[parent] for d, column in labels.held.items()}
        for d, bits in self.bits.items():
            here = step.device[choice] == d
            if not here.any():
                continue
            mask = held.setdefault(d, np.zeros(len(parent), dtype=np.int64))
            add = np.array([bits.get(int(k), 0) for k in step.key], dtype=np.int64)[choice]
            held[d] = mask = np.where(here, mask | add, mask)
            weights = np.zeros(len(parent))
            for k, bit in bits.items():
                weights += np.where(mask & bit, self._size(k), 0.0)
            working = step.working_b[choice] * float(self.instance.devices.slots[d])
            possible &= ~here | (weights + working <= room_of(self.instance, d))
        return held

    def _open(self, labels: Labels, p: int, device: Ints, finish: Floats) -> None:
        """Keep of a label what later tasks can see."""
        labels.place[p] = device
        labels.finish[p] = finish
        watched = {q for g in (*self.together, *self.apart) if max(g) > p for q in g}
        for q in list(labels.place):
            if self.last_use[q] <= p:
                labels.finish.pop(q, None)
                if q not in watched:
                    del labels.place[q]
        for tensor in self.legs:
            producer = self.position[int(self.instance.tensors.producer[tensor])]
            if producer == p:
                wide = len(self.instance.devices) + 1
                labels.arrival[tensor] = np.full((len(device), wide), np.nan)
            elif self.last_use[producer] <= p:
                labels.arrival.pop(tensor, None)

    def _undominated(self, labels: Labels, p: int, *, quick: bool) -> Ints:
        """Return the labels that no other of the same look beats or equals, ascending.

        A quick search compares the end of the last task for all that is waited for.
        """
        size = len(labels.cost)
        if not size:
            return np.empty(0, dtype=np.int64)
        look = np.zeros(size, dtype=np.int64)
        columns = [*labels.place.values(), *labels.held.values()]
        for table in labels.arrival.values():
            columns += list((~np.isnan(table)).T.astype(np.int64))
        for column in columns:
            if column.min() != column.max():
                _, look = np.unique(look * (column.max() + 1) + column, return_inverse=True)
        if not self.timed:
            order = np.lexsort((np.arange(size), labels.cost, look))
            first = np.ones(size, dtype=bool)
            first[1:] = look[order][1:] != look[order][:-1]
            return np.sort(order[first])
        if quick:
            return pareto_by_look(
                look, labels.cost, [labels.finish[p]] if p in labels.finish else []
            )
        times = [*labels.finish.values()]
        for table in labels.arrival.values():
            times += [np.nan_to_num(column) for column in table.T if not np.isnan(column).all()]
        return pareto_by_look(look, labels.cost, times)

    def _size(self, key: int) -> float:
        found: dict[int, float] = self.__dict__.setdefault("_sizes", {})
        if not found:
            for step in self.steps:
                found.update(zip(step.key.tolist(), step.weights_b.tolist(), strict=True))
        return found[key]

    def _bits(self) -> dict[int, dict[int, int]]:
        """Return a bit for each weights key on each device that may not hold all of them."""
        keys: dict[int, dict[int, float]] = {}
        working: dict[int, float] = {}
        for step in self.steps:
            for d, k, b, w in zip(
                step.device.tolist(),
                step.key.tolist(),
                step.weights_b.tolist(),
                step.working_b.tolist(),
                strict=True,
            ):
                if self.limited[d]:
                    working[d] = max(working.get(d, 0.0), w)
                    if k >= 0:
                        keys.setdefault(d, {})[k] = b
        slots = self.instance.devices.slots
        return {
            d: {k: 1 << i for i, k in enumerate(sorted(held)[:62])}
            for d, held in sorted(keys.items())
            if sum(held.values()) + float(slots[d]) * working[d] > room_of(self.instance, d)
        }

    def _groups(self, groups: Groups) -> list[list[int]]:
        inside = [[self.position[int(t)] for t in g if int(t) in self.position] for g in groups]
        return [g for g in inside if len(g) > 1]

    def _last_uses(self) -> list[int]:
        ptr, edges = self.instance.successors
        return [
            max(
                (
                    self.position[int(self.instance.edges.dst[e])]
                    for e in edges[ptr[t] : ptr[t + 1]]
                ),
                default=-1,
            )
            for t in self.order
        ]

    def _legs(self) -> dict[int, tuple[Legs, ...]]:
        """Return the transfers of each of the job's tensors: direct, or to the host and from it."""
        instance = self.instance
        found: dict[int, tuple[Legs, ...]] = {}
        ptr, edges = instance.successors
        for p, task in enumerate(self.order):
            sources = sorted(set(self.steps[p].device.tolist()))
            for edge in edges[ptr[task] : ptr[task + 1]].tolist():
                tensor = int(instance.edges.tensor[edge])
                if tensor < 0 or tensor in found:
                    continue
                readers = [
                    int(instance.edges.dst[e])
                    for e in edges[ptr[task] : ptr[task + 1]].tolist()
                    if int(instance.edges.tensor[e]) == tensor
                ]
                places = [self.steps[self.position[r]].device.tolist() for r in readers]
                targets = sorted({d for devices in places for d in devices})
                found[tensor] = self._legs_of(tensor, sources, targets)
        return found

    def _legs_of(self, tensor: int, sources: list[int], targets: list[int]) -> tuple[Legs, ...]:
        instance, network, host = self.instance, self.network, self.instance.host

        def between(a: int, b: int, ends: tuple[int, ...]) -> Leg | None:
            return leg(instance, network, tensor, a, b, ends=ends)

        if instance.tensors.staged[tensor]:
            writes = {(a, host): between(a, host, (a,)) for a in sources if a != host}
            reads = {(host, b): between(host, b, (b,)) for b in targets if b != host}
            return Legs(instance, self.measures, writes), Legs(instance, self.measures, reads)
        direct = {(a, b): between(a, b, (a, b)) for a in sources for b in targets if a != b}
        return (Legs(instance, self.measures, direct),)

    def _tails(self) -> Floats:
        """Return the least time from the end of each task to the end of the job."""
        tail = np.zeros(len(self.order))
        ptr, edges = self.instance.successors
        for p in range(len(self.order) - 1, -1, -1):
            for edge in edges[ptr[self.order[p]] : ptr[self.order[p] + 1]].tolist():
                q = self.position[int(self.instance.edges.dst[edge])]
                quickest = float(self.steps[q].latency_s.min(initial=np.inf))
                tail[p] = max(tail[p], quickest + tail[q])
        return tail
