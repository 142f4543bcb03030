"""Boards of streams: how many of them the units that are on, and had, stand on.

Unit i of a device stands on board i // (its units a board), and of a device of streams units are
alike: those on, and those had, are the first ones. So they stand on the first boards, as many as
the device needs that has the most units for each board.
"""

from __future__ import annotations

import numpy as np

from hetopt.instance.dtypes import Floats, Ints
from hetopt.instance.instance import Instance
from hetopt.instance.joule_prices import joule_prices


def boards_under(instance: Instance, units: Ints) -> Ints:
    """Return how many boards of each kind the first so many units of each device stand on (B)."""
    boards, device = instance.boards, np.flatnonzero(instance.devices.on_board >= 0)
    under = np.zeros(len(boards), dtype=np.int64)
    number = -(-np.asarray(units)[device] // np.maximum(1, boards.per_board[device]))
    np.maximum.at(under, instance.devices.on_board[device], number)
    return under


def boards_had(instance: Instance, units_had: Ints) -> Ints:
    """Return boards had: those with units had, and at least the minimum (B)."""
    return np.asarray(np.maximum(instance.boards.count_min, boards_under(instance, units_had)))


def boards_on(instance: Instance, units_on: Ints, units_had: Ints) -> Ints:
    """Return boards on: those with units on, and where they are never off those had (B)."""
    had = boards_had(instance, units_had)
    return np.where(instance.boards.off_when_unused, boards_under(instance, units_on), had)


def device_of_board(instance: Instance) -> Ints:
    """Return a device on each board, at whose site it draws; 0 where none stands on it (B)."""
    on = instance.devices.on_board
    found = [np.flatnonzero(on == b).tolist() for b in range(len(instance.boards))]
    return np.array([next(iter(mine), 0) for mine in found], dtype=np.int64)


def board_joule_prices(instance: Instance, objective: str) -> Floats:
    """Return what a joule of each board counts in an objective, PUE included (B)."""
    return joule_prices(instance, objective)[device_of_board(instance)]


def going_on_j(instance: Instance) -> Floats:
    """Return the energy that a board takes to go on: start-up, and idling while it lasts (B)."""
    boards = instance.boards
    return np.asarray(boards.start_up_energy_j + boards.idle_power_w * boards.start_up_time_s)
