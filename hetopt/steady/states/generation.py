"""States that are too many to list: column generation, with a bound at any time.

The program over the states found so far is solved; at the prices of its rows the best state of each
domain is looked for (:mod:`hetopt.steady.states.pricing`), and what is worth more than the time it
takes is added. With V_g the most that any state of domain g is worth, and μ_g the price of its
time, no state has a reduced cost below μ_g − V_g, and their parts of the time sum to 1 at most. So
for any prices, whatever solver they are from,

    (what the duals prove for the program over some states) − Σ_g max(0, V_g − μ_g)

bounds the program over all. Ranges of variables that the first term needs follow from the program
without states, of which every other is a restriction.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.solvers.lp_bound import ABOVE, dual_value, implied_ranges
from hetopt.solvers.mip_arrays import MipArrays, mip_arrays
from hetopt.solvers.relaxation import Relaxation, Relaxed
from hetopt.solvers.result import safe_bound
from hetopt.steady.program.scenarios import StreamModel
from hetopt.steady.states.pricing import StatePrices, worthiest
from hetopt.steady.states.rows import OCCUPATION, TIME, UNITS, WORK
from hetopt.steady.states.states import State, States, make_state

WORTH = 1e-9
"""Relative gain below which another state is not worth a round."""

Options = Mapping[int, Sequence[int]]


@dataclass(frozen=True, slots=True)
class Generated:
    """States found, and the bound of the linear program over all (SI), NaN where none is known.

    ``infeasible``: the program over the states found has no point, which proves nothing.
    """

    states: States
    bound: float
    infeasible: bool = False


def first_states(instance: Instance, options: Options) -> States:
    """Return a few states to begin with: each option alone, and on all slots of its device."""
    found = []
    for g, domain in enumerate(slow_domains(instance)):
        for d in domain.devices:
            for o in options[d]:
                most = int(instance.devices.slots[d] * instance.devices.count_max[d])
                found += [make_state(instance, g, {o: n}) for n in sorted({1, most})]
    return States(tuple(found), complete=False)


def joined(first: States, more: Sequence[State]) -> States:
    """Return states with some more, each once; those that were there keep their numbers."""
    known = {state.key for state in first.states}
    added = []
    for state in more:
        if state.key not in known:
            known.add(state.key)
            added.append(state)
    return States((*first.states, *added), first.complete)


def generate(
    instance: Instance,
    options: Options,
    states: States,
    build: Callable[[States | None], tuple[StreamModel, float]],
    until: float,
) -> Generated:
    """Solve the linear program over all states.

    Parameters
    ----------
    build
        Returns the program over some states (None: without any rows of states), aimed at its
        objective, and what that in SI units was multiplied by.
    until
        Time (of ``time.monotonic``) by which to return with what is known.
    """
    loose_model, scale = build(None)
    loose = mip_arrays(loose_model.problem)
    best = -math.inf
    arrays = loose
    while True:
        model, scale = build(states)
        arrays = mip_arrays(model.problem)
        found = Relaxation(arrays).solve(time_limit_s=max(0.01, until - time.monotonic()))
        if found.outcome == "infeasible":
            return Generated(states, math.nan, infeasible=True)
        if found.outcome != "optimal":
            break
        raw, more = _priced(instance, options, arrays, loose, found)
        best = max(best, raw)
        grown = joined(states, more)
        if len(grown.states) == len(states.states) or time.monotonic() >= until:
            break
        states = grown
    safe = safe_bound(arrays, best) if math.isfinite(best) else None
    return Generated(states, math.nan if safe is None else safe / scale)


def _priced(
    instance: Instance, options: Options, arrays: MipArrays, loose: MipArrays, found: Relaxed
) -> tuple[float, list[State]]:
    """Return the bound at the duals of a program, and states that are worth their time."""
    time_price, prices = _prices(arrays, found)
    value = _proven(arrays, loose, found)
    more = []
    for g, domain in enumerate(slow_domains(instance)):
        at = time_price.get(g, 0.0)
        least = at + WORTH * max(abs(found.objective), abs(at))
        worth = worthiest(instance, domain, options, prices, at)
        value -= max(0.0, worth.most - at)
        more += [make_state(instance, g, slots) for v, slots in worth.best if v > least]
    return value, more


def _prices(arrays: MipArrays, found: Relaxed) -> tuple[dict[int, float], StatePrices]:
    """Read the prices of the time of each domain, and those of the rows that states are in."""
    at: dict[int, float] = {}
    work: dict[int, list[tuple[float, float]]] = {}
    slot: dict[int, float] = {}
    unit: dict[int, dict[int, float]] = {}
    for name, dual in zip(arrays.row_names, found.row_duals.tolist(), strict=True):
        price = max(0.0, -dual)
        family, *numbers = name.split("_", 2)
        if family == TIME:
            at[int(numbers[0])] = price
        elif family == WORK and price > 0:
            work.setdefault(int(numbers[0]), []).append((float(numbers[1]), price))
        elif family == OCCUPATION:
            slot[int(numbers[0])] = price
        elif family == UNITS:
            unit.setdefault(int(numbers[0]), {})[int(numbers[1])] = price
    units = {d: [mine.get(k, 0.0) for k in range(1, max(mine) + 1)] for d, mine in unit.items()}
    return at, StatePrices(work, slot, units)


def _proven(arrays: MipArrays, loose: MipArrays, found: Relaxed) -> float:
    """Return what the duals prove for the states listed, with ranges that hold for any states."""
    cutoff = found.objective + ABOVE * abs(found.objective)
    low, high = implied_ranges(loose, loose.lower, loose.upper, cutoff)
    at = {name: j for j, name in enumerate(loose.names)}
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    for j, name in enumerate(arrays.names):
        if name in at:
            lower[j], upper[j] = low[at[name]], high[at[name]]
        elif name.startswith("l_"):
            upper[j] = min(upper[j], 1.0)
    value, size = dual_value(arrays, found.row_duals, lower, upper, arrays.cost)
    return min(cutoff, value + arrays.offset - 1e-15 * (size + abs(arrays.offset)))
