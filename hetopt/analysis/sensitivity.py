"""How firm a gain is: the same comparison under one change of the instance after another.

Idle power is varied downwards only, as stated figures are upper bounds; each device is left out in
turn; rows that are previews or estimates are left out; the mix of streams changes, job by job; and
units are kept to one workload each, or shared where they were not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hetopt.analysis.gain import Gain, gain_over
from hetopt.analysis.rivals import Rival, RivalType, Study
from hetopt.errors import InputError
from hetopt.instance import Bools, Instance
from hetopt.instance.overrides import keep_options, scale_idle, scale_job, without_device
from hetopt.instance.questions import stuck_tasks
from hetopt.runtime.executors.loop import Report, in_order, silent
from hetopt.solution import (
    Plan,
    ScenarioPlan,
    SchedulePlan,
    Solution,
    SteadyPlan,
    contradictions,
    with_options,
)
from hetopt.solve import SolveOptions
from hetopt.verify import verify

IDLE = "idle power"
IDLE_FACTORS = (0.0, 0.5, 1.0)
"""What part of the stated idle power is asked about: stated figures are upper bounds."""
MIX_FACTOR = 1.5
"""What the rate of one job is multiplied by, and divided by, to change the mix."""
MOST_JOBS = 6
"""Jobs whose rates are varied, those with the highest rates first."""
SPARE_S = 3.0
"""What mix and sharing may take beyond the time of the comparison itself."""


@dataclass(frozen=True)
class Sensitivity:
    """The gain under one change of the instance."""

    change: str
    gain: Gain
    best: str


def firmness(
    study: Study,
    ours: Solution,
    contest: Sequence[Rival],
    rival: RivalType,
    tell: Report,
    took_s: float,
) -> tuple[tuple[Sensitivity, ...], tuple[str, ...]]:
    """Ask again under each change; what a change cannot touch is not solved again.

    Parameters
    ----------
    ours, contest
        The answers for the instance as it is.
    took_s
        Time that these took: the last changes (mix and sharing) are asked about for that long
        and ``SPARE_S``.

    Returns
    -------
    rows, notes
        Notes say what was left out.
    """
    asked = [*_idle(study), *_devices(study, contest), *_doubtful_rows(study)]
    refuted: list[str] = []
    rows = _ask(study, rival, asked, tell, refuted)
    if _idles(study.instance):
        # As stated it is the comparison itself.
        best, gain = gain_over(ours, [(r.name, r.solution) for r in contest])
        change = _idle_change(1.0)
        rows.insert(
            sum(row.change.startswith(IDLE) for row in rows), Sensitivity(change, gain, best)
        )
    more, notes = _mix_and_sharing(study, rival, tell, took_s, refuted)
    return (*rows, *more), (*notes, *dict.fromkeys(refuted))


@dataclass(frozen=True)
class _Change:
    """An instance under one change; ``known`` are rivals that it leaves as they are."""

    name: str
    instance: Instance
    known: tuple[Rival, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """A change, and how it is compared."""

    change: _Change
    options: SolveOptions
    host: int
    rival: RivalType


def _ask(
    study: Study,
    rival: RivalType,
    changes: Sequence[_Change],
    tell: Report,
    refuted: list[str],
) -> list[Sensitivity]:
    """Compare again under each change, wherever the study's executor does so.

    Notes on bounds that plans refuted are added to ``refuted``.
    """
    asked = {c.name: _Asked(c, study.options, study.host, rival) for c in changes}
    found = in_order(study.executor, _compare_again, asked, study.stop, tell)
    rows = []
    for _, (row, notes) in found:
        refuted += notes
        rows += [row] if row is not None else []
    return rows


def _compare_again(
    asked: _Asked, stop: threading.Event
) -> tuple[Sensitivity | None, tuple[str, ...]]:
    """Compare under a change; no row where a stop left it half done. Notes: refuted bounds."""
    change = asked.change
    if len(stuck_tasks(change.instance)):
        return Sensitivity(change.name, Gain(reason="some task has no option left"), ""), ()
    again = Study(change.instance, asked.options, asked.host, stop)
    try:
        rivals = again.rivals(silent, (asked.rival,), change.known)
        ours = again.heterogeneous(rivals)
    except InputError as error:
        # The change makes a question that cannot be asked (too many routes, say).
        return Sensitivity(change.name, Gain(reason=str(error).splitlines()[0]), ""), ()
    best, gain = gain_over(ours, [(r.name, r.solution) for r in rivals])
    solutions = (ours, *(r.solution for r in rivals))
    notes = tuple(f"{change.name}: {note}" for s in solutions for note in contradictions(s))
    return (None if stop.is_set() else Sensitivity(change.name, gain, best)), notes


def _idle_change(factor: float) -> str:
    return f"{IDLE} x {factor:g}"


def _idles(instance: Instance) -> bool:
    """Whether anything draws idle power."""
    return bool(instance.devices.idle_power_w.any() or instance.boards.idle_power_w.any())


def _idle(study: Study) -> Iterator[_Change]:
    """Vary idle power."""
    if _idles(study.instance):
        for factor in IDLE_FACTORS:
            if factor != 1.0:
                yield _Change(_idle_change(factor), scale_idle(study.instance, factor))


def _devices(study: Study, contest: Sequence[Rival]) -> Iterator[_Change]:
    """Leave each device out in turn."""
    instance = study.instance
    for d in np.flatnonzero(instance.devices.count_max != 0).tolist():
        without = without_device(instance, d)
        known = tuple(unaffected(study, without, d, contest))
        yield _Change(f"without {instance.devices.name[d]}", without, known)


def _doubtful_rows(study: Study) -> Iterator[_Change]:
    """Leave preview rows out, and estimates."""
    for what, rows in _doubtful(study.instance):
        if rows.any() and not rows.all():
            yield _Change(f"without {what} rows", keep_options(study.instance, ~rows)[0])


def _mix_and_sharing(
    study: Study, rival: RivalType, tell: Report, took_s: float, refuted: list[str]
) -> tuple[list[Sensitivity], tuple[str, ...]]:
    """Change the mix job by job, and whether units are shared, while there is time."""
    began, deterministic = time.monotonic(), study.options.deterministic
    changes = [_Change(*c) for c in (*_mixes(study.instance), *_sharing(study.instance))]
    # With an executor as many at a time as it does at once, so that the clock is looked at between.
    at_a_time = max(1, int(getattr(study.executor, "width", 1)))
    rows: list[Sensitivity] = []
    left_out: list[str] = []
    while changes:
        if not deterministic and time.monotonic() - began > took_s + SPARE_S:
            left_out = [change.name for change in changes]
            break
        few, changes = changes[:at_a_time], changes[at_a_time:]
        rows += _ask(study, rival, few, tell, refuted)
    notes = []
    jobs = len(study.instance.jobs)
    if study.instance.regime == "steady" and jobs > MOST_JOBS:
        notes.append(f"The mix was varied in the {MOST_JOBS} jobs of the highest rates, of {jobs}.")
    if left_out:
        notes.append(f"Not asked, for lack of time: {', '.join(left_out)}.")
    return rows, tuple(notes)


def _mixes(instance: Instance) -> Iterator[tuple[str, Instance]]:
    """Yield the instance with one job's rate up or down; with one job there is no mix."""
    jobs = instance.jobs
    if instance.regime != "steady" or len(jobs) < 2:
        return
    order = np.argsort(-jobs.rate_per_s, kind="stable")[:MOST_JOBS]
    for j in sorted(order.tolist()):
        for sign, factor in (("x", MIX_FACTOR), ("/", 1 / MIX_FACTOR)):
            yield f"rate of {jobs.name[j]} {sign} {MIX_FACTOR:g}", scale_job(instance, j, factor)


def _sharing(instance: Instance) -> Iterator[tuple[str, Instance]]:
    """Yield the instance with units shared where they are not, or else with none shared."""
    if instance.regime != "steady" or len(instance.jobs) < 2:
        return
    devices = instance.devices
    shared = bool(devices.exclusive.any())
    change = "units shared by workloads" if shared else "each unit for one workload"
    exclusive = np.full(len(devices), not shared)
    yield change, replace(instance, devices=replace(devices, exclusive=exclusive))


def unaffected(
    study: Study, changed: Instance, device: int, contest: Sequence[Rival]
) -> list[Rival]:
    """Return the rivals whose answers hold without a device too; the others are solved again.

    A rival's plans with and without the device are the same, at the same values, where a unit of
    it that runs nothing takes part in nothing: it draws no power (``off_when_unused``), costs
    nothing (none must be had, or has no price), counts in no share of kinds, is in no memory pool
    and on no board, is not the host that staged messages or a rival's left-over tasks go to, gives
    no link capacity by being on, and is not on before the first of periods, so that it need not go
    off. Links through it are facts that stay. Then bounds and proofs of infeasibility carry over.
    A plan carries over if the checker accepts it.
    """
    instance = study.instance
    devices, links = instance.devices, instance.links
    hosts = (instance.host if instance.tensors.staged.any() else -1, study.host)
    tied = (
        not devices.off_when_unused[device]
        or (devices.count_min[device] > 0 and devices.price_per_s[device] > 0)
        or len(instance.kind_shares) > 0
        or devices.pool[device] >= 0
        or devices.on_board[device] >= 0
        or instance.periods.initial_on(len(devices))[device] > 0
        or device in hosts
        or bool((links.per_unit & ((links.src == device) | (links.dst == device))).any())
    )
    if tied:
        return []
    keep = instance.options.device != device
    new = np.where(keep, np.cumsum(keep) - 1, -1)
    known = []
    for rival in contest:
        if device in rival.devices:
            continue
        solution = rival.solution
        if solution.plan is not None:
            plan = _without(with_options(solution.plan, new), device)
            if not verify(changed, plan).ok:
                continue
            solution = replace(solution, plan=plan)
        known.append(replace(rival, solution=solution))
    return known


def _without(plan: Plan, device: int) -> Plan:
    """Return a plan in which no unit of a device is had."""
    if isinstance(plan, SchedulePlan):
        return plan
    if isinstance(plan, ScenarioPlan):
        return replace(plan, plans=tuple(_none_had(part, device) for part in plan.plans))
    return _none_had(plan, device)


def _none_had(plan: SteadyPlan, device: int) -> SteadyPlan:
    had = plan.units_had.copy()
    had[device] = 0
    return replace(plan, units_had=had)


def _doubtful(instance: Instance) -> list[tuple[str, Bools]]:
    options = instance.options
    preview = options.preview | instance.devices.preview[options.device]
    return [("preview", preview), ("estimated", options.estimated)]
