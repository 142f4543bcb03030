"""The heterogeneous placement against the best homogeneous one (design §3.4).

A rival is the best solution in which only one device's units (or one kind's) run tasks. Rivals
and the heterogeneous side are solved by the same solver with the same options; the best rival's
checked plan starts the heterogeneous solve, so the gain is never negative.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Unpack

import numpy as np

from hetopt.analysis.gain import Gain, gain_over
from hetopt.caveats import caveats
from hetopt.checks import check_question, stuck_tasks
from hetopt.errors import InputError, Problem
from hetopt.instance import Bools, Instance, is_maximised
from hetopt.overrides import (
    keep_options,
    restrict,
    scale_idle,
    with_free_counts,
    without_device,
)
from hetopt.solution import Plan, Shown, Solution, with_options
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of, solve_with

Basis = Literal["units", "power", "price"]
RivalType = Literal["device", "kind"]
Report = Callable[[str], None]

IDLE_FACTORS = (0.75, 1.25)
"""How far idle power is varied: idle figures are often upper bounds or data-sheet values."""


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


@dataclass(frozen=True)
class Sensitivity:
    """The gain under one change of the instance."""

    change: str
    gain: Gain
    best: str


@dataclass(frozen=True)
class Comparison(Shown):
    """The heterogeneous solution beside its rivals.

    Attributes
    ----------
    best
        Name of the best rival of the chosen type; empty where none can serve the work.
    gain
        Over the best rival, and proven over all of them.
    interrupted
        Whether Ctrl-C stopped it, so that what follows the heterogeneous solve may be missing.
    """

    instance: Instance
    basis: Basis
    rival: RivalType
    host: str
    heterogeneous: Solution
    rivals: tuple[Rival, ...]
    best: str
    gain: Gain
    sensitivity: tuple[Sensitivity, ...]
    interrupted: bool = False
    notes: tuple[str, ...] = field(default=())


def compare(
    instance: Instance | Buildable,
    *,
    basis: Basis = "units",
    rival: RivalType = "device",
    host: str | None = None,
    options: SolveOptions | None = None,
    sensitivity: bool = True,
    stop: threading.Event | None = None,
    report: Report | None = None,
    **solving: Unpack[SolveFields],
) -> Comparison:
    """Compare the heterogeneous placement with homogeneous ones.

    Parameters
    ----------
    instance
        What to place.
    basis
        ``units``: the instance's own units; ``power``, ``price``: counts free on both sides under
        the power cap or the budget.
    rival
        Whether the gain is over the best single device or the best single kind.
    host
        Name of a device that rivals may use for tasks that they have no option for.
    options
        How each side is solved; the time limit holds for each solve.
    sensitivity
        Whether to solve again with other idle power, with each device left out, and without
        preview or estimated rows.
    stop
        Set it to stop early; what is known by then is returned.
    report
        Called with a line about what is being solved.
    **solving
        Options by keyword (``time_limit="20 s"``, ``gap="1 %"``, ``seed=1``, ...), which precede
        those of ``options``; see :class:`hetopt.solve.SolveFields`.

    Returns
    -------
    Comparison
        With ``gain`` (over the best rival's plan) and ``gain.proven`` (over the rivals' bounds).

    Raises
    ------
    InputError
        Where the question cannot be asked: no power cap or budget for the basis, unknown host.
    """
    options = options_of(options, solving)
    stop = stop or threading.Event()
    tell = report or (lambda line: None)
    instance = _on_basis(built(instance), basis)
    check_question(instance)
    host_index = _host_index(instance, host)
    study = _Study(instance, options, host_index, stop)
    rivals = study.rivals(tell)
    tell("heterogeneous placement")
    ours = study.heterogeneous(rivals)
    contest = [r for r in rivals if r.type == rival]
    best, gain = gain_over(ours, [(r.name, r.solution) for r in contest])
    changes: tuple[Sensitivity, ...] = ()
    if sensitivity and not stop.is_set():
        changes = tuple(_sensitivities(study, contest, rival, tell))
    return Comparison(
        instance=instance,
        basis=basis,
        rival=rival,
        host=host or "",
        heterogeneous=ours,
        rivals=tuple(rivals),
        best=best,
        gain=gain,
        sensitivity=changes,
        interrupted=stop.is_set(),
        notes=caveats(instance),
    )


class _Study:
    """One instance whose rivals and heterogeneous side are solved with the same options."""

    def __init__(
        self, instance: Instance, options: SolveOptions, host: int, stop: threading.Event
    ) -> None:
        self.instance = instance
        self.options = options
        self.host = host
        self.stop = stop

    def rivals(self, tell: Report, types: Sequence[RivalType] = ("device", "kind")) -> list[Rival]:
        """Solve every rival that has a unit; a kind of one device is that device's solution."""
        devices = self.instance.devices
        present = np.flatnonzero(devices.count_max != 0)
        solved: dict[tuple[int, ...], Rival] = {}
        result: list[Rival] = []
        for kind_of_rival in types:
            groups: dict[str, list[int]] = {}
            for d in present:
                name = str(devices.name[d])
                key = name if kind_of_rival == "device" else f"kind:{devices.kind[d]}"
                groups.setdefault(key, []).append(int(d))
            for name, members in groups.items():
                key_devices = tuple(members)
                kind = str(devices.kind[members[0]])
                if key_devices not in solved:
                    tell(f"homogeneous placement {name}")
                    solved[key_devices] = self.rival(name, kind, kind_of_rival, key_devices)
                known = solved[key_devices]
                result.append(replace(known, name=name, type=kind_of_rival))
        return result

    def rival(self, name: str, kind: str, type_: RivalType, devices: tuple[int, ...]) -> Rival:
        """Solve one rival."""
        allowed = np.zeros(len(self.instance.devices), dtype=bool)
        allowed[list(devices)] = True
        restricted, old, hosted = restrict(self.instance, allowed, self.host)
        restricted = replace(restricted, allow_mixed_scopes=True)
        stuck = stuck_tasks(restricted)
        solution = solve_with(restricted, self.options, stop=self.stop)
        names = self.instance.tasks.name
        return Rival(
            name=name,
            kind=kind,
            type=type_,
            devices=devices,
            solution=_in_terms_of(solution, old),
            cannot_run=tuple(names[stuck].tolist()),
            hosted=tuple(names[hosted].tolist()) if solution.plan is not None else (),
        )

    def heterogeneous(self, rivals: Sequence[Rival]) -> Solution:
        """Solve with all devices, from the best rival's plan."""
        return solve_with(
            self.instance, self.options, start=_best_plan(self.instance, rivals), stop=self.stop
        )


def _best_plan(instance: Instance, rivals: Sequence[Rival]) -> Plan | None:
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


def _on_basis(instance: Instance, basis: Basis) -> Instance:
    if basis == "units":
        return instance
    limits = instance.limits
    if basis == "power":
        missing = "power_cap_w" if not np.isfinite(limits.power_cap_w) else ""
    else:
        missing = "budget_per_s" if not np.isfinite(limits.budget_per_s) else ""
    if missing:
        text = f"A {missing} of the instance: counts are free up to it on basis {basis}."
        raise InputError([Problem("--basis", basis, text)])
    return with_free_counts(instance)


def _host_index(instance: Instance, host: str | None) -> int:
    if not host:
        return -1
    names = instance.devices.name.tolist()
    if host not in names:
        raise InputError([Problem("--host", host, f"A device: {', '.join(names)}.")])
    return int(names.index(host))


def _sensitivities(
    study: _Study, contest: Sequence[Rival], rival: RivalType, tell: Report
) -> list[Sensitivity]:
    """Ask again under each change; what a change cannot touch is not solved again."""
    instance = study.instance
    result: list[Sensitivity] = []

    def ask(change: str, changed: Instance, known: Sequence[Rival] = ()) -> None:
        if study.stop.is_set():
            return
        tell(change)
        again = _Study(changed, study.options, study.host, study.stop)
        rivals = list(known)
        if not rivals:
            rivals = again.rivals(lambda line: tell(f"{change}: {line}"), (rival,))
        if len(stuck_tasks(changed)):
            result.append(Sensitivity(change, Gain(reason="some task has no option left"), ""))
            return
        ours = again.heterogeneous([] if known else rivals)
        best, gain = gain_over(ours, [(r.name, r.solution) for r in rivals])
        if not study.stop.is_set():
            result.append(Sensitivity(change, gain, best))

    if instance.devices.idle_power_w.any():
        for factor in IDLE_FACTORS:
            ask(f"idle power x {factor:g}", scale_idle(instance, factor))
    for d in np.flatnonzero(instance.devices.count_max != 0):
        ask(
            f"without {instance.devices.name[d]}",
            without_device(instance, int(d)),
            _unaffected(instance, int(d), contest),
        )
    for what, rows in _doubtful(instance):
        if rows.any() and not rows.all():
            ask(f"without {what} rows", keep_options(instance, ~rows)[0])
    return result


def _unaffected(instance: Instance, device: int, contest: Sequence[Rival]) -> list[Rival]:
    """Rivals whose solution is the same without the device; none where any must be solved again.

    A device that is off when unused and runs nothing for the others costs them nothing.
    """
    costs = not instance.devices.off_when_unused[device] or bool(
        instance.devices.count_min[device] > 0 and instance.devices.price_per_s[device] > 0
    )
    others = [r for r in contest if device not in r.devices]
    mixed = any(device in r.devices and len(r.devices) > 1 for r in contest)
    hosted = any(r.hosted for r in others)
    return [] if costs or mixed or hosted else others


def _doubtful(instance: Instance) -> list[tuple[str, Bools]]:
    options = instance.options
    preview = options.preview | instance.devices.preview[options.device]
    return [("preview", preview), ("estimated", options.estimated)]
