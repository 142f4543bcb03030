"""The heterogeneous placement against the best homogeneous one (docs/mathematics.md).

A rival is the best solution in which only one device's units (or one kind's) run tasks. Rivals
and the heterogeneous side are solved by the same solver with the same options; the best rival's
checked plan starts the heterogeneous solve, so the gain is never negative.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Literal, Unpack

import numpy as np

from hetopt.analysis.gain import Gain, gain_over
from hetopt.analysis.rivals import Rival, RivalType, Study
from hetopt.analysis.sensitivity import Sensitivity, firmness
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.instance.overrides import with_free_counts
from hetopt.instance.questions import check_question
from hetopt.profiling.caveats import caveats
from hetopt.runtime.executors.loop import Report, silent
from hetopt.solution import Shown, Solution, contradictions
from hetopt.solve import Buildable, SolveFields, SolveOptions, built, options_of

Basis = Literal["units", "power", "price"]


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
    executor: Executor | None = None,
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
        Whether to solve again with less idle power, with each device left out, without preview
        or estimated rows, with other shares of the jobs, and with units shared or not.
    executor
        Where rivals and changed instances are solved: any executor of ``concurrent.futures``, or
        one of :mod:`hetopt.runtime.executors`; None: here.
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
    began = time.monotonic()
    options = options_of(options, solving)
    stop = stop or threading.Event()
    tell = report or silent
    instance = _on_basis(built(instance), basis)
    check_question(instance)
    host_index = _host_index(instance, host)
    study = Study(instance, options, host_index, stop, executor)
    rivals = study.rivals(tell)
    tell("heterogeneous placement")
    ours = study.heterogeneous(rivals)
    contest = [r for r in rivals if r.type == rival]
    best, gain = gain_over(ours, [(r.name, r.solution) for r in contest])
    changes: tuple[Sensitivity, ...] = ()
    left_out: tuple[str, ...] = ()
    if sensitivity and not stop.is_set():
        took = time.monotonic() - began
        changes, left_out = firmness(study, ours, contest, rival, tell, took)
    rivals = study.with_reasons(rivals)
    refuted = [n for s in (ours, *(r.solution for r in rivals)) for n in contradictions(s)]
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
        notes=(*caveats(instance), *left_out, *dict.fromkeys(refuted)),
    )


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
