"""Quantities of a plan for periods: means over their time, with what starts and loading take.

Units of a device are alike, so as few go on as can: the units on beyond those of the period before.
What is loaded follows from the units' weights before and now, each unit now being the same as one
before (or as one that goes on) such that the fewest weights are loaded, of these the fewest bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hetopt.evaluate.scenarios import ScenarioQuantities, plain
from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.investment import discount_factors, initially_had, unit_costs
from hetopt.instance.states.stream_boards import board_joule_prices, boards_under, going_on_j
from hetopt.instance.tables import follows
from hetopt.solution import Held, PeriodPlan, ScenarioPlan, SteadyPlan

Weights = frozenset[int]


class PeriodQuantities(ScenarioQuantities):
    """Quantities of one plan with a part per period; S periods, D devices.

    As of scenarios, by duration; energy and money of starts and loading, over the whole time, are
    part of power, cost and carbon.
    """

    def __init__(self, instance: Instance, plan: ScenarioPlan) -> None:
        super().__init__(instance, plan)
        self.held = plan.held if isinstance(plan, PeriodPlan) else Held.of()
        self.duration_s: Floats = instance.scenarios.weight

    @cached_property
    def units_on(self) -> Ints:
        """Units on in each period (S × D)."""
        return np.array([part.units_on for part in self.parts])

    @cached_property
    def units_before(self) -> Ints:
        """Units on in the period before each (S × D)."""
        periods = self.instance.periods
        initial = periods.initial_on(len(self.instance.devices))
        before = [follows(periods, s) for s in range(len(self.parts))]
        return np.array([initial if b < 0 else self.units_on[b] for b in before])

    @cached_property
    def starts(self) -> Ints:
        """Units of each device that go on as a period begins (S × D)."""
        return np.asarray(np.maximum(0, self.units_on - self.units_before))

    @cached_property
    def stops(self) -> Ints:
        """Units that go off as a period begins (S × D)."""
        return np.asarray(np.maximum(0, self.units_before - self.units_on))

    @cached_property
    def board_starts(self) -> Ints:
        """Boards of each kind that go on as a period begins (S × B); none that is never off."""
        periods = self.instance.periods
        initial = boards_under(self.instance, periods.initial_on(len(self.instance.devices)))
        on = [part.boards_on for part in self.parts]
        before = [follows(periods, s) for s in range(len(on))]
        was = [initial if b < 0 else on[b] for b in before]
        goes_on = self.instance.boards.off_when_unused
        return np.asarray(np.maximum(0, np.array(on) - np.array(was)) * goes_on)

    @cached_property
    def board_energy_j(self) -> Floats:
        """Energy of boards that go on (S × B)."""
        return np.asarray(self.board_starts * going_on_j(self.instance))

    @cached_property
    def _loading(self) -> tuple[Ints, Floats]:
        """Weights loaded as each period begins, and their bytes (S × D, S × D)."""
        shape = self.starts.shape
        loads, loaded = np.zeros(shape, dtype=np.int64), np.zeros(shape)
        limited = np.flatnonzero(memory_limited(self.instance)).tolist()
        if not limited or not self.instance.model_keys:
            return loads, loaded
        size = weights_size(self.instance)
        now = [
            weights_of_units(self.instance, part.plan, self._held(s), self.units_on[s])
            for s, part in enumerate(self.parts)
        ]
        for s in range(len(self.parts)):
            before = follows(self.instance.periods, s)
            was = initial_weights(self.instance) if before < 0 else now[before]
            for d in limited:
                loads[s, d], loaded[s, d] = loading(was[d], now[s][d], size)
        return loads, loaded

    @property
    def loads(self) -> Ints:
        """Weights loaded onto units of each device as a period begins (S × D)."""
        return self._loading[0]

    @cached_property
    def switching_energy_j(self) -> Floats:
        """Energy of starts and of loading (S × D).

        A unit starts up before the period in which it is on, and idles while it does.
        """
        devices = self.instance.devices
        start = devices.start_up_energy_j + devices.idle_power_w * devices.start_up_time_s
        return self.starts * start + self._loading[1] * devices.load_energy_j_per_b

    @cached_property
    def switching_cost(self) -> Floats:
        """Money of starts, beside that of their energy, discounted (S × D)."""
        money = self.starts * self.instance.devices.start_up_cost
        return np.asarray(money * discount_factors(self.instance.periods, self.duration_s)[:, None])

    @cached_property
    def bought(self) -> Ints:
        """Units bought as each period begins (S × D); none where one fleet is had all the time."""
        had = np.array([part.plan.units_had for part in self.parts])
        if not self.instance.periods.invest:
            return np.zeros_like(had)
        before = np.vstack([initially_had(self.instance.periods, self.instance.devices), had[:-1]])
        return np.asarray(np.maximum(0, had - before))

    @cached_property
    def capital(self) -> Floats:
        """What the units bought as each period begins cost for good, discounted (S × D)."""
        return self.bought * unit_costs(
            self.instance.periods, self.duration_s, self.instance.devices
        )

    @property
    def capital_per_s(self) -> float:
        """What all units bought cost, over the whole time."""
        return float(self.capital.sum() / self.duration_s.sum())

    @property
    def changes(self) -> Ints:
        """Units switched and weights loaded as each period begins (S)."""
        return np.asarray((self.starts + self.stops + self.loads).sum(axis=1))

    @property
    def power_w(self) -> float:
        """Mean power, starts and loading included."""
        return super().power_w + self.switching_power_w

    @property
    def switching_power_w(self) -> float:
        """Energy of starts and loading over the whole time."""
        spent = self.switching_energy_j.sum() + self.board_energy_j.sum()
        return float(spent / self.duration_s.sum())

    @property
    def period_power_w(self) -> Floats:
        """Mean power of each period, starts and loading included (S)."""
        own = np.array([part.power_w for part in self.parts])
        spent = self.switching_energy_j.sum(axis=1) + self.board_energy_j.sum(axis=1)
        return np.asarray(own + spent / self.duration_s)

    @property
    def cost_per_s(self) -> float:
        """Mean cost, starts and loading included."""
        return super().cost_per_s + self.switching_cost_per_s + self.capital_per_s

    @property
    def switching_cost_per_s(self) -> float:
        """Money of starts and loading, over the whole time."""
        return float(self._period_paid("cost").sum() / self.duration_s.sum())

    @property
    def carbon_kg_per_s(self) -> float:
        """Mean carbon, starts and loading included."""
        emitted = self._period_paid("carbon").sum() / self.duration_s.sum()
        return super().carbon_kg_per_s + float(emitted)

    def as_dict(self) -> dict[str, Any]:
        """Return all quantities; beside those of scenarios, what switching takes."""
        whole = super().as_dict()
        whole |= {
            name: plain(getattr(self, name))
            for name in ("power_w", "cost_per_s", "carbon_kg_per_s")
        }
        whole |= {
            "switching_power_w": plain(self.switching_power_w),
            "switching_cost_per_s": plain(self.switching_cost_per_s),
            "starts": int(self.starts.sum()),
            "loads": int(self.loads.sum()),
        }
        paid, money = self._paid("cost"), self.switching_cost
        energy = self.switching_energy_j
        cost, emitted = self._period_paid("cost"), self._period_paid("carbon")
        whole["switching"] = [
            {
                "period": str(self.instance.scenarios.name[s]),
                "device": str(self.instance.devices.name[d]),
                "starts": int(self.starts[s, d]),
                "stops": int(self.stops[s, d]),
                "loads": int(self.loads[s, d]),
                "loaded_b": float(self._loading[1][s, d]),
                "energy_j": float(energy[s, d]),
                "cost": float(paid[s, d] + money[s, d]),
            }
            for s, d in np.argwhere(self.starts + self.stops + self.loads > 0).tolist()
        ]
        if self.instance.periods.invest:
            whole |= self._investment()
        if self.board_starts.any():
            whole["board_starts"] = [
                {
                    "period": str(self.instance.scenarios.name[s]),
                    "board": str(self.instance.boards.name[b]),
                    "starts": int(self.board_starts[s, b]),
                    "energy_j": float(self.board_energy_j[s, b]),
                }
                for s, b in np.argwhere(self.board_starts > 0).tolist()
            ]
        for s, row in enumerate(whole["periods"]):
            row |= {
                "duration_s": float(self.duration_s[s]),
                "running_power_w": row["power_w"],
                "power_w": float(self.period_power_w[s]),
                "cost_per_s": row["cost_per_s"] + float(cost[s]) / float(self.duration_s[s]),
                "carbon_kg_per_s": row["carbon_kg_per_s"]
                + float(emitted[s]) / float(self.duration_s[s]),
                "starts": int(self.starts[s].sum()),
                "stops": int(self.stops[s].sum()),
                "loads": int(self.loads[s].sum()),
            }
        return whole

    def _investment(self) -> dict[str, Any]:
        """Return what is bought when, and what all of it costs in money of today."""
        paid = [
            {
                "period": str(self.instance.scenarios.name[s]),
                "device": str(self.instance.devices.name[d]),
                "units": int(self.bought[s, d]),
                "cost": float(self.capital[s, d]),
            }
            for s, d in np.argwhere(self.bought > 0).tolist()
        ]
        return {
            "bought": paid,
            "cost_units_per_s": plain(self.capital_per_s),
            "present_value": plain(self.cost_per_s * float(self.duration_s.sum())),
        }

    def _paid(self, objective: str) -> Floats:
        """Return what the energy of starts and loading costs or emits (S × D)."""
        price = [joule_prices(part.instance, objective) for part in self.parts]
        return self.switching_energy_j * np.array(price)

    def _period_paid(self, objective: str) -> Floats:
        """Return what starts of units and boards, and loading, cost or emit in each period (S)."""
        spent = self._paid(objective).sum(axis=1)
        price = [board_joule_prices(part.instance, objective) for part in self.parts]
        spent = spent + (self.board_energy_j * np.array(price)).sum(axis=1)
        if objective == "cost":
            money = self.board_starts * self.instance.boards.start_up_cost
            spent = spent + self.switching_cost.sum(axis=1) + money.sum(axis=1)
        return np.asarray(spent)

    def _held(self, period: int) -> Held:
        return self.held.of_period(period)


def memory_limited(instance: Instance) -> Bools:
    """Devices whose plans name units, as their memory, or that of their pool, is limited (D)."""
    inside = np.append(instance.pools.memory_b, np.inf)[instance.devices.pool]
    return np.asarray(np.isfinite(np.minimum(instance.devices.memory_b, inside)))


def weights_size(instance: Instance) -> dict[int, float]:
    """Return the bytes of each key of weights."""
    keys, sizes = instance.options.weights_key, instance.options.weights_b
    return {k: s for k, s in zip(keys.tolist(), sizes.tolist(), strict=True) if k >= 0}


def weights_of_units(
    instance: Instance, plan: SteadyPlan, held: Held, on: Ints
) -> list[list[Weights]]:
    """Return, per device, what each unit on holds: what it serves, and what it is said to hold."""
    options = instance.options
    found: list[list[set[int]]] = [[set() for _ in range(int(n))] for n in on]
    used = np.repeat(plan.rate_per_s > 0, np.diff(plan.ptr))
    rows = np.flatnonzero(used & (plan.unit >= 0) & (options.weights_key[plan.option] >= 0))
    device = options.device[plan.option[rows]].tolist()
    key = options.weights_key[plan.option[rows]].tolist()
    placed = [
        *zip(device, plan.unit[rows].tolist(), key, strict=True),
        *zip(held.device.tolist(), held.unit.tolist(), held.key.tolist(), strict=True),
    ]
    for d, unit, k in placed:
        if unit < len(found[d]):
            found[d][unit].add(k)
    return [[frozenset(unit) for unit in units] for units in found]


def initial_weights(instance: Instance) -> list[list[Weights]]:
    """Return, per device, what each unit holds that is on before the first period."""
    periods = instance.periods
    found: list[list[Weights]] = [[] for _ in range(len(instance.devices))]
    ptr, key = periods.initial_ptr, periods.initial_key
    for g, (d, units) in enumerate(
        zip(periods.initial_device.tolist(), periods.initial_units.tolist(), strict=True)
    ):
        found[d] += [frozenset(key[ptr[g] : ptr[g + 1]].tolist())] * units
    return found


def loading(
    before: Sequence[Weights], now: Sequence[Weights], size: dict[int, float]
) -> tuple[int, float]:
    """Return the fewest weights to load so that units hold what they do now, and their bytes.

    Units that hold the same before and now stay as they are: what is loaded onto a unit obeys the
    triangle inequality, so that no exchange of two units could load less.
    """
    from scipy.optimize import linear_sum_assignment

    old, new = Counter(before), Counter(now)
    kept = old & new
    left, wanted = list((old - kept).elements()), list((new - kept).elements())
    wanted = [held for held in wanted if held]
    if not wanted:
        return 0, 0.0
    # Units that go on hold nothing yet, as does a unit that is on without weights.
    left += [frozenset()] * len(wanted)
    missing = [[now - was for now in wanted] for was in left]
    count = np.array([[len(keys) for keys in row] for row in missing])
    bytes_ = np.array([[sum(size[k] for k in keys) for keys in row] for row in missing])
    row, column = linear_sum_assignment(count + bytes_ / (2.0 * bytes_.sum() + 1.0))
    return int(count[row, column].sum()), float(bytes_[row, column].sum())
