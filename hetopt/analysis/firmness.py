"""How firm a gain is: the same comparison under one change of the instance after another.

Idle power is varied downwards only, as stated figures are upper bounds; each device is left out in
turn; rows that are previews or estimates are left out; the mix of streams changes, job by job; and
units are kept to one workload each, or shared where they were not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hetopt.analysis.gain import Gain, gain_over
from hetopt.analysis.rivals import Report, Rival, RivalType, Study
from hetopt.errors import InputError
from hetopt.instance import Bools, Instance
from hetopt.instance.overrides import keep_options, scale_idle, scale_job, without_device
from hetopt.instance.questions import stuck_tasks
from hetopt.solution import (
    Plan,
    ScenarioPlan,
    SchedulePlan,
    Solution,
    SteadyPlan,
    contradictions,
    with_options,
)
from hetopt.verify import verify

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
    asking = _Asking(study, ours, contest, rival, tell)
    asking.idle()
    asking.devices()
    asking.doubtful_rows()
    notes = asking.mix_and_sharing(took_s)
    return tuple(asking.rows), (*notes, *dict.fromkeys(asking.refuted))


class _Asking:
    """Rows as they are found."""

    def __init__(
        self,
        study: Study,
        ours: Solution,
        contest: Sequence[Rival],
        rival: RivalType,
        tell: Report,
    ) -> None:
        self.study = study
        self.ours = ours
        self.contest = contest
        self.rival = rival
        self.tell = tell
        self.rows: list[Sensitivity] = []
        self.refuted: list[str] = []

    def ask(self, change: str, changed: Instance, known: Sequence[Rival] = ()) -> None:
        """Compare again under a change; ``known`` are rivals that it leaves as they are."""
        study = self.study
        if study.stop.is_set():
            return
        self.tell(change)
        if len(stuck_tasks(changed)):
            gain = Gain(reason="some task has no option left")
            self.rows.append(Sensitivity(change, gain, ""))
            return
        again = Study(changed, study.options, study.host, study.stop)
        try:
            rivals = again.rivals(lambda line: self.tell(f"{change}: {line}"), (self.rival,), known)
            ours = again.heterogeneous(rivals)
        except InputError as error:
            # The change makes a question that cannot be asked (too many routes, say).
            self.rows.append(Sensitivity(change, Gain(reason=str(error).splitlines()[0]), ""))
            return
        best, gain = gain_over(ours, [(r.name, r.solution) for r in rivals])
        for solution in (ours, *(r.solution for r in rivals)):
            self.refuted += [f"{change}: {note}" for note in contradictions(solution)]
        if not study.stop.is_set():
            self.rows.append(Sensitivity(change, gain, best))

    def idle(self) -> None:
        """Vary idle power; as stated it is the comparison itself."""
        instance = self.study.instance
        if not instance.devices.idle_power_w.any():
            return
        for factor in IDLE_FACTORS:
            change = f"idle power x {factor:g}"
            if factor == 1.0:
                best, gain = gain_over(self.ours, [(r.name, r.solution) for r in self.contest])
                self.rows.append(Sensitivity(change, gain, best))
            else:
                self.ask(change, scale_idle(instance, factor))

    def devices(self) -> None:
        """Leave each device out in turn."""
        instance = self.study.instance
        for d in np.flatnonzero(instance.devices.count_max != 0).tolist():
            changed = without_device(instance, d)
            known = unaffected(self.study, changed, d, self.contest)
            self.ask(f"without {instance.devices.name[d]}", changed, known)

    def doubtful_rows(self) -> None:
        """Leave preview rows out, and estimates."""
        for what, rows in _doubtful(self.study.instance):
            if rows.any() and not rows.all():
                self.ask(f"without {what} rows", keep_options(self.study.instance, ~rows)[0])

    def mix_and_sharing(self, took_s: float) -> tuple[str, ...]:
        """Change the mix job by job, and whether units are shared, while there is time."""
        began, deterministic = time.monotonic(), self.study.options.deterministic
        changes = [*_mixes(self.study.instance), *_sharing(self.study.instance)]
        left_out: list[str] = []
        for change, changed in changes:
            spent = 0.0 if deterministic else time.monotonic() - began
            if spent > took_s + SPARE_S:
                left_out.append(change)
            else:
                self.ask(change, changed)
        notes = []
        jobs = len(self.study.instance.jobs)
        if self.study.instance.regime == "steady" and jobs > MOST_JOBS:
            notes.append(
                f"The mix was varied in the {MOST_JOBS} jobs of the highest rates, of {jobs}."
            )
        if left_out:
            notes.append(f"Not asked, for lack of time: {', '.join(left_out)}.")
        return tuple(notes)


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
    nothing (none must be had, or has no price), counts in no share of kinds, is in no memory pool,
    is not the host that staged messages or a rival's left-over tasks go to, and gives no link
    capacity by being on. Links through it are facts that stay. Then bounds and proofs of
    infeasibility carry over. A plan carries over if the checker accepts it.
    """
    instance = study.instance
    devices, links = instance.devices, instance.links
    hosts = (instance.host if instance.tensors.staged.any() else -1, study.host)
    tied = (
        not devices.off_when_unused[device]
        or (devices.count_min[device] > 0 and devices.price_per_s[device] > 0)
        or len(instance.kind_shares) > 0
        or devices.pool[device] >= 0
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
        return ScenarioPlan(tuple(_none_had(part, device) for part in plan.plans))
    return _none_had(plan, device)


def _none_had(plan: SteadyPlan, device: int) -> SteadyPlan:
    had = plan.units_had.copy()
    had[device] = 0
    return replace(plan, units_had=had)


def _doubtful(instance: Instance) -> list[tuple[str, Bools]]:
    options = instance.options
    preview = options.preview | instance.devices.preview[options.device]
    return [("preview", preview), ("estimated", options.estimated)]
