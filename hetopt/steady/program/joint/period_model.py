r"""Periods: the programs of scenarios that follow each other, tied by what changes between them.

To the program of :mod:`hetopt.steady.program.joint.scenario_model`, with periods s of Δ_s seconds,
the one before s called s⁻ (of the first: the last where they repeat, else what there is initially):

Variables
    v_ds ≥ 0    units of device d that go on as s begins;  o_ds ≥ 0 those that go off
    l_dws ≥ 0   loadings of weights w onto units of d, where loading costs or counts
    g_abs ≥ 0   units that hold the set a before s and b in s, where sets overlap and are few
    x_ks ≥ 0    boards of kind k that go on;  w_ds binary: d needs the most boards of its kind in s
Constraints
    starts      v_ds ≥ u_ds − u_ds⁻;  o_ds ≥ u_ds⁻ − u_ds
    loading     l_dws ≥ H_dws − H_dws⁻,  H_dws = Σ_{k ∋ w} n_ks: units that hold w
    changes     Σ_b g_abs ≤ n_as⁻;  Σ_a g_abs = n_bs, of which g_∅bs ≤ units on before that hold
                nothing, and those that go on;  l_dws ≥ Σ_{a ∌ w, b ∋ w} g_abs
    time on     Σ_q m_qs v_dq ≤ u_ds,  m_qs: how often q began less than min_up before s begins
    number      Σ_d (v_ds + o_ds) + Σ_dw l_dws ≤ max_changes
    boards      x_ks ≥ b_ks − b_ks⁻, where going on takes something; there no more boards are on
                than units ask for: m_d b_ks ≤ u_ds + m_d − 1 + M (1 − w_ds),  Σ_{d on k} w_ds = 1
                (b whole: b ≤ ⌈u / m⌉ of some d; M = m_d max_k. Without a maximum this is left out,
                which relaxes)
    bought      h_ds ≥ h_ds⁻, h_ds ≥ units and spares of s, where units are bought over time; what
                is never off has u_ds = h_ds. h settles at a whole number: it is the largest of some
                (b_ds = h_ds − those there are initially)
    power       Δ_s power_s + E_s ≤ Δ_s cap_s,
                E_s = Σ_d start_d v_ds + Σ_k start_k x_ks + Σ_dw bytes_w load_d l_dws

and E_s, with the money of starts and Σ_ds c_ds (h_ds − h_ds⁻) of what is bought, is part of the
objectives and of the budget. As c_ds falls with s, no larger h than is needed costs less.

Every plan has a point here with its own value: v, o and g as its units change, and l at most what
it loads, as weights that more units hold than before were loaded onto as many at least. So the
program is a relaxation, its bounds hold. It is exact where no two sets of weights of a device
overlap (then as few are loaded as counts ask for), or their changes are variables g.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pulp

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import NO_MAXIMUM, Floats, Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.investment import discount_factors, initially_had, unit_costs
from hetopt.instance.states.stream_boards import boards_under, device_of_board, going_on_j
from hetopt.instance.tables import NO_MOST, follows
from hetopt.solution import Held, PeriodPlan, SteadyPlan
from hetopt.steady.model.capacity import weights_matter
from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.extract_plan import build_whole_plan
from hetopt.steady.program.joint.scenario_model import ScenarioModel
from hetopt.steady.program.rows.boards import most_boards

MOST_CHANGES = 20_000
"""Variables of changes from set to set, of all periods, up to which they are made."""

Keys = frozenset[int]


class PeriodModel(ScenarioModel):
    """The joint program of an instance with periods."""

    def _tie(self) -> None:
        instance = self.instance
        self.duration: Floats = instance.scenarios.weight
        self.before = [follows(instance.periods, s) for s in range(len(self.blocks))]
        self.initial = instance.periods.initial_on(len(instance.devices))
        options = instance.options
        pairs = zip(options.weights_key.tolist(), options.weights_b.tolist(), strict=True)
        self.size = {key: float(size) for key, size in pairs}
        self.starts: dict[tuple[int, int], Any] = {}
        self.stops: dict[tuple[int, int], Any] = {}
        self.loads: dict[tuple[int, int, int], Any] = {}
        self.board_starts: dict[tuple[int, int], Any] = {}
        counted = instance.periods.max_changes != NO_MOST
        for s in range(len(self.blocks)):
            self._switch(s, counted)
            for board in range(len(instance.boards)):
                self._switch_board(s, board)
        for device in np.flatnonzero(weights_matter(instance)).tolist():
            self._load(device)
        self._time_on()
        for s in range(len(self.blocks)):
            self._number(s)
            self._cap(s)

    def beside(self, objective: str) -> Any:
        """Return what starts and loading add to an objective, in SI units."""
        if objective not in ("power", "cost", "carbon"):
            return pulp.LpAffineExpression()
        whole = float(self.duration.sum())
        terms: list[tuple[Any, float]] = []
        for s, block in enumerate(self.blocks):
            price = joule_prices(block.instance, objective)
            terms += [(v, j * float(price[d]) / whole) for v, d, j in self._joules(s)]
        if objective == "cost":
            money = self.instance.devices.start_up_cost
            counts = discount_factors(self.instance.periods, self.duration)
            terms += [(v, float(money[d] * counts[s]) / whole) for (s, d), v in self.starts.items()]
            money = self.instance.boards.start_up_cost
            terms += [(x, float(money[b]) / whole) for (_, b), x in self.board_starts.items()]
        return sum_of(terms) + self._bought(objective)

    def _fleet(self) -> None:
        """Tie the units had of all periods: the same, or more from period to period."""
        if not self.instance.periods.invest:
            super()._fleet()
            return
        periods, devices = self.instance.periods, self.instance.devices
        initial = initially_had(periods, devices)
        self.owned: dict[tuple[int, int], Any] = {}
        for d, first in enumerate(initial.tolist()):
            most = int(devices.count_max[d])
            limit = None if most == NO_MAXIMUM else most - first
            for s, block in enumerate(self.blocks):
                # Counted from what there is initially: what costs nothing is no large constant.
                more = self.owned[s, d] = self._variable(f"b_{s}_{d}", limit)
                if s:
                    self._row(sum_of([(self.owned[s - 1, d], 1.0)]) <= more, f"stays_{s}_{d}")
                spare = [(block.spared[d], int(devices.spare[d]))] if d in block.spared else []
                needed = sum_of([(block.had[d], 1.0)]) - first
                if devices.off_when_unused[d]:
                    self._row(needed <= more, f"owned_{s}_{d}")
                    work = sum_of([(block.work[d], 1.0), *spare]) - first
                    self._row(work <= more, f"needed_{s}_{d}")
                else:
                    self._row(needed == more, f"owned_{s}_{d}")

    def _bought(self, objective: str) -> Any:
        """Return what the units bought cost, over the whole time."""
        if objective != "cost" or not self.instance.periods.invest:
            return pulp.LpAffineExpression()
        devices, periods = self.instance.devices, self.instance.periods
        costs = unit_costs(periods, self.duration, devices) / float(self.duration.sum())
        after = np.vstack([costs[1:], np.zeros(costs.shape[1])])
        return sum_of((more, float(costs[at] - after[at])) for at, more in self.owned.items())

    def _joules(self, period: int) -> list[tuple[Any, int, float]]:
        """Return variables of a period that take energy: each with its device and its joules."""
        devices = self.instance.devices
        start = devices.start_up_energy_j + devices.idle_power_w * devices.start_up_time_s
        found = [(v, d, float(start[d])) for (s, d), v in self.starts.items() if s == period]
        board, at = going_on_j(self.instance), device_of_board(self.instance)
        found += [
            (x, int(at[b]), float(board[b]))
            for (s, b), x in self.board_starts.items()
            if s == period
        ]
        found += [
            (v, d, self.size[key] * float(devices.load_energy_j_per_b[d]))
            for (s, d, key), v in self.loads.items()
            if s == period
        ]
        return [term for term in found if term[2] > 0]

    def _on_before(self, device: int, period: int) -> Any:
        before = self.before[period]
        return int(self.initial[device]) if before < 0 else self.blocks[before].on[device]

    def _switch(self, period: int, counted: bool) -> None:
        """Count the units of each device that go on, and off, as a period begins."""
        for device, on in self.blocks[period].on.items():
            before = self._on_before(device, period)
            most = int(self.instance.devices.count_max[device])
            limit = None if most == NO_MAXIMUM else most
            if not (hasattr(on, "name") or hasattr(before, "name") or on != before):
                continue
            if self.before[period] == period:
                continue
            start = self._variable(f"v_{period}_{device}", limit)
            self.starts[period, device] = start
            self._row(sum_of([(on, 1.0), (before, -1.0)]) <= start, f"starts_{period}_{device}")
            if counted:
                stop = self._variable(f"o_{period}_{device}", limit)
                self.stops[period, device] = stop
                self._row(sum_of([(before, 1.0), (on, -1.0)]) <= stop, f"stops_{period}_{device}")

    def _switch_board(self, period: int, board: int) -> None:
        """Count the boards of a kind that go on as a period begins, where that takes something."""
        boards, before = self.instance.boards, self.before[period]
        free = going_on_j(self.instance)[board] == 0 and boards.start_up_cost[board] == 0
        if free or before == period or not boards.off_when_unused[board]:
            return
        block = self.blocks[period]
        on = block.boards.on[board]
        was: Any = int(boards_under(self.instance, self.initial)[board])
        if before >= 0:
            was = self.blocks[before].boards.on[board]
        start = self._variable(f"x_{period}_{board}", most_boards(self.instance, board))
        self.board_starts[period, board] = start
        row = sum_of([(on, 1.0), (was, -1.0)]) <= start
        self._row(row, f"boardstarts_{period}_{board}")
        if hasattr(on, "name"):
            self._no_needless_boards(period, board, on)

    def _no_needless_boards(self, period: int, board: int, on: Any) -> None:
        """Have no more boards on than the device asks for that asks for most."""
        most = most_boards(self.instance, board)
        mine = np.flatnonzero(self.instance.devices.on_board == board).tolist()
        if most is None or not mine:
            return
        chosen = []
        for device in mine:
            each = int(self.instance.boards.per_board[device])
            asks = self.problem.add_variable(f"w_{period}_{device}", 0, 1, "Integer")
            chosen.append((asks, 1.0))
            units = self.blocks[period].on[device]
            needless = sum_of([(on, each), (units, -1.0), (asks, float(each * most))])
            self._row(needless <= each - 1 + each * most, f"boardneeded_{period}_{device}")
        self._row(sum_of(chosen) == 1, f"boardchosen_{period}_{board}")

    def _load(self, device: int) -> None:
        """Count the weights that units of a device load."""
        kinds = [k for k, kind in enumerate(self.kinds) if kind.device == device]
        sets = [frozenset(self.kinds[k].keys) for k in kinds]
        keys = sorted({key for held in sets for key in held})
        most = int(self.instance.devices.count_max[device])
        for s in range(len(self.blocks)):
            if self.before[s] == s:
                continue
            for key in keys:
                load = self._variable(f"l_{s}_{device}_{key}", None if most == NO_MAXIMUM else most)
                self.loads[s, device, key] = load
                rise = self._holding(s, kinds, key) - self._holding_before(s, device, kinds, key)
                self._row(rise <= load, f"loading_{s}_{device}_{key}")
        overlap = any(a & b for i, a in enumerate(sets) for b in sets[:i] if a and b)
        if overlap and self._changes_of_sets() <= MOST_CHANGES:
            for s in range(len(self.blocks)):
                if self.before[s] != s:
                    self._changes(s, device, kinds, sets)

    def _changes_of_sets(self) -> int:
        """Count the variables of changes from set to set of all devices and periods."""
        sets = np.bincount([kind.device for kind in self.kinds]).astype(np.int64)
        return int((sets * (sets + 1)).sum()) * len(self.blocks)

    def _holding(self, period: int, kinds: list[int], key: int) -> Any:
        count = self.blocks[period].count
        return sum_of((count[k], 1.0) for k in kinds if key in self.kinds[k].keys)

    def _holding_before(self, period: int, device: int, kinds: list[int], key: int) -> Any:
        before = self.before[period]
        if before >= 0:
            return self._holding(before, kinds, key)
        return sum(n for held, n in self._initially(device).items() if key in held)

    def _initially(self, device: int) -> dict[Keys, int]:
        """Return how many units hold which weights before the first period."""
        periods, found = self.instance.periods, dict[Keys, int]()
        for g in np.flatnonzero(periods.initial_device == device).tolist():
            span = slice(int(periods.initial_ptr[g]), int(periods.initial_ptr[g + 1]))
            held = frozenset(periods.initial_key[span].tolist())
            found[held] = found.get(held, 0) + int(periods.initial_units[g])
        return found

    def _changes(self, period: int, device: int, kinds: list[int], sets: list[Keys]) -> None:
        """Say which units change from which set of weights to which."""
        before = self.before[period]
        old: dict[Keys, Any] = {}
        if before < 0:
            old = dict(self._initially(device))
        else:
            for k, held in zip(kinds, sets, strict=True):
                old[held] = old.get(held, 0) + self.blocks[before].count[k]
        old.pop(frozenset(), None)
        new: dict[Keys, Any] = {}
        for k, held in zip(kinds, sets, strict=True):
            new[held] = new.get(held, 0) + self.blocks[period].count[k]
        new.pop(frozenset(), None)
        came: dict[Keys, list[Any]] = {b: [] for b in new}
        loads: dict[int, list[tuple[Any, float]]] = {}
        for i, (a, units) in enumerate([(frozenset[int](), None), *old.items()]):
            went = []
            for j, b in enumerate(new):
                moved = self._variable(f"g_{period}_{device}_{i}_{j}", None)
                went.append((moved, 1.0))
                came[b].append((moved, 1.0))
                for key in b - a:
                    loads.setdefault(key, []).append((moved, 1.0))
            if units is not None:
                self._row(sum_of(went) <= units, f"went_{period}_{device}_{i}")
        for j, (b, units) in enumerate(new.items()):
            self._row(sum_of(came[b]) == units, f"came_{period}_{device}_{j}")
        for key, moved in loads.items():
            self._row(
                sum_of(moved) <= self.loads[period, device, key], f"loaded_{period}_{device}_{key}"
            )

    def _time_on(self) -> None:
        """Keep units that went on for their least time."""
        least = self.instance.periods.min_up_s
        if not least:
            return
        for s, block in enumerate(self.blocks):
            began = began_within(self.duration, self.instance.periods.cyclic, least, s)
            for device, on in block.on.items():
                recent = [
                    (self.starts[q, device], float(often))
                    for q, often in began.items()
                    if (q, device) in self.starts
                ]
                if recent:
                    self._row(sum_of(recent) <= on, f"stay_{s}_{device}")

    def _number(self, period: int) -> None:
        most = self.instance.periods.max_changes
        if most == NO_MOST:
            return
        changes = [
            (v, 1.0)
            for part in (self.starts, self.stops, self.loads)
            for at, v in part.items()
            if at[0] == period
        ]
        if changes:
            self._row(sum_of(changes) <= most, f"changes_{period}")

    def _cap(self, period: int) -> None:
        block = self.blocks[period]
        cap = block.instance.limits.power_cap_w
        spent = self._joules(period)
        if np.isfinite(cap) and spent:
            size = cap or 1.0
            share = 1.0 / (size * float(self.duration[period]))
            power = block.expression("power") * (1.0 / size)
            power += sum_of((v, joules * share) for v, _, joules in spent)
            self._row(power <= cap / size * block.keep, f"cap_{period}")

    def _variable(self, name: str, most: float | None) -> Any:
        return self.problem.add_variable(name, 0, most)

    def _row(self, constraint: Any, name: str) -> None:
        if len(constraint):
            self.problem.addConstraint(constraint, name)
        elif not constraint.valid(LIMIT_TOLERANCE):
            never = self.problem.add_variable(f"never_{name}", 0, 0)
            self.problem.addConstraint(never >= 1, name)


def began_within(duration: Floats, cyclic: bool, time_s: float, period: int) -> dict[int, int]:
    """Return how often each period began less than a time before one begins, itself included."""
    found: dict[int, int] = {}
    ago, at = 0.0, period
    while ago < time_s * (1 - LIMIT_TOLERANCE):
        found[at] = found.get(at, 0) + 1
        if at == 0 and not cyclic:
            break
        at = at - 1 if at else len(duration) - 1
        ago += float(duration[at])
    return found


def period_plan(model: PeriodModel, values: Mapping[str, float]) -> PeriodPlan:
    """Make a plan of the values of the program's variables, integers whole."""
    weighed = weights_matter(model.instance)
    plans: list[SteadyPlan] = []
    rows: list[tuple[int, int, int, int]] = []
    for s, block in enumerate(model.blocks):
        plan, contents = build_whole_plan(block, values)
        served = _served(model.instance, plan)
        rows += [
            (s, d, unit, key)
            for d, unit, keys in contents
            if weighed[d]
            for key in sorted(keys)
            if (d, unit, key) not in served
        ]
        plans.append(plan)
    needed = np.array([plan.units_had for plan in plans], dtype=np.int64)
    if model.instance.periods.invest:
        fleet = np.maximum.accumulate(
            np.maximum(needed, initially_had(model.instance.periods, model.instance.devices)),
            axis=0,
        )
    else:
        fleet = np.tile(needed.max(axis=0), (len(plans), 1))
    off = model.instance.devices.off_when_unused
    plans = [
        replace(plan, units_had=had, units_on=np.where(off, plan.units_on, had))
        for plan, had in zip(plans, fleet, strict=True)
    ]
    return PeriodPlan(tuple(plans), Held.of(rows))


def _served(instance: Instance, plan: SteadyPlan) -> set[tuple[int, int, int]]:
    used = np.repeat(plan.rate_per_s > 0, np.diff(plan.ptr))
    option, unit = plan.option[used], plan.unit[used]
    device, key = instance.options.device[option], instance.options.weights_key[option]
    return set(zip(device.tolist(), unit.tolist(), key.tolist(), strict=True))
