"""Models of an instance as files for other solvers: MPS, LP, and CP-SAT's own.

A steady instance (``routing: split``) is a mixed-integer program, a schedule and a placement
(``routing: single``) are CP-SAT models. What is written is what hetopt solves for the first
objective, so that its answer can be had, or doubted, elsewhere.
"""

from __future__ import annotations

import math
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.formats.files import write_whole
from hetopt.instance import Instance, is_maximised
from hetopt.instance.questions import check_question, stuck_tasks
from hetopt.version import __version__

Rounding = Literal["down", "up"]

MIP_FORMS = (".mps", ".lp")
CPSAT_FORMS = (".pb", ".pbtxt")

COMMENT_WIDTH = 200
"""Characters of a comment line: the LP format of CPLEX allows 510, older readers 255."""

RELAXATION_S = 60.0
"""Seconds for the linear program that some models of throughput need a bound from."""

SCALED = "The objective's scaling factor and offset make CP-SAT report it in that unit."
UNITS = {
    "energy": "J", "makespan": "s", "tardiness": "s", "peak_power": "W", "power": "W",
    "throughput": "requests/s", "carbon": "kg", "cost": "money", "accuracy": "1", "value": "1",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ModelFile:
    """What was written.

    Attributes
    ----------
    path
        The file.
    form
        ``mps``, ``lp``, or ``cpsat``.
    objective
        Name of the objective; ``factor`` is what its SI value is multiplied by in the file, and
        ``sense`` whether the file minimises (``min``) or maximises (``max``).
    variables, rows
        Size of the model.
    notes
        Full sentences: what the numbers in the file mean. They stand in the file too where its
        form has comments.
    """

    path: str
    form: Literal["mps", "lp", "cpsat"]
    objective: str
    sense: Literal["min", "max"]
    factor: float
    variables: int
    rows: int
    notes: tuple[str, ...]


def export_model(instance: Instance, path: str | Path, *, rounding: Rounding = "down") -> ModelFile:
    """Write the model of an instance's first objective for another solver.

    Parameters
    ----------
    instance
        What to model.
    path
        ``x.mps`` or ``x.lp`` for a steady instance, ``x.pb`` (binary) or ``x.pbtxt`` (text) for
        CP-SAT's model of a schedule or of ``routing: single``. Written whole or not at all.
    rounding
        For schedules whose times have no coarse exact grid: ``down`` writes a relaxation, ``up``
        a restriction.

    Raises
    ------
    InputError
        If the instance has no model of that form or is infeasible or unbounded by its structure,
        or the path cannot be written.
    """
    form = Path(path).suffix.lower()
    if form not in MIP_FORMS + CPSAT_FORMS:
        text = "A model file: .mps or .lp (steady), .pb or .pbtxt (CP-SAT: schedule, single)."
        raise InputError([Problem(str(path), form, text)])
    program = instance.regime == "steady" and instance.routing == "split"
    if program != (form in MIP_FORMS):
        raise InputError([Problem(str(path), form, _other_form(instance))])
    if math.isfinite(instance.limits.cycle_s):
        text = (
            "A schedule that runs once (`cyclic: false`, or a `horizon`): model files do not know "
            "those that repeat for ever yet."
        )
        raise InputError([Problem("cyclic", str(path), text)])
    if instance.regime == "schedule" and "value" in instance.objective:
        text = (
            "An objective by which all jobs run: which are left out is settled outside the model."
        )
        raise InputError([Problem("objective", "value", text)])
    check_question(instance)
    if not np.isnan(instance.jobs.latency_quantile).all():
        text = "Limits of the service alone: no row says how long requests wait."
        raise InputError([Problem("latency_quantile", str(path), text)])
    stuck = stuck_tasks(instance)
    if len(stuck):
        text = "An option for every task that pins, forbids and missing times leave."
        raise InputError([Problem("tasks", str(instance.tasks.name[stuck[0]]), text)])
    try:
        if program:
            return _write_program(instance, Path(path), form)
        return _write_cpsat(instance, Path(path), form, rounding)
    except OSError as error:
        text = f"A path that can be written, but {error.strerror or error}."
        raise InputError([Problem(str(path), "", text)]) from None


def _other_form(instance: Instance) -> str:
    if instance.regime == "schedule":
        return (
            "A file .pb or .pbtxt, as a schedule is a CP-SAT model: its intervals and cumulatives "
            "have no rows. MPS and LP are for steady instances."
        )
    if instance.routing == "single":
        return (
            "A file .pb or .pbtxt, as `routing: single` is a CP-SAT model; `--set routing=split` "
            "gives a program for .mps and .lp."
        )
    return "A file .mps or .lp, as a steady instance with split rates is a mixed-integer program."


def _write_program(instance: Instance, path: Path, form: str) -> ModelFile:
    from hetopt.steady.program.program_file import readable_program
    from hetopt.steady.solve import steady_program

    name = instance.objective[0]
    made = readable_program(steady_program(instance, until=time.monotonic() + RELAXATION_S), name)
    problem = made.problem
    maximised = is_maximised(name)
    negated = maximised and form == ".mps"
    times = "" if made.factor == 1 else f" × {made.factor:g}"
    way = "maximised" if maximised and not negated else "minimised"
    notes = [
        *_origin(instance),
        f"Objective: {'minus ' if negated else ''}{_measured(instance)}{times}, {way}.",
    ]
    if any(v.name == "theta" for v in problem.variables()):
        notes.append(
            f"theta × {made.served!r} is the multiple of the demanded rates that is served."
        )
    legend = [*notes, "Rows are divided by their limits; numbers have 12 digits.", *made.legend]

    def write(beside: str) -> None:
        if form == ".mps":
            problem.writeMPS(beside, mpsSense=1)
        else:
            problem.writeLP(beside)

    head = _comments(legend, "*" if form == ".mps" else "\\")
    write_whole(path, head + _written(write, form))
    return ModelFile(
        path=str(path),
        form="mps" if form == ".mps" else "lp",
        objective=name,
        sense="max" if maximised and not negated else "min",
        factor=-made.factor if negated else made.factor,
        variables=problem.numVariables(),
        rows=problem.numConstraints(),
        notes=tuple(notes),
    )


def _write_cpsat(instance: Instance, path: Path, form: str, rounding: Rounding) -> ModelFile:
    name = instance.objective[0]
    if instance.regime == "schedule":
        from hetopt.schedule.cpsat.model_file import schedule_file

        made = schedule_file(instance, rounding)
        model, said = made.model, made.notes
    else:
        from hetopt.steady.model.configurations import with_configurations_held
        from hetopt.steady.placement.model_file import placement_file

        model, said = placement_file(with_configurations_held(instance))
    inverse = name == "throughput"
    aim = "largest load at the demanded rates (1 / scale)" if inverse else _measured(instance)
    maximised = is_maximised(name) and not inverse
    notes = [
        *_origin(instance),
        f"Objective: {aim}, {'maximised' if maximised else 'minimised'}.",
        SCALED,
        *said,
    ]
    proto = model.proto
    # A binary file has no comments; its model has a name.
    proto.name = _one_line(" ".join(notes))

    def write(beside: str) -> None:
        if not model.export_to_file(beside):
            raise OSError(f"CP-SAT could not write {beside}")

    content = _written(write, ".txt" if form == ".pbtxt" else ".pb")
    if form == ".pbtxt":
        content = _comments(notes, "#") + content
    write_whole(path, content)
    return ModelFile(
        path=str(path),
        form="cpsat",
        objective=name,
        sense="max" if maximised else "min",
        factor=1.0,
        variables=len(proto.variables),
        rows=len(proto.constraints),
        notes=tuple(notes),
    )


def _origin(instance: Instance) -> list[str]:
    title = instance.name or "instance"
    found = [f"{title}, written by hetopt {__version__}."]
    if len(instance.objective) > 1:
        rest = ", ".join(instance.objective[1:])
        found.append(f"Only the first objective is in the file; {rest} would follow it.")
    return found


def _measured(instance: Instance) -> str:
    """Name the objective with the unit that its values have."""
    name = instance.objective[0]
    unit = instance.currency or UNITS[name] if name == "cost" else UNITS[name]
    if instance.regime == "steady" and name in ("cost", "carbon"):
        unit += "/s"
    return f"{name} in {unit}" if unit != "1" else name


def _written(write: Callable[[str], Any], suffix: str) -> bytes:
    """Return what a writer that wants a path writes."""
    with tempfile.TemporaryDirectory(prefix="hetopt-") as folder:
        beside = Path(folder) / f"model{suffix}"
        write(str(beside))
        return beside.read_bytes()


def _comments(lines: Sequence[str], mark: str) -> bytes:
    """Return comment lines in ASCII and no longer than old readers bear."""
    text = [
        f"{mark} {part}\n"
        for line in lines
        for part in textwrap.wrap(line.replace("×", "*"), COMMENT_WIDTH)
    ]
    return "".join(text).encode("ascii", "replace")


def _one_line(text: str) -> str:
    return " ".join(text.split())
