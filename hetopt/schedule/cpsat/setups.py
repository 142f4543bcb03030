"""Set-ups of units between tasks of different configuration, in the CP-SAT model.

On each unit of a device with set-ups, the tasks that need a configuration form a path, the order in
which they run (a circuit through a depot; Balas, "The prize collecting traveling salesman problem",
Networks 19, 1989, for optional nodes). Nodes are (task i, configuration) with a literal n, arcs
literals z:

    circuit of z,  no node where not n;       s[j] >= e[i] + setup(i, j)      where z[i,j]
    set-up (p, joules) right before j where Σ_{i: setup(i, j) = (p, joules)} z[i,j]
    Σ_{i not of c, j of c} z[i,j] >= used[c] >= n[j]                          for each c

Options without a configuration are no nodes: they keep what is loaded. They, and hops that take a
slot, must not overlap a set-up, which is an interval of its own. The last row says that whatever a
unit runs of a configuration, it enters that configuration at least once: that is what the path's
relaxation sees least of.

Without these rows the model is the same instance with free set-ups: each plan is one there too, at
no higher an objective, so every bound of the instance without set-ups holds with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hetopt.instance.states.setups import KEEPS
from hetopt.instance.tariffs import prices_vary
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build, Drawn, Literal, Place, SetupRun
from hetopt.schedule.model.setups import Change, SetupTimes


@dataclass(frozen=True, slots=True)
class Node:
    """A task in one configuration on a unit."""

    task: int
    configuration: int
    literal: Literal


def add_setups(build: Build) -> None:
    """Order the tasks of each unit with set-ups, and add the set-ups that the order needs."""
    setups = SetupTimes.of(build.problem)
    for device in sorted(setups.devices):
        for unit in range(build.problem.units[device]):
            nodes = _nodes(build, setups, (device, unit))
            if nodes:
                _order(build, setups, (device, unit), nodes)
                _fit(build, (device, unit))


def _nodes(build: Build, setups: SetupTimes, place: Place) -> list[Node]:
    found = []
    for task, choices in enumerate(build.choices):
        own: dict[int, list[Literal]] = {}
        for choice in choices:
            number = setups.configuration[choice.mode.option]
            if choice.place == place and number != KEEPS:
                own.setdefault(number, []).append(choice.literal)
        for number, literals in own.items():
            literal = literals[0]
            if len(literals) > 1:
                literal = build.bool(f"n{task},{number}")
                build.model.add(sum(literals) == literal)
            found.append(Node(task, number, literal))
    return found


def _order(build: Build, setups: SetupTimes, place: Place, nodes: list[Node]) -> None:
    model, device = build.model, place[0]
    table, first = setups.devices[device], setups.first(device)
    arcs: list[tuple[int, int, Literal]] = [(0, 0, build.bool(f"z{place}"))]
    entered: dict[tuple[int, Change], list[Literal]] = {}
    changed: dict[int, list[Literal]] = {}
    for j, node in enumerate(nodes):
        arcs.append((j + 1, j + 1, node.literal.negated()))
        arcs.append((j + 1, 0, build.bool(f"z{j},")))
        for i, before in enumerate([None, *nodes]):
            if before is not None and before.task == node.task:
                continue
            literal = build.bool(f"z{i},{j + 1}")
            arcs.append((i, j + 1, literal))
            change = table[first if before is None else before.configuration][node.configuration]
            earliest: Any = change.ticks
            if before is not None:
                earliest = build.end[before.task] + change.ticks
            model.add(build.start[node.task] >= earliest).only_enforce_if(literal)
            if change.ticks or change.joules:
                entered.setdefault((j, change), []).append(literal)
            if before is None or before.configuration != node.configuration:
                changed.setdefault(node.configuration, []).append(literal)
    model.add_circuit(arcs)
    for (j, change), literals in entered.items():
        _set_up(build, place, nodes[j], change, literals)
    for number, literals in changed.items():
        used = build.bool(f"y{place},{number}")
        for node in nodes:
            if node.configuration == number:
                model.add_implication(node.literal, used)
        model.add(sum(literals) >= used)


def _set_up(
    build: Build, place: Place, node: Node, change: Change, literals: list[Literal]
) -> None:
    """Add one set-up right before a task, where one of the arcs into it is taken."""
    model, problem = build.model, build.problem
    literal = literals[0]
    if len(literals) > 1:
        literal = build.bool(f"p{node.task}")
        model.add(sum(literals) == literal)
    end = build.start[node.task]
    interval = None
    if change.ticks:
        interval = model.new_optional_interval_var(
            end - change.ticks, change.ticks, end, literal, f"p{node.task}"
        )
        build.occupied.setdefault(place, []).append(interval)
    build.setups.append(SetupRun(place, literal, interval, change))
    if change.joules:
        bill = tuple(change.joules * each[place[0]] for each in problem.joule_prices)
        build.paid.append((literal, bill))
        if prices_vary(problem.instance):
            build.drawn.append(_drawn(build, node, change, literal))


def _drawn(build: Build, node: Node, change: Change, literal: Literal) -> Drawn:
    """Return the energy of a set-up at its time, for prices that change over time."""
    problem, task = build.problem, node.task
    windows = TimeWindows.of(problem)
    heads, ends = windows.heads[task], windows.latest_ends[task]
    low = min(heads[c.mode.device] for c in build.choices[task])
    high = max(ends[c.mode.device] - c.mode.duration for c in build.choices[task])
    window = max(0, low - change.ticks), max(0, high - change.ticks)
    begin = build.model.new_int_var(*window, f"b{task}")
    shifted = begin == build.start[task] - change.ticks
    build.model.add(shifted).only_enforce_if(literal)
    # Both ends are rounded on a rounding grid: the begin may lie a tick earlier or later.
    loose = problem.grid.direction == "down"
    return Drawn(literal, begin, window, change.length, change.joules, loose)


def _fit(build: Build, place: Place) -> None:
    """Σ of what a unit runs and is set up for <= makespan: both are within it."""
    tasks = [
        c.mode.duration * c.literal
        for choices in build.choices
        for c in choices
        if c.place == place and c.mode.duration
    ]
    setups = [s.change.ticks * s.literal for s in build.setups if s.place == place]
    if tasks and setups:
        build.model.add(sum(tasks) + sum(setups) <= build.makespan)
