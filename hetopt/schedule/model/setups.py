"""Set-ups of units on a grid: their ticks, joules and watts, and which ones a plan needs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from hetopt.instance.states.setups import KEEPS, configurations, device_setups
from hetopt.schedule.model.grid import exact

if TYPE_CHECKING:
    from hetopt.schedule.model.problem import Mode, Problem


@dataclass(frozen=True, slots=True)
class Change:
    """One set-up: ticks, the same not rounded, joules and watts above idle (0 W in no time)."""

    ticks: int
    length: Fraction
    joules: Fraction
    watts: Fraction


class SetupTimes:
    """Set-ups of every device, by number of configuration.

    Attributes
    ----------
    devices
        Per device that has set-ups: (C + 1) × C changes, the last row from what is loaded at first.
    configuration
        Per option; ``KEEPS`` where it keeps what is loaded.
    """

    def __init__(self, problem: Problem) -> None:
        grid = problem.grid
        self.configuration: list[int] = configurations(problem.instance).tolist()
        self.devices: dict[int, list[list[Change]]] = {}
        for device, setups in device_setups(problem.instance).items():
            rows = zip(setups.time_s.tolist(), setups.energy_j.tolist(), strict=True)
            self.devices[device] = [
                [
                    Change(
                        grid.ticks(exact(t)),
                        exact(t) / grid.tick,
                        exact(e),
                        exact(e) / exact(t) if t else Fraction(0),
                    )
                    for t, e in zip(times, energies, strict=True)
                ]
                for times, energies in rows
            ]

    @classmethod
    def of(cls, problem: Problem) -> SetupTimes:
        """Return the set-ups of a problem; made once."""
        if cls not in problem.derived:
            problem.derived[cls] = cls(problem)
        found: SetupTimes = problem.derived[cls]
        return found

    def first(self, device: int) -> int:
        """Row of what a unit has loaded at first."""
        return len(self.devices[device]) - 1

    @property
    def all_watts(self) -> list[Fraction]:
        """Watts of all changes, each once, ascending."""
        rows = (row for table in self.devices.values() for row in table)
        return sorted({change.watts for row in rows for change in row})

    def ticks(self, mode: list[Mode], unit: list[int], start: list[int]) -> list[int]:
        """Return the ticks of the set-up right before each task of a placement, 0 for none."""
        found = [0] * len(mode)
        if not self.devices:
            return found
        loaded: dict[tuple[int, int], int] = {}
        for task in sorted(range(len(mode)), key=lambda t: (start[t], t)):
            device, own = mode[task].device, self.configuration[mode[task].option]
            if own == KEEPS:
                continue
            here = (device, unit[task])
            before = loaded.get(here, self.first(device))
            found[task] = self.devices[device][before][own].ticks
            loaded[here] = own
        return found
