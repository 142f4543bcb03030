r"""The rows of the steady program that a pool of routes shares, as arrays (docs/mathematics.md).

The formulation is that of :mod:`hetopt.steady.program.formulation`, for devices whose units are
all alike; the variables and rows have the same names, scales and order of families there. What
differs is that routes are columns over measures (:mod:`hetopt.steady.routes.route_columns`), so
that a program over a part of the routes, and the prices of all others, cost no loop over routes:

    minimise   Σ_r c_r y_r + Σ_s c_s v_s        c_r = R_j (c^E e_r + c^A_j a_r)
    demand     Σ_{r of j} y_r = θ               (or 1; or from min_share_j to 1, for value)
    coupling   Σ_r R_j (W_i · m_r + w_i e_r + w^A_ij a_r) y_r + Σ_s S_is v_s ≤ b_i

with the measures m_r of a route (busy time of each device, bytes over each link, amounts taken of
resources), its energy e_r and accuracy a_r, and side variables v: units on and had, boards on and
had (:mod:`hetopt.steady.program.rows.boards`), θ.

Aggregate loads are all that these rows know. Memory limits, exclusive units and least loads of
units that are on are left out, so with them the program is a relaxation, whose bounds hold: without
a least load more units on never do harm, which is what its constants for them rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Bools, Floats, Instance, is_maximised
from hetopt.instance.joule_prices import joule_prices
from hetopt.solvers.mip_arrays import MipArrays
from hetopt.steady.model.capacity import scales_links, unit_capacity
from hetopt.steady.model.resources import resource_limits
from hetopt.steady.program.formulation import HOLD
from hetopt.steady.program.question import Question
from hetopt.steady.program.rows.boards import Counted
from hetopt.steady.program.rows.shared import buses
from hetopt.steady.routes.route_columns import ColumnPool, Measures


@dataclass(frozen=True, slots=True)
class Form:
    """A linear form: energy and value × requests, accuracy × shares, side variables, a constant."""

    side: Floats
    energy: float = 0.0
    accuracy: float = 0.0
    constant: float = 0.0
    value: float = 0.0

    def times(self, factor: float) -> Form:
        """Return the form multiplied by a number."""
        return Form(
            self.side * factor,
            self.energy * factor,
            self.accuracy * factor,
            self.constant * factor,
            self.value * factor,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A coupling row: measures → coefficient, a form, and its limit from above."""

    name: str
    measures: dict[int, float]
    form: Form
    upper: float


class Master:
    """Rows and side variables of one instance.

    Parameters
    ----------
    rate_per_s, weight
        Of each of the G streams.
    used
        Devices (length D) that some route may use.
    theta_unit
        θ that a value of 1 of the variable stands for; 1 unless throughput is asked for.
    rated
        Streams (length G) whose routes state an accuracy.
    """

    def __init__(
        self,
        instance: Instance,
        rate_per_s: Floats,
        weight: Floats,
        used: Bools,
        theta_unit: float = 1.0,
        rated: Bools | None = None,
    ) -> None:
        self.instance = instance
        self.question = Question.of(instance)
        self.rate, self.weight = rate_per_s, weight
        # Where value is asked for each stream is one job.
        self.worth = np.zeros(len(rate_per_s))
        self.least = np.ones(len(rate_per_s))
        if self.question.value:
            self.worth, self.least = instance.jobs.value, instance.jobs.min_share
        self.rated = np.zeros(len(rate_per_s), dtype=bool) if rated is None else rated
        self.used = used
        self.unit = theta_unit if self.question.throughput else 1.0
        self.capacity = unit_capacity(instance)
        self.measures = Measures.of(instance)
        self.side_names: list[str] = []
        self.side_lower: list[float] = []
        self.side_upper: list[float] = []
        self.side_integer: list[bool] = []
        self.theta = self._variable("theta", 0.0, np.inf, False) if self.question.throughput else -1
        self.on: dict[int, int] = {}
        self.had: dict[int, int] = {}
        self.constant_on: dict[int, int] = {}
        self.constant_had: dict[int, int] = {}
        counted = Counted.of(instance, self.question)
        self.carries = counted.units_on(instance), counted.units_had(instance)
        self.board_on: dict[int, int] = {}
        self.board_had: dict[int, int] = {}
        for board in range(len(instance.boards)):
            self._boards(board, counted)
        for device in range(len(instance.devices)):
            self._units(device)
        self.theta_fixed = 1.0
        self.rows: list[Row] = []
        self._capacity_rows()
        self._board_rows()
        self._link_rows()
        self._supply_rows()
        self._cap_rows()
        self.objective = Form(self._side())

    def aim(self, objective: str, pool: ColumnPool) -> float:
        """Make an objective what is minimised; return what it is multiplied by."""
        form = self.expression(objective)
        largest = max(
            float(np.abs(self.column_costs(form, pool)).max(initial=0.0)),
            float(np.abs(form.side).max(initial=0.0)),
        )
        scale = (-1.0 if is_maximised(objective) else 1.0) / (largest or 1.0)
        self.objective = form.times(scale)
        return scale

    def hold(self, objective: str, value: float) -> None:
        """Allow no objective worse than ``value``, up to ``HOLD`` of it."""
        if objective == "throughput":
            served = value / (self.unit * float(self.rate.sum())) * (1.0 - HOLD)
            self.theta_fixed = served
            self.side_lower[self.theta] = self.side_upper[self.theta] = served
            return
        sign = -1.0 if is_maximised(objective) else 1.0
        size = abs(value) or 1.0
        form = self.expression(objective).times(sign / size)
        self._add(f"hold_{objective}", {}, form, sign * value / size + HOLD)

    def expression(self, objective: str) -> Form:
        """Return an objective as a form, in SI units."""
        if objective == "throughput":
            side = self._side()
            side[self.theta] = self.unit * float(self.rate.sum())
            return Form(side)
        if objective == "accuracy":
            total = float(self.weight[self.rated].sum()) * self.theta_fixed
            return Form(self._side(), accuracy=1.0 / total if total else 0.0)
        if objective == "value":
            return Form(self._side(), value=1.0)
        if objective == "cost":
            return self._cost()
        # Where sites differ in it the least of their prices makes a relaxation, whose bound holds.
        return self._power().times(float(joule_prices(self.instance, objective).min()))

    def column_costs(self, form: Form, pool: ColumnPool) -> Floats:
        """Return a form's coefficient of each route of a pool."""
        costs = (self.rate * self.unit * form.energy)[pool.stream] * pool.energy_j
        if form.accuracy:
            stated = np.where(np.isfinite(pool.accuracy), pool.accuracy, 0.0)
            costs = costs + (self.weight * self.rated * form.accuracy)[pool.stream] * stated
        if form.value:
            costs = costs + (self.rate * self.worth * form.value)[pool.stream]
        return costs

    def row_table(self) -> tuple[Any, Any, Floats]:
        """Return measures' and side variables' coefficients (sparse) and limits of all rows."""
        from scipy.sparse import csr_array

        ptr, index, value = [0], [], []
        for row in self.rows:
            index += list(row.measures)
            value += list(row.measures.values())
            ptr.append(len(index))
        shape = (len(self.rows), len(self.measures))
        measures = csr_array((value, index, ptr), shape=shape, dtype=np.float64)
        sides = np.array([row.form.side for row in self.rows]).reshape(
            len(self.rows), len(self.side_names)
        )
        upper = np.array([row.upper for row in self.rows], dtype=np.float64)
        return measures, csr_array(sides), upper

    def coupling(self, pool: ColumnPool) -> Any:
        """Return the coefficients of a pool's routes in the coupling rows, sparse, rows × N."""
        from scipy.sparse import csr_array, diags_array

        measures, _, _ = self.row_table()
        factor = (self.rate * self.unit)[pool.stream]
        table = csr_array(measures @ pool.use.T) @ diags_array(factor)
        for i, row in enumerate(self.rows):
            if row.form.energy or row.form.accuracy or row.form.value:
                costs = self.column_costs(row.form, pool)
                entries = (costs, (np.full(len(pool), i), np.arange(len(pool))))
                table = table + csr_array(entries, shape=table.shape)
        return csr_array(table)

    def arrays(self, pool: ColumnPool, names: Sequence[int] | None = None) -> MipArrays:
        """Return the program over a pool's routes, whose numbers (for names) may be given."""
        from scipy.sparse import coo_array

        numbers = range(len(pool)) if names is None else names
        streams, count = len(self.rate), len(pool)
        _, side_table, upper = self.row_table()
        table, side = coo_array(self.coupling(pool)), coo_array(side_table)
        rows: list[Any] = [pool.stream, table.row + streams, side.row + streams]
        columns: list[Any] = [np.arange(count), table.col, side.col + count]
        values: list[Any] = [np.ones(count), table.data, side.data]
        target = np.ones(streams)
        if self.theta >= 0:
            rows.append(np.arange(streams))
            columns.append(np.full(streams, count + self.theta))
            values.append(np.full(streams, -1.0))
            target = np.zeros(streams)
        least = np.where(self.question.value, self.least, target)
        row, column = np.concatenate(rows), np.concatenate(columns)
        value = np.concatenate(values)
        kept = np.flatnonzero(value)
        order = kept[np.lexsort((column[kept], row[kept]))]
        cost = np.concatenate([self.column_costs(self.objective, pool), self.objective.side])
        return MipArrays(
            names=[*(f"y_{r}" for r in numbers), *self.side_names],
            sign=1,
            cost=cost,
            offset=self.objective.constant,
            lower=np.concatenate([np.zeros(count), self.side_lower]),
            upper=np.concatenate([np.full(count, np.inf), self.side_upper]),
            integer=np.concatenate([np.zeros(count, dtype=bool), self.side_integer]).astype(bool),
            row_names=[*(f"demand_{j}" for j in range(streams)), *(row.name for row in self.rows)],
            row_lower=np.concatenate([least, np.full(len(upper), -np.inf)]),
            row_upper=np.concatenate([target, upper]),
            rows=row[order].astype(np.int64),
            columns=column[order].astype(np.int64),
            coefficients=value[order],
        )

    def _variable(self, name: str, lower: float, upper: float, integer: bool) -> int:
        self.side_names.append(name)
        self.side_lower.append(float(lower))
        self.side_upper.append(float(upper))
        self.side_integer.append(integer)
        return len(self.side_names) - 1

    def _side(self) -> Floats:
        return np.zeros(len(self.side_names))

    def _units(self, device: int) -> None:
        """Units on and had; constants where nothing sees how many are on."""
        devices = self.instance.devices
        least, most = int(devices.count_min[device]), int(devices.count_max[device])
        limit = np.inf if most == NO_MAXIMUM else most
        always = not devices.off_when_unused[device]
        idle_counts = self.question.power and devices.idle_power_w[device] > 0
        idle_counts = idle_counts or bool(self.carries[0][device])
        price_counts = self.question.price and devices.price_per_s[device] > 0
        price_counts = price_counts or bool(self.carries[1][device])
        fixed = least == most
        if not self.used[device] and not scales_links(self.instance, device):
            self.constant_on[device] = least if always else 0
            self.constant_had[device] = least
            return
        free = not idle_counts and (fixed or not price_counts)
        if most != NO_MAXIMUM and (free or (always and fixed)):
            self.constant_on[device] = self.constant_had[device] = most
            return
        self.on[device] = self._variable(f"u_{device}", least if always else 0, limit, True)
        if always:
            self.had[device] = self.on[device]
        elif price_counts and not fixed:
            self.had[device] = self._variable(f"h_{device}", least, limit, False)
        else:
            self.constant_had[device] = least

    def _boards(self, board: int, counted: Counted) -> None:
        """Boards on and had, where the question counts them; before the units on them."""
        boards = self.instance.boards
        least, most = int(boards.count_min[board]), int(boards.count_max[board])
        limit = np.inf if most == NO_MAXIMUM else most
        if counted.had[board]:
            self.board_had[board] = self._variable(f"bh_{board}", least, limit, True)
            if not boards.off_when_unused[board]:
                self.board_on[board] = self.board_had[board]
        if counted.on[board]:
            self.board_on[board] = self._variable(f"bo_{board}", 0, limit, True)

    def _board_rows(self) -> None:
        """Have as many boards as the units on them, and had on them, need."""
        devices, boards = self.instance.devices, self.instance.boards
        for device in np.flatnonzero(devices.on_board >= 0).tolist():
            board, each = int(devices.on_board[device]), float(boards.per_board[device])
            for name, counts, kinds, units, known in (
                ("board", self.carries[0], self.board_on, self.on, self.constant_on),
                ("boardhad", self.carries[1], self.board_had, self.had, self.constant_had),
            ):
                if not counts[device]:
                    continue
                side = self._side()
                side[kinds[board]] = -each
                constant = float(known.get(device, 0))
                if device in units:
                    side[units[device]] += 1.0
                    constant = 0.0
                self._add(f"{name}_{board}_{device}", {}, Form(side, constant=constant), 0.0)

    def _add(self, name: str, measures: dict[int, float], form: Form, upper: float) -> None:
        """Add a row, its constant on the right."""
        self.rows.append(Row(name, measures, replace(form, constant=0.0), upper - form.constant))

    def _room(self, device: int, size: float) -> Form:
        """Return −size × units on, as part of a row's left side."""
        side = self._side()
        if device in self.on:
            side[self.on[device]] = -size
            return Form(side)
        return Form(side, constant=-size * self.constant_on[device])

    def _capacity_rows(self) -> None:
        for k, device in enumerate(np.flatnonzero(self.used).tolist()):
            room = self._room(device, float(self.capacity[device]))
            self._add(f"capacity_{k}", {device: 1.0}, room, 0.0)
        for device in sorted(self.had):
            if device in self.on and self.had[device] != self.on[device]:
                side = self._side()
                side[self.on[device]], side[self.had[device]] = 1.0, -1.0
                self._add(f"had_{device}", {}, Form(side), 0.0)

    def _link_rows(self) -> None:
        links = self.instance.links
        for bus in buses(links, np.flatnonzero(np.isfinite(links.bandwidth_b_per_s)).tolist()):
            load = {
                self.measures.link(link): 1.0 / float(links.bandwidth_b_per_s[link])
                for link in bus.links
            }
            name, alone = f"link_{bus.links[0]}", bus.source < 0
            room = Form(self._side()) if alone else self._room(bus.source, bus.channels)
            self._add(name, load, room, float(bus.channels) if alone else 0.0)

    def _supply_rows(self) -> None:
        for resource, limit in resource_limits(self.instance).items():
            name = f"resource_{resource[0]}_{resource[1]}"
            measure = self.measures.resource(resource)
            self._add(name, {measure: 1.0 / (limit or 1.0)}, Form(self._side()), float(limit > 0))

    def _cap_rows(self) -> None:
        limits = self.instance.limits
        for name, limit, form in (
            ("power_cap", limits.power_cap_w, self._power),
            ("budget", limits.budget_per_s, self._cost),
        ):
            if np.isfinite(limit):
                size = limit or 1.0
                self._add(name, {}, form().times(1.0 / size), limit / size)

    def _power(self) -> Form:
        idle = self.instance.devices.idle_power_w
        side, constant = self._side(), 0.0
        for device in range(len(idle)):
            if device in self.on:
                side[self.on[device]] += idle[device]
            else:
                constant += float(idle[device]) * self.constant_on[device]
        boards = self.instance.boards
        for board, watts in enumerate(boards.idle_power_w.tolist()):
            if board in self.board_on:
                side[self.board_on[board]] += watts
            elif not boards.off_when_unused[board]:
                constant += watts * int(boards.count_min[board])
        return Form(side, energy=1.0, constant=constant)

    def _cost(self) -> Form:
        price = self.instance.devices.price_per_s
        power = self._power().times(float(joule_prices(self.instance, "cost").min()))
        side, constant = power.side.copy(), power.constant
        for device in range(len(price)):
            if device in self.had:
                side[self.had[device]] += price[device]
            else:
                constant += float(price[device]) * self.constant_had[device]
        for board, money in enumerate(self.instance.boards.price_per_s.tolist()):
            if board in self.board_had:
                side[self.board_had[board]] += money
            else:
                constant += money * int(self.instance.boards.count_min[board])
        return Form(side, power.energy, 0.0, constant)
