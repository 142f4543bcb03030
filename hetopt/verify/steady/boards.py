"""Boards of a steady plan, counted unit by unit."""

from __future__ import annotations

from hetopt.instance import Instance, Ints


def boards_with(instance: Instance, units: Ints | list[int]) -> list[int]:
    """Return how many boards of each kind carry one of the first so many units of each device.

    Unit i of a device stands on board i // (its units a board); units are alike, so that those on,
    and those had, are the first ones.
    """
    boards, devices = instance.boards, instance.devices
    found = [0] * len(boards)
    for d in range(len(devices)):
        b, number = int(devices.on_board[d]), int(units[d])
        if b >= 0 and number > 0:
            found[b] = max(found[b], 1 + (number - 1) // int(boards.per_board[d]))
    return found


def boards_of(instance: Instance, on: Ints, had: Ints) -> tuple[list[int], list[int]]:
    """Return boards on and boards had of each kind, given units on and had of each device.

    At least the minimum is had; a kind that is never off is on as often as it is had.
    """
    boards = instance.boards
    stand = boards_with(instance, had)
    owned = [max(int(boards.count_min[b]), n) for b, n in enumerate(stand)]
    lit = boards_with(instance, on)
    return [lit[b] if boards.off_when_unused[b] else owned[b] for b in range(len(boards))], owned


def first_device(instance: Instance, board: int) -> int:
    """Return a device on a board, at whose site it draws; the first one where none stands on it."""
    mine = (d for d, b in enumerate(instance.devices.on_board.tolist()) if b == board)
    return next(mine, 0)
