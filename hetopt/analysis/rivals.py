"""Homogeneous placements of an instance, and the heterogeneous one that they are compared with."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hetopt.analysis.explanation.shortfall import shortfalls
from hetopt.instance import Instance, is_maximised
from hetopt.instance.overrides import restrict
from hetopt.instance.questions import stuck_tasks
from hetopt.runtime.executors.loop import Report, in_order
from hetopt.solution import Plan, Solution, with_options
from hetopt.solve import SolveOptions, solve_with

REASON_S = 2.0
"""Time limit of what asks why a rival has no plan; half of it is for its one solve."""
RivalType = Literal["device", "kind"]


@dataclass(frozen=True)
class Rival:
    """A homogeneous placement and its solution.

    Attributes
    ----------
    name
        Name of the device, or ``kind:gpu``.
    kind
        Kind of the device or devices.
    type
        ``device`` or ``kind``.
    devices
        Indices of the devices whose units may run tasks.
    solution
        In terms of the instance compared, also its plan.
    cannot_run
        Names of the tasks that none of the devices has an option for.
    hosted
        Names of the tasks that the host ran for it.
    """

    name: str
    kind: str
    type: RivalType
    devices: tuple[int, ...]
    solution: Solution
    cannot_run: tuple[str, ...] = ()
    hosted: tuple[str, ...] = ()


@dataclass(slots=True)
class Study:
    """One instance whose rivals and heterogeneous side are solved with the same options."""

    instance: Instance
    options: SolveOptions
    host: int
    stop: threading.Event
    executor: Executor | None = None

    def rivals(
        self,
        tell: Report,
        types: Sequence[RivalType] = ("device", "kind"),
        known: Sequence[Rival] = (),
    ) -> list[Rival]:
        """Solve every rival that has a unit; a kind of one device is that device's solution.

        Parameters
        ----------
        known
            Rivals whose solutions hold for this instance; they are not solved again.
        """
        devices = self.instance.devices
        present = np.flatnonzero(devices.count_max != 0)
        solved: dict[tuple[int, ...], Rival] = {r.devices: r for r in known}
        contest: list[tuple[str, RivalType, tuple[int, ...]]] = []
        for kind_of_rival in types:
            groups: dict[str, list[int]] = {}
            for d in present:
                name = str(devices.name[d])
                key = name if kind_of_rival == "device" else f"kind:{devices.kind[d]}"
                groups.setdefault(key, []).append(int(d))
            contest += [(name, kind_of_rival, tuple(group)) for name, group in groups.items()]
        asked: dict[tuple[int, ...], _Asked] = {}
        for name, type_, group in contest:
            if group not in solved:
                asked.setdefault(group, self._ask(name, type_, group))
        work = {f"homogeneous placement {ask.name}": ask for ask in asked.values()}
        for _, rival in in_order(self.executor, _rival, work, self.stop, tell):
            solved[rival.devices] = rival
        for group, ask in asked.items():
            # Of a rival that was not asked, nothing is proven: it must not be missing either.
            if group not in solved:
                solved[group] = _rival(ask, self.stop)
        return [replace(solved[group], name=name, type=type_) for name, type_, group in contest]

    def rival(self, name: str, type_: RivalType, devices: tuple[int, ...]) -> Rival:
        """Solve one rival, here."""
        return _rival(self._ask(name, type_, devices), self.stop)

    def with_reasons(self, rivals: Sequence[Rival]) -> list[Rival]:
        """Say of rivals without any plan what they lack, where a solve of at most 1 s tells it."""
        known: dict[tuple[int, ...], str] = {}
        told = []
        for rival in rivals:
            solution = rival.solution
            if solution.status == "infeasible" and not rival.cannot_run:
                if rival.devices not in known and not self.stop.is_set():
                    known[rival.devices] = self._shortfall(rival.devices)
                text = known.get(rival.devices) or solution.reason
                rival = replace(rival, solution=replace(solution, reason=text))
            told.append(rival)
        return told

    def _shortfall(self, devices: tuple[int, ...]) -> str:
        allowed = np.zeros(len(self.instance.devices), dtype=bool)
        allowed[list(devices)] = True
        restricted = replace(
            restrict(self.instance, allowed, self.host)[0], allow_mixed_scopes=True
        )
        limit_s = min(REASON_S, self.options.time_limit_s)
        found = shortfalls(restricted, replace(self.options, time_limit_s=limit_s))
        return found[0] if found else ""

    def _ask(self, name: str, type_: RivalType, devices: tuple[int, ...]) -> _Asked:
        return _Asked(self.instance, self.options, self.host, name, type_, devices)

    def heterogeneous(self, rivals: Sequence[Rival]) -> Solution:
        """Solve with all devices, from the best rival's plan."""
        return solve_with(
            self.instance, self.options, start=best_plan(self.instance, rivals), stop=self.stop
        )


@dataclass(frozen=True)
class _Asked:
    """One rival to solve."""

    instance: Instance
    options: SolveOptions
    host: int
    name: str
    type: RivalType
    devices: tuple[int, ...]


def _rival(asked: _Asked, stop: threading.Event) -> Rival:
    instance = asked.instance
    allowed = np.zeros(len(instance.devices), dtype=bool)
    allowed[list(asked.devices)] = True
    restricted, old, hosted = restrict(instance, allowed, asked.host)
    restricted = replace(restricted, allow_mixed_scopes=True)
    stuck = stuck_tasks(restricted)
    solution = solve_with(restricted, asked.options, stop=stop)
    names = instance.tasks.name
    return Rival(
        name=asked.name,
        kind=str(instance.devices.kind[asked.devices[0]]),
        type=asked.type,
        devices=asked.devices,
        solution=_in_terms_of(solution, old),
        cannot_run=tuple(names[stuck].tolist()),
        hosted=tuple(names[hosted].tolist()) if solution.plan is not None else (),
    )


def best_plan(instance: Instance, rivals: Sequence[Rival]) -> Plan | None:
    """Return the best of the rivals' plans, None where none has one."""
    sign = [-1.0 if is_maximised(name) else 1.0 for name in instance.objective]
    known = [r.solution for r in rivals if r.solution.plan is not None]
    if not known:
        return None
    best = min(known, key=lambda s: [f * v for f, v in zip(sign, s.objectives, strict=True)])
    return best.plan


def _in_terms_of(solution: Solution, old: np.ndarray) -> Solution:
    """Tell a restricted instance's solution by the option indices of the whole instance."""
    if solution.plan is None:
        return solution
    return replace(solution, plan=with_options(solution.plan, old))
