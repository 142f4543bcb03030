"""What decides about a schedule that runs, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hetopt.simulate.events import Action, Event, State
from hetopt.simulate.schedules.messages import Hop
from hetopt.solution import SchedulePlan


class SchedulePolicy(Protocol):
    """What decides about a schedule.

    Attributes
    ----------
    ordered
        Whether tasks start in the order in which they were asked for, on all units together.
    messages
        Order of the hops on each group of channels; None: first come, first served.
    """

    name: str
    delta_s: float | None
    ordered: bool
    messages: dict[int, list[Hop]] | None

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return what is to be done."""
        ...


@dataclass(frozen=True)
class Lost:
    """A run that a failure ended."""

    task: int
    option: int
    unit: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Run:
    """What became of a schedule.

    Attributes
    ----------
    plan
        Options (of the realised instance), units and starts of the runs that ended; option -1 of
        tasks that were never served.
    lost, wasted
        Runs that failures ended; hops to units where nothing read them: (tensor, link, start, end).
    decisions
        Actions that the policy asked for.
    """

    plan: SchedulePlan
    lost: tuple[Lost, ...]
    wasted: tuple[tuple[int, int, float, float], ...]
    end_s: float
    decisions: int
