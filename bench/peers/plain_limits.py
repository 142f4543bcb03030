"""Memory and power of the textbook CP-SAT model: cumulatives, rounded so that plans are valid.

A unit holds the weights of all that it runs for the whole window, working memory while a task
runs, an output from its producer's start until all that read it there end and all messages of it
have left, a copy from when its message leaves until the last reader there ends. Messages leave
when their producer ends. The power is that of running tasks and the idle power of units that run
anything, or stay on.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from bench.peers.shop import Shop
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import Mode, option_power
from hetopt.schedule.model.resources import integer_demands

PARTS = 10**9
"""Parts of a limit that amounts are counted in where they have no common divisor."""

Chosen = list[list[tuple[tuple[int, Mode], Any]]]
"""Per task: ((place, mode), literal) of all ways to run it."""
Hold = tuple[Any, Fraction]
"""(interval, amount)."""


def limit_memory(
    plain: Shop, model: Any, chosen: Chosen, start: list[Any], end: list[Any], busy: list[list[Any]]
) -> bool:
    """Add what each unit with limited memory holds; return whether the rows are exact.

    They are not where there are messages: here each leaves at once, and one that waits may fit.
    """
    devices, options = plain.problem.instance.devices, plain.problem.instance.options
    limited = [bool(np.isfinite(devices.memory_b[device])) for device, _ in plain.places]
    if not any(limited):
        return True
    held: list[list[Hold]] = [[] for _ in plain.places]
    weights: dict[tuple[int, int], tuple[list[Any], Fraction]] = {}
    made = [iter(intervals) for intervals in busy]
    for row in chosen:
        for (place, mode), literal in row:
            interval = next(made[place])
            held[place].append((interval, exact(float(options.memory_b[mode.option]))))
            key = int(options.weights_key[mode.option])
            size = exact(float(options.weights_b[mode.option]))
            weights.setdefault((place, key), ([], size))[0].append(literal)
    for (place, key), (literals, size) in weights.items():
        if key >= 0 and limited[place]:
            resident = model.new_bool_var("")
            model.add_max_equality(resident, literals)
            held[place].append((_whole(plain, model, resident), size))
    _hold_tensors(plain, model, chosen, start, end, limited, held)
    capacities = [exact(float(devices.memory_b[d])) if limited[i] else None
                  for i, (d, _) in enumerate(plain.places)]  # fmt: skip
    whole = [
        _cumulative(model, rows, capacity)
        for rows, capacity in zip(held, capacities, strict=True)
        if capacity is not None
    ]
    return all(whole) and not len(plain.problem.producer)


def _hold_tensors(
    plain: Shop,
    model: Any,
    chosen: Chosen,
    start: list[Any],
    end: list[Any],
    limited: list[bool],
    held: list[list[Hold]],
) -> None:
    problem = plain.problem
    at = [at_places(model, row) for row in chosen]
    for tensor, consumers in plain.readers().items():
        producer, size = problem.producer[tensor], exact(problem.bytes_b[tensor])
        until = model.new_int_var(0, problem.span, "")
        model.add(until >= end[producer])
        for place, here in at[producer].items():
            for consumer in consumers:
                for target, there in at[consumer].items():
                    if target == place:
                        model.add(until >= end[consumer]).only_enforce_if(here, there)
                    elif delay := plain.delay(tensor, place, target):
                        leaves = end[producer] + delay
                        model.add(until >= leaves).only_enforce_if(here, there)
            if limited[place]:
                held[place].append((_span(plain, model, start[producer], until, here), size))
        for place in sorted({q for consumer in consumers for q in at[consumer] if limited[q]}):
            there = [at[consumer][place] for consumer in consumers if place in at[consumer]]
            read, copied = model.new_bool_var(""), model.new_bool_var("")
            model.add_max_equality(read, there)
            here = at[producer].get(place)
            # copied where it is read and not made here.
            model.add_bool_or([read.negated(), copied, *([] if here is None else [here])])
            gone = model.new_int_var(0, problem.span, "")
            model.add(gone >= end[producer])
            for consumer in consumers:
                if place in at[consumer]:
                    model.add(gone >= end[consumer]).only_enforce_if(at[consumer][place])
            held[place].append((_span(plain, model, end[producer], gone, copied), size))


def at_places(model: Any, row: list[tuple[tuple[int, Mode], Any]]) -> dict[int, Any]:
    """Return a literal for each place that a task may be at."""
    ways: dict[int, list[Any]] = {}
    for (place, _), literal in row:
        ways.setdefault(place, []).append(literal)
    found = {}
    for place, literals in ways.items():
        found[place] = literals[0]
        if len(literals) > 1:
            found[place] = model.new_bool_var("")
            model.add_max_equality(found[place], literals)
    return found


def limit_power(
    plain: Shop, model: Any, chosen: Chosen, busy: list[list[Any]], users: list[list[Any]]
) -> bool:
    """Add the power cap; return whether amounts are exact."""
    instance = plain.problem.instance
    cap = float(instance.limits.power_cap_w)
    if not np.isfinite(cap):
        return True
    made = [iter(intervals) for intervals in busy]
    held: list[Hold] = [
        (next(made[place]), option_power(instance, mode.option))
        for row in chosen
        for (place, mode), _ in row
    ]
    left = exact(cap)
    for place, (device, _) in enumerate(plain.places):
        idle = exact(float(instance.devices.idle_power_w[device]))
        if not bool(instance.devices.off_when_unused[device]):
            left -= idle
        elif users[place]:
            used = model.new_bool_var("")
            model.add_max_equality(used, users[place])
            held.append((_whole(plain, model, used), idle))
    if left < 0:
        model.add_bool_or([])
        return True
    return _cumulative(model, held, left)


def _whole(plain: Shop, model: Any, literal: Any) -> Any:
    return model.new_optional_fixed_size_interval_var(0, max(1, plain.problem.span), literal, "")


def _span(plain: Shop, model: Any, begin: Any, end: Any, literal: Any) -> Any:
    size = model.new_int_var(0, plain.problem.span, "")
    return model.new_optional_interval_var(begin, size, end, literal, "")


def _cumulative(model: Any, held: Sequence[Hold], capacity: Fraction) -> bool:
    rows = [(interval, amount) for interval, amount in held if amount > 0]
    if not rows:
        return True
    amounts = [amount for _, amount in rows]
    scaled = integer_demands(amounts, capacity, PARTS, "up")
    model.add_cumulative([interval for interval, _ in rows], scaled.demand, scaled.capacity)
    return all(d * scaled.unit == a for d, a in zip(scaled.demand, amounts, strict=True))
