"""One run in a process of its own: read the case, solve it, check the plan, answer in JSON.

    python -m bench.child ANSWER_FILE < JOB

The job is a JSON object with ``case``, ``solver``, ``time_limit_s``, ``workers`` and ``seed``; the
answer, with the measured columns of a row, is written to the file whole or not at all.
"""

from __future__ import annotations

import json
import math
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from bench.answers import Answer, History, Limits, UnsupportedError
from bench.cases import Case

WITHIN = 0.01
CLAIM_TOLERANCE = 1e-6
MOST_ENTRIES = 400
"""Entries of a history that a row keeps, evenly spaced where it has more."""
MOST_ERROR = 400


def run_job(job: dict[str, Any]) -> dict[str, Any]:
    """Run a job; return the measured columns, with an error's where it failed."""
    case = Case.from_dict(job["case"])
    try:
        return _measured(case, job)
    except UnsupportedError as error:
        return {"status": "unsupported", "error": str(error)}
    except Exception as error:  # noqa: BLE001  # one crashed case does not end the run
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        return {"status": "error", "error": text[:MOST_ERROR]}


def _measured(case: Case, job: dict[str, Any]) -> dict[str, Any]:
    from bench.peers import solver
    from bench.peers.command import is_command, run_command
    from bench.reading import read_case

    began = time.monotonic()
    instance = read_case(case)
    read_s = time.monotonic() - began
    limits = Limits(job["time_limit_s"], job["workers"], job["seed"])
    if is_command(job["solver"]):
        began = time.monotonic()
        answer = run_command(job["solver"], case, instance, limits)
    else:
        run = solver(job["solver"])
        began = time.monotonic()
        answer = run(instance, limits)
    end_s = time.monotonic() - began if math.isnan(answer.wall_s) else answer.wall_s
    return {**_figures(case, instance, answer), "read_s": read_s, "end_s": end_s}


def _figures(case: Case, instance: Any, answer: Answer) -> dict[str, Any]:
    """Judge a plan by the checker and figures recomputed from it, whoever made it."""
    from hetopt.instance import is_maximised
    from hetopt.solution import relative_gap

    objective, verified, error = _checked(instance, answer)
    measure = case.measure
    maximised = measure.maximised or (is_maximised(instance.objective[0]) and not measure.inverse)
    value, bound = measure.published(objective), measure.published(answer.bound)
    history = [(t, measure.published(o), measure.published(b)) for t, o, b in answer.history]
    proved = answer.status in ("optimal", "infeasible")
    reference = value if case.best_known is None else case.best_known
    return {
        "measure": measure.name,
        "sense": "max" if maximised else "min",
        "status": "error" if verified is False else _status(instance, answer, objective),
        "termination": answer.termination or ("proved" if proved else "time_limit"),
        "objective": value,
        "bound": bound,
        "gap_best_known": _gap(value, case.best_known, maximised),
        "gap_proven": relative_gap(value, bound),
        "first_plan_s": _first(history, math.nan, maximised),
        "within_1pct_s": _first(history, reference, maximised),
        "build_s": answer.build_s,
        "verified": verified,
        "method": answer.method,
        "error": error[:MOST_ERROR],
        "history": [
            [float(f"{v:.9g}") if math.isfinite(v) else None for v in entry]
            for entry in _thinned(history)
        ],
    }


def _status(instance: Any, answer: Answer, objective: float) -> str:
    """Return the status; a plan that is worse than what its solver claims is not proven optimal."""
    from hetopt.instance import is_maximised

    sign = 1 if is_maximised(instance.objective[0]) else -1
    worse = sign * (answer.claimed - objective)
    if answer.status == "optimal" and worse > CLAIM_TOLERANCE * max(1.0, abs(objective)):
        return "feasible"
    return answer.status


def _checked(instance: Any, answer: Answer) -> tuple[float, bool | None, str]:
    """Return the plan's objective, whether the checker takes it (None: no plan), and what ails."""
    from hetopt.evaluate import objectives
    from hetopt.verify import verify

    if answer.plan is None:
        return math.nan, None, answer.note
    report = verify(instance, answer.plan)
    if not report.ok:
        return math.nan, False, f"The checker rejected the plan: {report.violations[0].message}"
    value = objectives(instance, answer.plan)[0]
    if abs(value - answer.claimed) > CLAIM_TOLERANCE * max(1.0, abs(value)):
        return value, True, f"The solver claims {answer.claimed!r} for a plan of {value!r}."
    return value, True, answer.note


def _gap(value: float, best: float | None, maximised: bool) -> float:
    if best is None or math.isnan(value):
        return math.nan
    worse = best - value if maximised else value - best
    return worse / abs(best) if best else (0.0 if worse == 0 else math.nan)


def _first(history: History, reference: float, maximised: bool) -> float:
    """Return the time of the first plan within 1 % of a reference (NaN: of any), NaN if none."""
    sign = -1 if maximised else 1
    for seconds, objective, _ in history:
        if math.isnan(objective):
            continue
        if math.isnan(reference) or sign * (objective - reference) <= WITHIN * abs(reference):
            return seconds
    return math.nan


def _thinned(history: History) -> History:
    if len(history) <= MOST_ENTRIES:
        return history
    step = (len(history) - 1) / (MOST_ENTRIES - 1)
    return [history[round(i * step)] for i in range(MOST_ENTRIES)]


def main() -> int:
    """Read a job from the standard input and write its answer."""
    target = Path(sys.argv[1])
    job = json.load(sys.stdin)
    answer = run_job(job)
    beside = target.with_suffix(".part")
    beside.write_text(json.dumps(answer), encoding="utf-8")
    beside.replace(target)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
