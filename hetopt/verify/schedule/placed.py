"""Where and when the tasks of a plan run, as the checker reads it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Instance, Ints


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the tasks of a readable plan run.

    ``place`` (T) indexes ``device`` and ``unit`` of the distinct units that run something; it is
    -1 for tasks that are not ``usable``. ``option`` is 0 for those.
    """

    usable: Bools
    option: Ints
    place: Ints
    device: Ints
    unit: Ints

    def name(self, instance: Instance, place: int) -> str:
        """Name a unit as plans write it."""
        return instance.unit_name(int(self.device[place]), int(self.unit[place]))

    def board(self, instance: Instance) -> Ints:
        """Return the number of the board that each of these units stands on, -1: on none.

        Boards are numbered through: those of the first kind, then those of the second ...
        """
        boards, kind = instance.boards, instance.devices.on_board[self.device]
        first = np.cumsum(np.append(0, boards.count_max))
        each = np.maximum(boards.per_board[self.device], 1)
        return np.where(kind >= 0, first[kind] + self.unit // each, -1)

    def boards_on(self, instance: Instance) -> tuple[Ints, Ints]:
        """Return boards on and boards had, per kind of board."""
        boards, devices = instance.boards, instance.devices
        kind = np.repeat(np.arange(len(boards)), boards.count_max)
        taken = np.unique(self.board(instance))
        used = np.bincount(kind[taken[taken >= 0]], minlength=len(boards))
        had = np.maximum(boards.count_min, used)
        always = ~boards.off_when_unused
        for d in np.flatnonzero(~devices.off_when_unused & (devices.count_min > 0)).tolist():
            if devices.on_board[d] >= 0:
                always[devices.on_board[d]] = True
        return np.where(always, had, used), had

    def units_on(self, instance: Instance) -> tuple[Ints, Ints]:
        """Return units on and units had, per device."""
        devices = instance.devices
        used = np.bincount(self.device, minlength=len(devices))
        had = np.maximum(devices.count_min, used)
        return np.where(devices.off_when_unused, used, had), had


def carriers(instance: Instance) -> list[int]:
    """Return a device on each kind of board, at whose site the board draws; 0 where it has none."""
    at = instance.devices.on_board
    return [next(iter(np.flatnonzero(at == b).tolist()), 0) for b in range(len(instance.boards))]
