"""What decides about a schedule that runs, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from hetopt.instance import Floats
from hetopt.simulate.events import Action, Event, State
from hetopt.simulate.schedules.shared.order import Order
from hetopt.solution import SchedulePlan

SUPPORTED = (
    "memory limits",
    "a power cap",
    "co-located tasks (together)",
    "anti-affinity (apart)",
    "tasks pinned to a unit",
    "set-ups",
    "set-ups that draw power under a cap",
    "resources",
    "resources that slow",
    "prices that change over time",
    "units that take time to go on",
    "sleep in gaps",
    "start-ups",
    "boards",
    "messages",
    "staged tensors",
    "transfers that hold slots (overlap: false)",
    "link channels",
    "paths that depend on the size of a message",
)
"""Features that the event loop knows; instances with others are refused."""
FORESEEN = ("sleep in gaps", "start-ups")
"""Those whose power depends on what begins later (``shared/past_power.py`` keeps caps beside)."""


class SchedulePolicy(Protocol):
    """What decides about a schedule.

    Attributes
    ----------
    order
        In which tasks and messages begin where they share something; None: first come, first
        served.
    """

    name: str
    delta_s: float | None
    order: Order | None

    def decide(self, state: State, event: Event) -> tuple[Action, ...]:
        """Return what is to be done."""
        ...


@dataclass(frozen=True)
class Lost:
    """A run that a failure ended; ``done_s`` of its time at full speed was done."""

    task: int
    option: int
    unit: int
    start_s: float
    end_s: float
    done_s: float


@dataclass(frozen=True)
class LostSetUp:
    """What a set-up of a unit of a device drew for nothing."""

    device: int
    begin_s: float
    end_s: float
    energy_j: float


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
    ends_s
        When each task ended (T); NaN where it was never served.
    set_ups
        Those that were for nothing.
    stuck
        What tasks wait for that never ran.
    """

    plan: SchedulePlan
    lost: tuple[Lost, ...]
    wasted: tuple[tuple[int, int, float, float], ...]
    end_s: float
    decisions: int
    ends_s: Floats
    set_ups: tuple[LostSetUp, ...]
    stuck: tuple[str, ...]
