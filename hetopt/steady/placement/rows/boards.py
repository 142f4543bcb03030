"""Boards in the placement model: literals of those on and of those had, beyond what always is.

    boards      on_{d,u} ≤ bo_{k,n},  h_{d,u} ≤ bh_{k,n}    d on kind k, n = u // (units a board)

Units on, and had, are the first ones, so that the least literals are the boards of the plan. A kind
that is never off is on as often as it is had. Where a device is never off, the boards of the units
that are always had are always on, also of those that are more than tasks could use.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.states.stream_boards import boards_had, boards_under, device_of_board

Board = tuple[int, int]
Unit = tuple[int, int]


class BoardLiterals:
    """Boards on and had of a placement model, by kind and number; constants are left out.

    Parameters
    ----------
    model
        The CP-SAT model.
    had, drawing
        The literals of units that say that one is had, and that it draws idle power.
    """

    def __init__(
        self, instance: Instance, model: Any, had: dict[Unit, Any], drawing: dict[Unit, Any]
    ) -> None:
        self.instance = instance
        devices, boards = instance.devices, instance.boards
        self.least_had = boards_had(instance, devices.count_min)
        kept = np.where(devices.off_when_unused, 0, devices.count_min)
        self.least_on = np.where(
            boards.off_when_unused, boards_under(instance, kept), self.least_had
        )
        self.had: dict[Board, Any] = {}
        self.on: dict[Board, Any] = {}
        if len(boards):
            self._carry(model, "bh", had, self.had, self.least_had)
            self._carry(model, "bo", drawing, self.on, self.least_on)
        for (b, n), literal in self.had.items():
            if not boards.off_when_unused[b]:
                self.on[b, n] = literal

    def _carry(
        self,
        model: Any,
        name: str,
        units: dict[Unit, Any],
        boards: dict[Board, Any],
        least: Any,
    ) -> None:
        """Let units imply the boards on which they stand."""
        for (d, u), literal in units.items():
            b = int(self.instance.devices.on_board[d])
            if b < 0:
                continue
            n = u // int(self.instance.boards.per_board[d])
            if n < least[b]:
                continue
            if (b, n) not in boards:
                boards[b, n] = model.new_bool_var(f"{name}_{b}_{n}")
            model.add_implication(literal, boards[b, n])

    def idling(self) -> list[tuple[int, float, Any]]:
        """Return (device, watts, literal) of boards that may draw; the device is where they do."""
        idle, at = self.instance.boards.idle_power_w, device_of_board(self.instance)
        return [(int(at[b]), float(idle[b]), on) for (b, _), on in self.on.items()]

    def always_w(self) -> list[tuple[int, float]]:
        """Return (device, watts) of what boards draw whatever runs."""
        idle, at = self.instance.boards.idle_power_w, device_of_board(self.instance)
        return [(int(at[b]), float(idle[b]) * int(n)) for b, n in enumerate(self.least_on)]

    def price(self) -> tuple[list[tuple[Any, float]], float]:
        """Return the price of boards had: terms, and what is had at least."""
        price = self.instance.boards.price_per_s
        terms = [(had, float(price[b])) for (b, _), had in self.had.items() if price[b] > 0]
        return terms, float((price * self.least_had).sum())
