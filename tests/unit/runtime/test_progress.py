"""What is told of the course of a solve: it only gets better, and names what made the plan."""

from __future__ import annotations

import math

import pytest

from hetopt import Instance, Model, read_instance, solve
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import is_maximised
from hetopt.runtime.progress import forward
from hetopt.solution import HistoryEntry, Solution

NAN = math.nan


def entries(*rows: tuple[float, float]) -> list[HistoryEntry]:
    return [HistoryEntry(float(i), *row) for i, row in enumerate(rows)]


def told(history: tuple[HistoryEntry, ...]) -> list[tuple[float, float, float]]:
    return [(e.time_s, e.objective, e.bound) for e in history]


def test_each_entry_has_the_best_so_far_and_none_is_beyond_the_end() -> None:
    seen = entries((NAN, 3.0), (10.0, 2.0), (7.9, 5.0), (9.0, 9.0), (NAN, 6.0))
    assert told(forward(seen, "energy", 8.0, 6.0, 9.0))[1:] == [
        (1.0, 10.0, 3.0),
        (2.0, 8.0, 5.0),
        (3.0, 8.0, 6.0),
    ]


def test_what_is_maximised_grows_and_its_bound_falls() -> None:
    seen = entries((1.0, 9.0), (3.0, 9.5), (2.0, 8.0))
    assert told(forward(seen, "throughput", 4.0, 8.5, 7.0)) == [
        (0.0, 1.0, 9.0),
        (1.0, 3.0, 9.0),
        (2.0, 3.0, 8.5),
        (7.0, 4.0, 8.5),
    ]


def test_a_bound_that_was_dropped_is_not_told() -> None:
    (one,) = forward(entries((5.0, 7.0)), "energy", 5.0, NAN, 1.0)
    assert one.objective == 5.0
    assert math.isnan(one.bound)


def monotone(solution: Solution) -> bool:
    sign = -1.0 if is_maximised(solution.objective_names[0]) else 1.0
    values = [sign * e.objective for e in solution.history if not math.isnan(e.objective)]
    bounds = [sign * e.bound for e in solution.history if not math.isnan(e.bound)]
    last = solution.history[-1]
    ends = (last.objective, last.bound) == (solution.objective, solution.bound)
    return ends and values == sorted(values, reverse=True) and bounds == sorted(bounds)


FLEET = """
hetopt: 1
regime: steady
objective: [cost, power]
currency: USD
devices:
  - {name: a, count: {min: 0}, idle_power: 3, price: 2, memory: 40}
  - {name: b, count: {min: 0}, idle_power: 2, price: 3, memory: 50}
  - {name: c, count: {min: 0}, idle_power: 1, price: 1, memory: 20}
jobs:
  - {name: x, rate: 7, options: [{device: a, time: 0.3, energy: 2, weights: 20},
     {device: b, time: 0.2, energy: 3, weights: 20},
     {device: c, time: 0.9, energy: 1, weights: 20}]}
  - {name: y, rate: 3, options: [{device: a, time: 0.5, energy: 2, weights: 30},
     {device: b, time: 0.6, energy: 1, weights: 30}]}
  - {name: z, rate: 11, options: [{device: b, time: 0.1, energy: 2, weights: 10},
     {device: c, time: 0.4, energy: 2, weights: 10}]}
"""


@pytest.mark.parametrize("method", ["auto", "heuristic"])
def test_the_history_of_a_fleet_never_goes_backwards(method: str) -> None:
    """Of two objectives it is that of the first, in its unit."""
    fleet = read_instance("x.yaml", text=FLEET, format="yaml")
    solution = solve(fleet, method=method, time_limit=20)
    assert monotone(solution)
    assert solution.method_asked == method


def pair() -> Instance:
    model = Model(objective="energy")
    fast, slow = model.device("fast", idle_power=1), model.device("slow", idle_power=1)
    job = model.job("j", deadline=10)
    for k in range(3):
        options = [fast.option(time=1, energy=5), slow.option(time=2, energy=1)]
        job.task(f"t{k}", options=options)
    return model.build()


def test_the_method_is_what_made_the_plan_and_what_was_asked_stays_visible() -> None:
    """Three tasks are too few for annealing to find anything that listing does not."""
    solution = solve(pair(), method="anneal", time_limit=20)
    assert solution.status == "optimal"
    assert solution.method != "anneal"
    assert solution.method_asked == "anneal"
    assert solution_to_dict(pair(), solution)["method_asked"] == "anneal"
    assert monotone(solution)


def test_a_start_that_nothing_beats_is_what_made_the_plan() -> None:
    best = solve(pair(), time_limit=20)
    again = solve(pair(), start=best.plan, time_limit=20)
    assert (best.method_asked, again.method) == ("auto", "start")
