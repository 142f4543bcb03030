"""The integer program of schedules that a textbook gives: an order variable for each pair of tasks.

    x[i,p,m] run task i at place p in mode m;  s[i] ≥ 0 start;  C makespan
    y[i,j] ∈ {0, 1}   i before j, for pairs that may meet on a place, and have no order by edges
    minimise    C,  or  Σ energy x + Σ idle w
    subject to  Σ x[i,·] = 1,  s[i] + Σ p x[i] ≤ C and ≤ deadline
                s[j] ≥ s[i] + Σ p x[i] − M (3 − y[i,j] − X[i,p] − X[j,p]) for each place p, and
                the other way round
                s[j] ≥ s[i] + Σ p x[i] + delay (X[i,p] + X[j,q] − 1) for each edge, p ≠ q
                Σ a x ≤ B for each budget;  w[p] ≥ window − M (1 − used[p])

Memory and power have no time here: a unit holds at once whatever it ever holds, and all units run
their hungriest task at once. Plans are valid so, and bounds mean nothing, so none is given.
Manne (1960) has the order variables.
"""

from __future__ import annotations

import numpy as np
import pulp

from bench.answers import UnsupportedError
from bench.peers.shop import Shop
from hetopt.instance import Instance
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import NEVER, option_power

MOST_ROWS = 400_000
"""Rows that are worth building; more take minutes and gigabytes."""

SPAN = 1000.0
"""Units of time within which a best plan lies."""

Term = tuple[pulp.LpVariable, float]


class Disjunctive:
    """The program, and which variable says what.

    Attributes
    ----------
    problem
        The program; the objective is in units of time, or in joules.
    chosen
        Names of the variables of each task, as `Shop.choices` lists its ways.
    start
        Names of the variables of starts, in units of time.
    unit
        Ticks of a unit of time: with starts of millions of ticks, a solver's tolerance on order
        variables is as long as a task.
    exact
        Whether a bound of it is one of the instance.
    """

    def __init__(self, plain: Shop, objective: str) -> None:
        self.plain = plain
        self.problem = pulp.LpProblem("schedule", pulp.LpMinimize)
        self.x = [
            [self._binary(f"x_{t}_{k}") for k in range(len(row))]
            for t, row in enumerate(plain.choices)
        ]
        self.s = [self.problem.add_variable(f"s_{t}", 0) for t in range(plain.problem.n_tasks)]
        self.longest = self.problem.add_variable("C", 0)
        self.chosen = [[v.name for v in row] for row in self.x]
        self.start = [v.name for v in self.s]
        self.exact = plain.exact
        self.unit = max(1.0, self._horizon() / SPAN)
        self._reach = self._horizon() / self.unit
        self._tasks()
        self._orders(self._edges())
        self._budgets()
        used = self._used()
        self._memory(plain.problem.instance)
        self._power(plain.problem.instance, used)
        self._aim(objective, used)

    def _binary(self, name: str) -> pulp.LpVariable:
        return self.problem.add_variable(name, 0, 1, "Integer")

    def _row(self, terms: list[Term], least: float) -> None:
        """Add Σ terms ≥ least; a variable may stand in several."""
        total: dict[pulp.LpVariable, float] = {}
        for variable, factor in terms:
            total[variable] = total.get(variable, 0.0) + factor
        self.problem.addConstraint(pulp.LpAffineExpression(total) >= least)

    def _horizon(self) -> float:
        """Ticks within which a best plan lies: all in a row, or by the last deadline."""
        plain = self.plain
        longest = sum(max(m.duration for _, m in row) for row in plain.choices)
        sent = sum(
            max(
                (
                    plain.delay(tensor, p, q) or 0
                    for p in range(len(plain.places))
                    for q in range(len(plain.places))
                ),
                default=0,
            )
            for _, _, tensor in plain.problem.edges
        )
        last = max((d for d in plain.problem.deadline), default=NEVER)
        return float(min(max(plain.problem.release, default=0) + longest + sent, last))

    def _length(self, task: int, sign: float = 1.0) -> list[Term]:
        ways = zip(self.x[task], self.plain.choices[task], strict=True)
        return [(v, sign * m.duration / self.unit) for v, (_, m) in ways if m.duration]

    def _at(self, task: int, place: int, factor: float) -> list[Term]:
        ways = zip(self.x[task], self.plain.choices[task], strict=True)
        return [(v, factor) for v, (p, _) in ways if p == place]

    def _tasks(self) -> None:
        problem = self.plain.problem
        for t, row in enumerate(self.x):
            self.problem.addConstraint(pulp.LpAffineExpression([(v, 1) for v in row]) == 1)
            if problem.release[t]:
                self._row([(self.s[t], 1.0)], problem.release[t] / self.unit)
            ends = [(self.s[t], -1.0), *self._length(t, -1.0)]
            self._row([(self.longest, 1.0), *ends], 0.0)
            if problem.deadline[t] < NEVER:
                self._row(ends, -problem.deadline[t] / self.unit)

    def _edges(self) -> list[set[int]]:
        """Add the edges; return what follows each task."""
        plain, rows = self.plain, 0
        after: list[set[int]] = [set() for _ in self.s]
        for a, b, tensor in sorted(plain.problem.edges):
            after[a].add(b)
            gap = [(self.s[b], 1.0), (self.s[a], -1.0), *self._length(a, -1.0)]
            self._row(gap, 0.0)
            for p in sorted({place for place, _ in plain.choices[a]}):
                for q in sorted({place for place, _ in plain.choices[b]}):
                    delay = plain.delay(tensor, p, q)
                    if delay == 0:
                        continue
                    rows += 1
                    here, there = self._at(a, p, -1.0), self._at(b, q, -1.0)
                    if delay is None:
                        self._row([*here, *there], -1.0)
                    else:
                        late = delay / self.unit
                        apart = [(v, c * late) for v, c in (*here, *there)]
                        self._row([*gap, *apart], -late)
            if rows > MOST_ROWS:
                raise UnsupportedError(f"The program would have over {MOST_ROWS:,} rows.")
        return _closure(after)

    def _orders(self, after: list[set[int]]) -> None:
        plain, big, rows = self.plain, self._reach, 0
        where = [{place for place, _ in row} for row in plain.choices]
        for i in range(len(self.s)):
            for j in range(i + 1, len(self.s)):
                shared = sorted(where[i] & where[j])
                if not shared or j in after[i] or i in after[j]:
                    continue
                rows += 2 * len(shared)
                if rows > MOST_ROWS:
                    raise UnsupportedError(f"The program would have over {MOST_ROWS:,} rows.")
                first = self._binary(f"y_{i}_{j}")
                for place in shared:
                    both = [*self._at(i, place, -big), *self._at(j, place, -big)]
                    one = [(self.s[j], 1.0), (self.s[i], -1.0), *self._length(i, -1.0)]
                    two = [(self.s[i], 1.0), (self.s[j], -1.0), *self._length(j, -1.0)]
                    self._row([*one, *both, (first, -big)], -3.0 * big)
                    self._row([*two, *both, (first, big)], -2.0 * big)

    def _budgets(self) -> None:
        for stock in self.plain.budgets:
            spent = [
                (v, -float(stock.amount[m.option]))
                for row, ways in zip(self.x, self.plain.choices, strict=True)
                for v, (_, m) in zip(row, ways, strict=True)
                if m.option in stock.amount
            ]
            self._row(spent, -float(stock.limit))

    def _used(self) -> list[pulp.LpVariable]:
        used = [self._binary(f"u_{p}") for p in range(len(self.plain.places))]
        for row, ways in zip(self.x, self.plain.choices, strict=True):
            for v, (place, _) in zip(row, ways, strict=True):
                self._row([(used[place], 1.0), (v, -1.0)], 0.0)
        return used

    def _memory(self, instance: Instance) -> None:
        plain, options = self.plain, instance.options
        reads: dict[int, set[int]] = {}
        for _, b, tensor in plain.problem.edges:
            if tensor >= 0:
                reads.setdefault(b, set()).add(tensor)
        for place, (device, _) in enumerate(plain.places):
            limit = float(instance.devices.memory_b[device])
            if not np.isfinite(limit):
                continue
            self.exact = False
            keys: dict[int, tuple[pulp.LpVariable, float]] = {}
            held: list[Term] = []
            for task, (row, ways) in enumerate(zip(self.x, plain.choices, strict=True)):
                read = sum(plain.problem.bytes_b[tensor] for tensor in reads.get(task, ()))
                made = np.flatnonzero(instance.tensors.producer == task).tolist()
                read += sum(plain.problem.bytes_b[tensor] for tensor in made)
                for v, (at, mode) in zip(row, ways, strict=True):
                    if at != place:
                        continue
                    held.append((v, -(read + float(options.memory_b[mode.option])) / limit))
                    key = int(options.weights_key[mode.option])
                    if key < 0:
                        continue
                    if key not in keys:
                        size = float(options.weights_b[mode.option])
                        keys[key] = (self._binary(f"k_{place}_{key}"), -size / limit)
                    self._row([(keys[key][0], 1.0), (v, -1.0)], 0.0)
            if held:
                self._row([*held, *keys.values()], -1.0)

    def _power(self, instance: Instance, used: list[pulp.LpVariable]) -> None:
        cap = float(instance.limits.power_cap_w)
        if not np.isfinite(cap):
            return
        self.exact = False
        drawn: list[Term] = []
        for place, (device, _) in enumerate(self.plain.places):
            idle = float(instance.devices.idle_power_w[device])
            if bool(instance.devices.off_when_unused[device]):
                drawn.append((used[place], -idle / cap))
            else:
                cap -= idle
            most = self.problem.add_variable(f"h_{place}", 0)
            drawn.append((most, -1.0 / cap))
            for row, ways in zip(self.x, self.plain.choices, strict=True):
                for v, (at, mode) in zip(row, ways, strict=True):
                    if at == place:
                        watts = float(option_power(instance, mode.option))
                        self._row([(most, 1.0), (v, -watts)], 0.0)
        self._row(drawn, -1.0)

    def _aim(self, objective: str, used: list[pulp.LpVariable]) -> None:
        if objective == "makespan":
            self.problem.setObjective(pulp.LpAffineExpression([(self.longest, 1.0)]))
            return
        problem, big = self.plain.problem, self._reach
        instance, tick = problem.instance, problem.grid.tick
        terms: list[Term] = [
            (v, float(problem.energy(task, m.option)))
            for task, (row, ways) in enumerate(zip(self.x, self.plain.choices, strict=True))
            for v, (_, m) in zip(row, ways, strict=True)
        ]
        fixed = problem.horizon / self.unit if problem.horizon < NEVER else None
        for place, (device, _) in enumerate(self.plain.places):
            watts = exact(float(instance.devices.idle_power_w[device])) * tick
            if watts:
                joules = float(watts) * self.unit
                terms.append(self._idle(place, joules, fixed, big, used, device))
        terms += self._messages()
        self.problem.setObjective(pulp.LpAffineExpression(terms))

    def _messages(self) -> list[Term]:
        """Return a variable for each message that takes energy, and its joules."""
        plain, found = self.plain, []
        if not bool((plain.problem.instance.links.energy_j_per_b > 0).any()):
            return []
        for tensor, consumers in plain.readers().items():
            producer = plain.problem.producer[tensor]
            for source in sorted({p for p, _ in plain.choices[producer]}):
                for place in sorted({q for c in consumers for q, _ in plain.choices[c]}):
                    joules = float(plain.sent_energy(tensor, source, place))
                    if not joules:
                        continue
                    sent = self.problem.add_variable(f"e_{tensor}_{source}_{place}", 0, 1)
                    for consumer in consumers:
                        both = [*self._at(producer, source, -1), *self._at(consumer, place, -1)]
                        self._row([(sent, 1.0), *both], -1.0)
                    found.append((sent, joules))
                    if len(found) > MOST_ROWS:
                        raise UnsupportedError(f"The program would have over {MOST_ROWS:,} rows.")
        return found

    def _idle(
        self,
        place: int,
        joules: float,
        fixed: float | None,
        big: float,
        used: list[pulp.LpVariable],
        device: int,
    ) -> Term:
        span = self.problem.add_variable(f"w_{place}", 0)
        off = bool(self.plain.problem.instance.devices.off_when_unused[device])
        window: list[Term] = [] if fixed is not None else [(self.longest, -1.0)]
        least = 0.0 if fixed is None else fixed
        most = big if fixed is None else fixed
        if off:
            self._row([(span, 1.0), *window, (used[place], -most)], least - most)
        else:
            self._row([(span, 1.0), *window], least)
        return span, joules


def _closure(after: list[set[int]]) -> list[set[int]]:
    """Return all that follow each task, by way of others too."""
    whole: list[set[int]] = [set() for _ in after]
    order: list[int] = []
    waits = [0] * len(after)
    for row in after:
        for b in row:
            waits[b] += 1
    ready = [t for t, n in enumerate(waits) if not n]
    while ready:
        task = ready.pop()
        order.append(task)
        for b in after[task]:
            waits[b] -= 1
            if not waits[b]:
                ready.append(b)
    for task in reversed(order):
        for b in after[task]:
            whole[task] |= {b} | whole[b]
    return whole
