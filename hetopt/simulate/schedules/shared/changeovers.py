"""Set-ups of units while a schedule runs: what is loaded, and what is being loaded.

A unit has loaded what its last task that ended needed. A set-up for a run that is lost, or given up
before it began, is lost with it. It counts right before its task, as in plans: where the task has
to wait, its unit and its power wait with it.
"""

from __future__ import annotations

from dataclasses import dataclass

from hetopt.instance import Instance
from hetopt.instance.states.setups import KEEPS, configurations, device_setups
from hetopt.simulate.schedules.shared.messages import Unit


@dataclass(frozen=True, slots=True)
class Change:
    """A set-up for a task: from when until when, what it draws (J), and the power kept for it."""

    task: int
    begin_s: float
    end_s: float
    energy_j: float
    kept_w: float


class Changeovers:
    """What units have loaded."""

    def __init__(self, instance: Instance) -> None:
        self._known = device_setups(instance)
        self._number: list[int] = configurations(instance).tolist()
        self.loaded: dict[Unit, int] = {}
        self.under_way: dict[Unit, Change] = {}
        """Of the next task of each unit: begun, or done and waiting for the task."""
        self.before: dict[int, Change] = {}
        """Set-up that a task which runs had."""

    def wanted(self, unit: Unit, option: int) -> tuple[float, float]:
        """Return time (s) and energy (J) of the set-up that a run of an option needs."""
        number = self._number[option]
        if number == KEEPS:
            return 0.0, 0.0
        setups = self._known[unit[0]]
        source = self.loaded.get(unit, setups.first)
        return float(setups.time_s[source, number]), float(setups.energy_j[source, number])

    def starts(self, t: int, unit: Unit) -> Change | None:
        """Let the task begin that a unit was set up for; return its set-up."""
        change = self.under_way.pop(unit, None)
        if change is not None:
            self.before[t] = change
        return change

    def lost(self, t: int) -> Change | None:
        """Return the set-up of a run that is lost."""
        return self.before.pop(t, None)

    def ends(self, unit: Unit, option: int) -> None:
        """Note that a run of an option has ended."""
        if self._number[option] != KEEPS:
            self.loaded[unit] = self._number[option]
