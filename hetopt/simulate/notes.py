"""What of a question has no effect on a run, so that nobody takes its silence for an answer."""

from __future__ import annotations

from collections.abc import Sequence

from hetopt import units
from hetopt.instance import Instance
from hetopt.simulate.events import Event, RateChanged
from hetopt.simulate.failures import events_of, is_drawn
from hetopt.simulate.question import Question

MOST = 3
"""Events that a note names; how many there are it says anyway."""


def stated_events(instance: Instance, question: Question) -> list[Event]:
    """Return the events that a question states: those drawn are none."""
    found = list(question.events)
    if question.failures is not None and not is_drawn(question.failures):
        found += events_of(instance, question.failures, "--failures")
    return found


def without_effect(
    events: Sequence[Event], end_s: float, arrived_s: float = 0.0, trace: bool = False
) -> list[str]:
    """Return a sentence each about events after the end of all runs, and rates that draw nothing.

    Parameters
    ----------
    end_s
        When the last policy was done.
    arrived_s
        When the last request came, for which rates matter.
    trace
        Whether requests are those of a trace, whatever rates are.
    """
    rates = [e for e in events if isinstance(e, RateChanged)]
    late = [e for e in events if not isinstance(e, RateChanged) and e.time_s > end_s]
    found = []
    if late:
        text = f"without effect: the last run had ended before ({_time(end_s)})"
        found.append(f"{_named(late)} {text}.")
    unheard = rates if trace else [e for e in rates if e.time_s >= arrived_s]
    if unheard:
        text = f"the last request had come before ({_time(arrived_s)})"
        text = "requests are those of the trace" if trace else text
        found.append(f"{_named(unheard)} without effect: {text}.")
    return found


def _named(events: Sequence[Event]) -> str:
    named = [f"{e.event} at {_time(e.time_s)}" for e in events[:MOST]]
    more = [f"and {len(events) - MOST} more events"] if len(events) > MOST else []
    return ", ".join([*named, *more])


def _time(value: float) -> str:
    return units.format(value, "time", digits=4)
