"""Longest chains of shortest options: the least end of each task, and what makes it so."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.paths import Network, message_tables

TASKS_SHOWN = 8
"""Tasks of a chain that are named."""


def chains(instance: Instance, time_s: Floats, begin_s: Floats) -> tuple[Floats, list[int]]:
    """Return the least end of each task (T), and the task that it waits for longest (-1: none).

    A message between devices takes its path's time; on one device it may be free.

    Parameters
    ----------
    time_s
        Time of each option with ``work`` 1 (O).
    begin_s
        Earliest start of each job's tasks (J).
    """
    tasks, options, edges = instance.tasks, instance.options, instance.edges
    wide = len(instance.devices)
    ptr, option = instance.admissible
    owner = np.repeat(np.arange(len(tasks)), np.diff(ptr))
    length = np.full((len(tasks), wide), np.inf)
    times = tasks.work[owner] * time_s[option]
    np.minimum.at(length, (owner, options.device[option]), times)
    begin = np.repeat(begin_s[tasks.job][:, None], wide, axis=1)
    chain = [-1] * len(tasks)
    network = Network(instance)
    tables = message_tables(instance)
    end = np.full((len(tasks), wide), np.inf)
    into, rows = instance.predecessors
    for t in instance.topological_order.tolist():
        latest = -np.inf
        for e in rows[into[t] : into[t + 1]].tolist():
            src, tensor = int(edges.src[e]), int(edges.tensor[e])
            if tensor < 0 or instance.tensors.staged[tensor]:
                # A staged message takes at least nothing, on the host's own units.
                arrive = np.full(wide, end[src].min())
            else:
                size = float(instance.tensors.bytes_b[tensor])
                with np.errstate(invalid="ignore"):
                    delay = tables.latency_s + size * tables.s_per_b
                delay = np.where(np.isnan(delay), _delays(network, wide, size), delay)
                np.fill_diagonal(delay, 0.0)
                arrive = (end[src][:, None] + delay).min(axis=0)
            begin[t] = np.maximum(begin[t], arrive)
            soonest = float((arrive + length[t]).min())
            if soonest > latest:
                latest, chain[t] = soonest, src
        end[t] = begin[t] + length[t]
    return end.min(axis=1), chain


def chain_of(instance: Instance, chain: list[int], last: int) -> str:
    """Name the tasks of the chain that ends with ``last``."""
    names = []
    while last >= 0:
        names.append(str(instance.tasks.name[last]))
        last = chain[last]
    names.reverse()
    if len(names) > TASKS_SHOWN:
        names = [*names[:4], "...", *names[-3:]]
    return " → ".join(names)


def _delays(network: Network, wide: int, size: float) -> Floats:
    return np.array([[network.time_s(a, b, size) for b in range(wide)] for a in range(wide)])
