"""Costs of a schedule whose units sleep in gaps, for the compiled list decoders.

:mod:`hetopt.schedule.list_scheduling.gap_kernels` says how they are counted. They are made where
something sleeps, goes on or stands on a board, and joules count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.states.idle_sleep_start_up import as_if_asleep, idlers, plain
from hetopt.schedule.model.joule_rates import prices_of, rates_of
from hetopt.schedule.model.objectives import ENERGY_LIKE
from hetopt.schedule.model.problem import Problem

if TYPE_CHECKING:
    from hetopt.schedule.list_scheduling.gap_kernels import Gaps


def gaps_count(instance: Instance) -> bool:
    """Whether the first objective counts what the gaps of units cost."""
    return instance.objective[0] in ENERGY_LIKE and not plain(instance)


def least_rates(instance: Instance) -> Floats:
    """Cost per second of the window by units in use (D × units + 1), all asleep that may be.

    Without what a board that is used draws, which :func:`gaps_of` has; what draws whatever runs is
    in the first device's row.
    """
    energy, price = prices_of(instance, instance.objective[0])
    if plain(instance):
        return rates_of(instance, energy, price)
    made, count = as_if_asleep(instance), len(instance.devices)
    energy, price = prices_of(made, instance.objective[0])
    rates = rates_of(made, energy, price)
    first = np.array(rates[:count])
    if len(first):
        first[0] += rates[count:, 0].sum()
    return np.ascontiguousarray(first)


def gaps_of(problem: Problem, instance: Instance, option: Ints, task: Ints) -> Gaps:
    """Make the tables of what idles.

    Parameters
    ----------
    problem
        On the grid of the decoder.
    instance
        As it truly is, of :func:`gaps_count`.
    option, task
        Of each choice. Boards of which more may be had count as if they were used in turn.
    """
    from hetopt.schedule.list_scheduling.gap_kernels import Gaps

    rows, devices, boards = idlers(instance), instance.devices, instance.boards
    tick, wide = float(problem.grid.tick), len(devices)
    joule, price = prices_of(instance, instance.objective[0])
    counts = np.concatenate([devices.count_max, boards.count_max])
    kind = np.repeat(np.arange(len(rows)), counts)
    number = np.arange(len(kind)) - np.repeat(np.cumsum(counts) - counts, counts)
    units = int(devices.count_max.sum())
    device, per_board = kind[:units], boards.per_board
    home = np.full((units, 2), -1, dtype=np.int64)
    home[:, 0] = np.arange(units)
    carried = np.flatnonzero(devices.on_board[device] >= 0)
    board = devices.on_board[device[carried]]
    first = units + np.cumsum(boards.count_max) - boards.count_max
    home[carried, 1] = first[board] + number[carried] // per_board[device[carried]]
    part, still = np.zeros(units), np.zeros(len(kind))
    asleep = rows.sleep_power_w * joule[rows.device]
    for b in range(len(boards)):
        mine = np.flatnonzero(devices.on_board == b)
        if len(mine) and not rows.always_on[wide + b]:
            part[np.isin(device, mine)] = asleep[wide + b] / float(per_board[mine].sum())
        later = (kind == wide + b) & (number >= boards.count_min[b])
        drawn = (kind == wide + b) & (not rows.always_on[wide + b])
        still += (drawn | later) * asleep[wide + b] + later * boards.price_per_s[b] * price
    more = (rows.idle_power_w - rows.sleep_power_w) * joule[rows.device] * tick
    added = as_if_asleep(instance).options.energy_j[option] - instance.options.energy_j[option]
    n = problem.n_tasks
    return Gaps(
        home=home,
        part=part * tick,
        low=(rows.start_up_time_s / tick)[kind],
        on=(rows.start_up_energy_j * joule[rows.device] + rows.start_up_cost * price)[kind],
        more=more[kind],
        wake=(rows.wake_energy_j * joule[rows.device])[kind],
        least=(rows.wake_time_s / tick)[kind],
        still=still * tick,
        share=added * instance.tasks.work[task] * joule[instance.options.device[option]],
        order=np.arange(n),
        time=np.zeros((2, n)),
        reached=np.zeros(len(kind)),
    )


def no_gaps() -> Gaps:
    """Return the tables of an instance in which gaps cost nothing of their own."""
    from hetopt.schedule.list_scheduling.gap_kernels import Gaps

    empty = dict.fromkeys(Gaps._fields, np.zeros(0))
    empty |= {"home": np.zeros((0, 2), dtype=np.int64), "order": np.zeros(0, dtype=np.int64)}
    return Gaps(**{**empty, "time": np.zeros((2, 0))})


def fresh(gaps: Gaps) -> Gaps:
    """Return the tables with room of its own to count in."""
    first = gaps._fields.index("order")
    return type(gaps)(*gaps[:first], *(array.copy() for array in gaps[first:]))
