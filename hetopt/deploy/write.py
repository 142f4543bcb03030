"""``deploy``: a plan to the files of a target, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hetopt.deploy.folder import check_folder, write_folder
from hetopt.deploy.parameters import check_owners
from hetopt.deploy.registry import target
from hetopt.deploy.target import Artefacts, Parameters
from hetopt.errors import InputError, Problem, RefusedError
from hetopt.evaluate.optional import executed
from hetopt.formats.plans import solution_to_dict
from hetopt.instance import Instance
from hetopt.instance.states.setups import device_setups
from hetopt.solution import Plan, ScenarioPlan, Solution, SteadyPlan
from hetopt.verify import verify


def deploy(
    plan: Plan | Solution,
    instance: Instance,
    to: str,
    folder: str | Path | None = None,
    *,
    image: str | Mapping[str, str] | None = None,
    command: str | Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    beside: str | Path = "",
) -> Artefacts:
    """Write the files of a target that execute a plan.

    Parameters
    ----------
    plan
        A plan or a solution of the instance.
    instance
        What was solved.
    to
        A target: ``kubernetes``, ... (docs/deploy.md).
    folder
        Where the files go, whole or not at all; None returns them alone.
    image, command
        Container image and command of every server, or of some by the name of a task, profile, job
        or device (the empty name: of all others). Fields in braces are filled: ``{model}``,
        ``{batch}``, ``{port}``, ...
    parameters
        Those of the target.
    beside
        Folder that relative paths in the instance (models of jobs) are from; default: the working
        folder.

    Returns
    -------
    Artefacts
        Files by path, and notes on what the target cannot express.

    Raises
    ------
    RefusedError
        If the target has no form for the plan, or where ``folder`` is given and something that it
        needs is missing.
    InputError
        If a parameter or the place is wrong, or the checker does not accept the plan.
    """
    made = artefacts(
        plan, instance, to, image=image, command=command, parameters=parameters, beside=beside
    )
    if folder is not None:
        write(made, Path(folder))
    return made


def artefacts(
    plan: Plan | Solution,
    instance: Instance,
    to: str,
    *,
    image: str | Mapping[str, str] | None = None,
    command: str | Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    result: Mapping[str, Any] | None = None,
    beside: str | Path = "",
) -> Artefacts:
    """Return the files of a target, with what it refuses; see :func:`deploy`.

    ``result`` is the JSON object of the solution where only its plan is at hand.
    """
    chosen = target(to)
    given = Parameters(
        _by_name(image), _by_name(command), dict(parameters or {}), result or {}, Path(beside)
    )
    if isinstance(plan, Solution):
        given = replace(given, result=solution_to_dict(instance, plan))
        if plan.plan is None:
            raise InputError(f"The solution holds no plan (status {plan.status}).")
        plan = plan.plan
    check_owners(instance, given)
    chosen.check_names(instance, given)
    report = verify(instance, plan)
    if not report.ok:
        raise InputError([Problem("plan", v.kind, v.message) for v in report.violations[:3]])
    if instance.regime == "schedule" and device_setups(instance) and not chosen.holds_all:
        name = str(instance.devices.name[min(device_setups(instance))])
        text = "A plan without set-ups: this target loads no other configuration between tasks."
        raise RefusedError([Problem(f"device {name}", "set-ups", text)])
    instance, plan = executed(instance, plan)
    made = chosen.write(plan, instance, given)
    if isinstance(plan, SteadyPlan | ScenarioPlan) and _changes(plan):
        made = replace(made, notes=(*made.notes, CHANGES))
    return made


CHANGES = (
    "What runs beside what is left to the machine: the plan shares the time of devices that slow "
    "each other down among several states (plan.states), which this target cannot hold."
)


def _changes(plan: SteadyPlan | ScenarioPlan) -> bool:
    """Whether devices that slow each other down are in more than one state."""
    parts = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
    return any(part.states is not None and len(part.states) > 1 for part in parts)


def write(made: Artefacts, folder: Path) -> None:
    """Write files that the target takes.

    Raises
    ------
    RefusedError
        If it refuses them; then nothing is written.
    InputError
        If the place is wrong.
    """
    check_folder(folder)
    if made.refused:
        raise RefusedError(made.refused)
    write_folder(folder, made.files)


def _by_name(given: str | Mapping[str, str] | None) -> dict[str, str]:
    if given is None:
        return {}
    return {"": given} if isinstance(given, str) else dict(given)
