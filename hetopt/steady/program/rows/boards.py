r"""Boards in the programs of streams: how many of them are on, and had.

Variables
    b_k integer boards of kind k that are on;  c_k integer boards had, min_k ≤ c_k ≤ max_k
Constraints
    u_d ≤ m_d b_k;  h_d ≤ m_d c_k     for each device d on k, with m_d of its units a board;
                                      b_k = c_k where the board is never off

Units of a device are alike and the first ones are on, so n of them stand on ⌈n / m_d⌉ boards: the
least integers with these rows are the boards of a plan. More of them only draw and cost more, in
every objective and under every limit (each counts them with a sign), so the rows say no less than
what is true, and their relaxation is one. Where boards that go on between periods take something,
more could pay; there the program says which device needs as many
(:mod:`hetopt.steady.program.joint.period_model`).

A kind has variables only where the question sees how many there are of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hetopt.instance import NO_MAXIMUM, Bools, Floats, Instance
from hetopt.instance.states.stream_boards import boards_had, boards_on, going_on_j
from hetopt.solution import SteadyPlan
from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.question import Question


class Program(Protocol):
    """What is asked of a program: its units on and had by device, and a way to add to it."""

    instance: Instance
    question: Question
    on: dict[int, Any]
    had: dict[int, Any]
    boards: BoardUnits

    def variable(
        self, name: str, low: float, high: float | None = None, category: str = "Continuous"
    ) -> Any:
        """Add a variable."""
        ...

    def add_row(self, constraint: Any, name: str) -> None:
        """Add a row."""
        ...


@dataclass(frozen=True, slots=True)
class Counted:
    """Of which kinds of board a question counts those on and those had (B each)."""

    on: Bools
    had: Bools

    @staticmethod
    def of(instance: Instance, question: Question) -> Counted:
        """Read it from what boards draw and cost, and from what is asked."""
        boards = instance.boards
        # Caps of periods are no limits of the whole instance.
        watts = question.power or question.switching
        drawn = watts & (boards.idle_power_w > 0)
        if question.switching:
            drawn |= (going_on_j(instance) > 0) | (boards.start_up_cost > 0)
        paid = question.price & (boards.price_per_s > 0)
        fixed = boards.count_min == boards.count_max
        never_off = ~boards.off_when_unused
        return Counted(
            np.asarray(drawn & ~never_off),
            np.asarray((paid | (drawn & never_off)) & ~fixed),
        )

    def units_on(self, instance: Instance) -> Bools:
        """Return of which devices units on matter for a board (D)."""
        return np.asarray(np.append(self.on, False)[instance.devices.on_board])

    def units_had(self, instance: Instance) -> Bools:
        """Return of which devices units had matter for a board (D)."""
        return np.asarray(np.append(self.had, False)[instance.devices.on_board])


class BoardUnits:
    """Boards on and had in a program: a variable, or a number where it is known or not counted."""

    def __init__(self, model: Program) -> None:
        instance = model.instance
        counted = Counted.of(instance, model.question)
        boards, devices = instance.boards, instance.devices
        self.on: dict[int, Any] = {}
        self.had: dict[int, Any] = {}
        self.counted = counted
        for b in range(len(boards)):
            least, most = int(boards.count_min[b]), most_boards(instance, b)
            mine = np.flatnonzero(devices.on_board == b).tolist()
            self.had[b] = least
            if counted.had[b]:
                self.had[b] = model.variable(f"bh_{b}", least, most, "Integer")
                for d in mine:
                    self._carry(model, f"boardhad_{b}_{d}", model.had[d], self.had[b], d)
            self.on[b] = 0 if boards.off_when_unused[b] else self.had[b]
            if counted.on[b]:
                self.on[b] = model.variable(f"bo_{b}", 0, most, "Integer")
                for d in mine:
                    self._carry(model, f"board_{b}_{d}", model.on[d], self.on[b], d)

    @staticmethod
    def _carry(model: Program, name: str, units: Any, boards: Any, device: int) -> None:
        """Let boards be as many as units of a device need."""
        each = float(model.instance.boards.per_board[device])
        model.add_row(sum_of([(units, 1.0), (boards, -each)]) <= 0, name)

    def idle(self, instance: Instance, price: Floats | None = None) -> list[tuple[Any, float]]:
        """Return what boards draw, times the price of a joule of each where one is given (B)."""
        watts = instance.boards.idle_power_w * (1.0 if price is None else price)
        return [(self.on[b], float(w)) for b, w in enumerate(watts) if w > 0]

    def price(self, instance: Instance) -> list[tuple[Any, float]]:
        """Return what boards had cost per second."""
        money = instance.boards.price_per_s
        return [(self.had[b], float(m)) for b, m in enumerate(money) if m > 0]

    def start(self, plan: SteadyPlan, instance: Instance) -> dict[str, float]:
        """Return the variables, by name, as a plan has them."""
        had = boards_had(instance, plan.units_had)
        on = boards_on(instance, plan.units_on, plan.units_had)
        return {
            variables[b].name: float(number)
            for variables, numbers in ((self.had, had), (self.on, on))
            for b, number in enumerate(numbers.tolist())
            if hasattr(variables[b], "name")
        }


def boards(model: Program) -> None:
    """Have as many boards on, and had, as the units on them, and had on them, need."""
    model.boards = BoardUnits(model)


def most_boards(instance: Instance, board: int) -> int | None:
    """Return the most boards of a kind, None where there is no maximum."""
    most = int(instance.boards.count_max[board])
    return None if most == NO_MAXIMUM else most
