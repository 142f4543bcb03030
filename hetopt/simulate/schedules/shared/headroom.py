"""What is left of the power cap and of resources while a schedule runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.instance.states.idle_sleep_start_up import home, idlers
from hetopt.simulate.schedules.shared.messages import Unit
from hetopt.simulate.schedules.shared.past_power import PastPower

SLACK = 1.0 + LIMIT_TOLERANCE


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run takes: power above idle (W; None: it takes no time), and of each resource."""

    watts: float | None
    uses: tuple[tuple[int, float], ...] = ()


class Room:
    """Power in use against the cap, what is on, and resources in use and spent.

    A unit that is on is so for the whole window, as ``evaluate`` counts it: so one more is opened
    only where the cap had room for its idle power, and that of its board, at all times before, too.
    What is slowed counts with its full power. Where something sleeps or draws energy to go on, what
    begins changes what was drawn before: :mod:`hetopt.simulate.schedules.shared.past_power`.

    Parameters
    ----------
    past
        Power over time where that matters, else None.
    clock
        Says what time it is.

    Attributes
    ----------
    cap_w
        The power cap that holds now; inf: none.
    """

    def __init__(
        self,
        instance: Instance,
        past: PastPower | None = None,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.past, self._clock = past, clock
        rows, resources = idlers(instance), instance.resources
        self.instance = instance
        self.cap_w = instance.limits.power_cap_w
        self._above_w, self._least_w = 0.0, math.inf
        self._idle: list[float] = rows.idle_power_w.tolist()
        self._always_on: list[bool] = rows.always_on.tolist()
        self._always: list[int] = rows.count_min.tolist()
        self._opened = [0] * len(rows)
        self._used: set[tuple[int, int]] = set()
        self._capacity: list[float] = resources.capacity.tolist()
        self._slow: list[bool] = resources.slow.tolist()
        self._budget: list[float] = resources.budget.tolist()
        self._held = [0.0] * len(resources)
        self._spent = [0.0] * len(resources)

    def passed(self) -> None:
        """Let time pass: what is drawn now was drawn."""
        # What is above the cap already forbids no unit: it is told as time above the cap.
        room = max(self.cap_w - self._above_w, self._idle_w())
        self._least_w = min(self._least_w, room)

    def fits(self, demand: Demand, unit: Unit, kept_w: float = 0.0) -> bool:
        """Whether a run may begin on a unit now, in the place of power that was kept for it."""
        watts = (demand.watts or 0.0) - kept_w
        lasting = demand.watts is not None
        return self.has_power(watts, unit, lasting) and self._has_resources(demand)

    def cap_changes(self, cap_w: float) -> None:
        """Let another cap hold from now on."""
        self.cap_w = cap_w
        if self.past is not None:
            self.past.cap_changes(self._clock(), cap_w)

    def has_power(self, watts: float, unit: Unit, lasting: bool = True) -> bool:
        """Whether the cap has room for a unit and what it is to draw above idle.

        Parameters
        ----------
        lasting
            Whether it takes a slot for some time.
        """
        if self.past is not None:
            idle, places = self._idle_w(), self._places(unit)
            more, opened = self._idle_w(unit) - idle, self._new(unit)
            taken = places if lasting else []
            return self.past.fits(self._clock(), idle, more, watts, opened, taken)
        if math.isinf(self.cap_w) and math.isinf(self._least_w):
            return True
        now, after = self._idle_w(), self._idle_w(unit)
        if after > now and after > self._least_w * SLACK:
            return False
        return self._above_w + watts + after <= self.cap_w * SLACK

    def _idle_w(self, more: Unit | None = None) -> float:
        """Return what is on draws: units and boards used, and those that are never off."""
        new = [] if more is None else self._new(more)
        total = 0.0
        for row, idle in enumerate(self._idle):
            used = self._opened[row]
            used += sum(place[0] == row for place in new)
            total += idle * (max(used, self._always[row]) if self._always_on[row] else used)
        return total

    def _new(self, unit: Unit) -> list[tuple[int, int]]:
        """Return what goes on for a unit."""
        return [place for place in self._places(unit) if place not in self._used]

    def _places(self, unit: Unit) -> list[tuple[int, int]]:
        return home(self.instance, *unit)

    def _has_resources(self, demand: Demand) -> bool:
        for k, need in demand.uses:
            held = self._held[k] + need
            if demand.watts is not None and not self._slow[k] and held > self._capacity[k] * SLACK:
                return False
            if self._spent[k] + need > self._budget[k] * SLACK:
                return False
        return True

    def holds_slot(self, unit: Unit) -> None:
        """Let a transfer take a slot of a unit."""
        if self.past is not None:
            self.past.begins(self._clock(), 0.0, self._new(unit), self._places(unit))
            self._open(unit)

    def frees_slot(self, unit: Unit) -> None:
        """End that."""
        if self.past is not None:
            self.past.ends(self._clock(), 0.0, self._places(unit))

    def _open(self, unit: Unit) -> None:
        for place in self._places(unit):
            if place not in self._used:
                self._used.add(place)
                self._opened[place[0]] += 1

    def take(self, demand: Demand, unit: Unit) -> None:
        """Begin a run."""
        if self.past is not None:
            taken = self._places(unit) if demand.watts is not None else []
            self.past.begins(self._clock(), demand.watts or 0.0, self._new(unit), taken)
        self._open(unit)
        if demand.watts is not None:
            self._above_w += demand.watts
            for k, need in demand.uses:
                self._held[k] += need
        for k, need in demand.uses:
            self._spent[k] += need

    def free(self, demand: Demand, unit: Unit, nothing_runs: bool, lost: bool = False) -> None:
        """End a run on a unit, or take it back where it is lost."""
        if self.past is not None and demand.watts is not None:
            end = self.past.is_lost if lost else self.past.ends
            end(self._clock(), demand.watts, self._places(unit))
        if demand.watts is not None:
            self._above_w -= demand.watts
            for k, need in demand.uses:
                self._held[k] -= need
        if nothing_runs:
            # What sums of floats leave over.
            self._above_w, self._held = 0.0, [0.0] * len(self._held)

    def refund(self, demand: Demand) -> None:
        """Give back what a run that was lost took of budgets: it counts for none."""
        for k, need in demand.uses:
            self._spent[k] -= need
