"""The boards that units there stand on, which may be more than a plan of the usable units counts.

A plan's units are the first ones of each device, so that it counts as few boards as their number
needs. Units that are there have numbers of their own: those that stay on may be scattered over more
boards, and where units are down no set of as few boards may have enough of each device. What the
boards beyond the plan's count draw and cost is added to its value. So a value is never less than
what the checker and the bound of the objective count, and the bound holds as it stands.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.steady import SteadyQuantities
from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.stream_boards import board_joule_prices, boards_had, boards_on
from hetopt.replan.fleet import Now, Unit
from hetopt.solution import SteadyPlan

Board = tuple[int, int]
"""Kind and number."""


def board_of(instance: Instance, unit: Unit) -> Board | None:
    """Return the board that a unit stands on."""
    kind = int(instance.devices.on_board[unit[0]])
    if kind < 0:
        return None
    return kind, unit[1] // max(1, int(instance.boards.per_board[unit[0]]))


def boards_under_units(instance: Instance, units: Iterable[Unit]) -> set[Board]:
    """Return the boards that some units stand on."""
    found = {board_of(instance, unit) for unit in units}
    return {board for board in found if board is not None}


def never_off(instance: Instance, plan: SteadyPlan) -> Ints:
    """Return how many boards of each kind are on whatever runs: those had and never off (B)."""
    had = boards_had(instance, plan.units_had)
    return np.where(instance.boards.off_when_unused, 0, had).astype(np.int64)


def more_boards(instance: Instance, plan: SteadyPlan, on: set[Unit]) -> tuple[Ints, Ints]:
    """Return how many more boards are on, and had, than a plan counts where such units are on."""
    lit = np.bincount(
        [kind for kind, _ in boards_under_units(instance, on)], minlength=len(instance.boards)
    )
    counted = boards_on(instance, plan.units_on, plan.units_had)
    had = boards_had(instance, plan.units_had)
    return np.maximum(0, lit - counted), np.maximum(0, lit - had)


def worth(instance: Instance, on: Ints, had: Ints) -> float:
    """Return what so many more boards on, and had, add to the first objective."""
    name = instance.objective[0]
    if name not in ("power", "cost", "carbon"):
        return 0.0
    drawn = instance.boards.idle_power_w * on * board_joule_prices(instance, name)
    paid = instance.boards.price_per_s * had if name == "cost" else np.zeros(len(on))
    return float(drawn.sum() + paid.sum())


def has_room(instance: Instance, plan: SteadyPlan, on: Ints, had: Ints) -> bool:
    """Whether power cap and budget have room for so many more boards than the plan counts."""
    limits, of, boards = instance.limits, SteadyQuantities(instance, plan), instance.boards
    watts = of.power_w + float((boards.idle_power_w * on).sum())
    drawn = float((boards.idle_power_w * on * board_joule_prices(instance, "cost")).sum())
    money = of.cost_per_s + drawn + float((boards.price_per_s * had).sum())
    slack = 1.0 + LIMIT_TOLERANCE
    return bool(watts <= limits.power_cap_w * slack and money <= limits.budget_per_s * slack)


def fewest_boards(instance: Instance, plan: SteadyPlan, now: Now) -> set[Unit] | None:
    """Return the usable units on as few boards as are found to have those that a plan has on.

    Boards with units that are on come first. None where there are not enough; units of devices on
    no board are all among them.
    """
    devices, boards = instance.devices, instance.boards
    found = {(d, u) for d, units in enumerate(now.usable) for u in units if devices.on_board[d] < 0}
    for kind in range(len(boards)):
        mine = np.flatnonzero(devices.on_board == kind).tolist()
        need = {d: int(plan.units_on[d]) for d in mine}
        there: dict[int, list[Unit]] = {}
        for d in mine:
            for u in now.usable[d]:
                there.setdefault(u // max(1, int(boards.per_board[d])), []).append((d, u))
        lit = {n: -sum(unit in now.on for unit in units) for n, units in there.items()}
        orders = (
            sorted(there, key=lambda n: (lit[n], n)),
            sorted(there, key=lambda n: (-len(there[n]), lit[n], n)),
        )
        sets = [found for found in (_enough(order, there, need) for order in orders) if found]
        if not sets and any(need.values()):
            return None
        chosen = min(sets, key=len) if any(need.values()) else []
        found |= {unit for n in chosen for unit in there[n]}
    return found


def _enough(
    order: list[int], there: dict[int, list[Unit]], need: dict[int, int]
) -> list[int] | None:
    """Return boards with enough units of each device: the first ones of an order, none idly."""

    def suffices(numbers: list[int]) -> bool:
        units = [unit for n in numbers for unit in there[n]]
        return all(sum(d == e for e, _ in units) >= count for d, count in need.items())

    chosen: list[int] = []
    for n in order:
        if suffices(chosen):
            break
        chosen.append(n)
    if not suffices(chosen):
        return None
    for n in reversed(list(chosen)):
        rest = [m for m in chosen if m != n]
        if suffices(rest):
            chosen = rest
    return chosen


def shares_of_boards(instance: Instance, value: Floats) -> Floats:
    """Return each unit's part of what its board has of something (D)."""
    part = np.append(value, 0.0)[instance.devices.on_board]
    return np.asarray(part / np.maximum(1, instance.boards.per_board))
