"""Requests of a run: drawn at the instance's rates, or read from a trace.

``poisson``: exponential gaps. ``bursty`` (or ``bursty:CV``): gaps of a gamma distribution whose
standard deviation is CV times their mean (4 by default), as measured for requests to language
models (Z. Li et al., "AlpaServe", OSDI 2023). Both follow rates that change over time, by way of
the integral of the rate: gaps are drawn for a rate of 1 and stretched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Floats, Instance, Ints
from hetopt.simulate.events import Event, RateChanged

if TYPE_CHECKING:
    import pandas as pd

POISSON, BURSTY = "poisson", "bursty"
BURSTY_CV = 4.0
DEFAULT_REQUESTS = 10_000
MOST_REQUESTS = 50_000_000

TIME_NAMES = ("time_s", "arrival_s", "time", "TIMESTAMP", "timestamp")
JOB_NAMES = ("job", "service", "workload", "model")
WORK = "work"
"""A column ``work`` counts for all tasks of a job, ``work.TASK`` for one."""
TOKENS = {
    "prefill": ("input_tokens", "ContextTokens", "prompt_tokens"),
    "prompt": ("input_tokens", "ContextTokens", "prompt_tokens"),
    "decode": ("output_tokens", "GeneratedTokens", "completion_tokens"),
    "generate": ("output_tokens", "GeneratedTokens", "completion_tokens"),
}
"""Columns of public traces of requests to language models, by what a task's name ends in."""


@dataclass(frozen=True)
class Requests:
    """N requests in order of time.

    Attributes
    ----------
    time_s, job
        When each arrives, and its job (N).
    work
        Work of each task of its job, over what the instance states: N × P, or 1 × P where all
        are 1; column p is the p-th task of a job.
    end_s
        When the run would end if all were served at once: the time asked for, or the last arrival.
    """

    time_s: Floats
    job: Ints
    work: Floats
    end_s: float

    def __len__(self) -> int:
        return len(self.time_s)


def most_tasks(instance: Instance) -> int:
    """Return how many tasks the largest job has."""
    return int(np.diff(instance.job_tasks[0]).max(initial=1))


def drawn_requests(
    instance: Instance,
    kind: str,
    *,
    count: int | None,
    time_s: float | None,
    seed: Sequence[int],
    events: Sequence[Event] = (),
) -> Requests:
    """Draw requests of all jobs, each a stream of its own.

    Parameters
    ----------
    kind
        ``poisson``, ``bursty`` or ``bursty:CV``.
    count, time_s
        How many in all, or for how long (one of them).
    seed
        What the draws follow from.
    events
        Changes of rates; others do not matter here.

    Raises
    ------
    InputError
        For an unknown kind, rates of 0, or a run that is too long.
    """
    cv = _variation(kind)
    rates = instance.jobs.rate_per_s
    if not instance.limits.demand_known:
        text = "An instance that states rates; shares alone say nothing of how many requests come."
        raise InputError([Problem("--arrivals", kind, text)])
    pieces = [_pieces(instance, j, events) for j in range(len(rates))]
    if count is not None:
        time_s = _time_of(pieces, count)
    expected = sum(_area(piece, time_s) for piece in pieces if time_s is not None)
    if time_s is None or not 0 < expected < MOST_REQUESTS:
        text = f"A run of between 1 and {MOST_REQUESTS} requests."
        raise InputError([Problem("--requests" if count else "--time", str(count or time_s), text)])
    times, jobs = [], []
    for j, piece in enumerate(pieces):
        rng = np.random.default_rng([*seed, j])
        # With a count, some more are drawn than are expected to be used.
        slack = 1.0 if count is None else 1.2
        found = _stretched(_gaps(rng, cv, _area(piece, time_s * slack)), piece)
        times.append(found if count is not None else found[found < time_s])
        jobs.append(np.full(len(times[-1]), j, dtype=np.int64))
    at, job = np.concatenate(times), np.concatenate(jobs)
    order = np.argsort(at, kind="stable")[:count]
    at, job = at[order], job[order]
    end = time_s if count is None else float(at[-1]) if len(at) else 0.0
    return Requests(at, job, np.ones((1, most_tasks(instance))), end)


def read_trace(path: str | Path) -> pd.DataFrame:
    """Read a trace: a CSV file with one row a request.

    Raises
    ------
    InputError
        For a file that cannot be read.
    """
    import pandas as pd

    try:
        return pd.read_csv(path)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(getattr(error, "strerror", None) or error).strip().split("\n")[0]
        text = f"poisson, bursty, or a CSV file of requests; it cannot be read: {reason}."
        raise InputError([Problem("--arrivals", str(path), text)]) from None


def requests_of(
    instance: Instance,
    frame: pd.DataFrame,
    name: str,
    *,
    columns: Mapping[str, str] | None = None,
    count: int | None = None,
    time_s: float | None = None,
) -> Requests:
    """Return the requests that a trace holds.

    Parameters
    ----------
    frame, name
        One row a request, and what errors call it.
    columns
        Names of its columns by what they mean: ``time``, ``job``, ``work``, ``work.TASK``. By
        default those of the usual names, and tokens in and out where tasks end in ``prefill`` and
        ``decode``. Work is in the unit of the task's own, which it replaces. Rows of jobs that the
        instance does not have are left out.
    count, time_s
        Where to stop.

    Raises
    ------
    InputError
        For columns that are missing, rows without numbers, and no request of any job.
    """
    wanted = dict(columns or {})
    _check_columns(instance, frame, wanted, name)
    at = _times(frame, wanted, name)
    job = _jobs(instance, frame, wanted, name)
    kept = job >= 0
    order = np.flatnonzero(kept)[np.argsort(at[kept], kind="stable")]
    at = at[order] - (at[order][0] if len(order) else 0.0)
    if time_s is not None:
        order, at = order[at < time_s], at[at < time_s]
    if count is not None:
        order, at = order[:count], at[:count]
    if not len(order):
        raise InputError([Problem(name, "", "At least one request of a job of the instance.")])
    job = job[order]
    work = _work(instance, frame.iloc[order], job, wanted, name)
    return Requests(at, job, work, float(at[-1]) if time_s is None else time_s)


def _variation(kind: str) -> float:
    if kind == POISSON:
        return 1.0
    match = re.fullmatch(r"bursty(?::([0-9.]+(?:e-?\d+)?))?", kind)
    value = float(match.group(1) or BURSTY_CV) if match else 0.0
    if not 0 < value <= 1000:
        text = "poisson, bursty, bursty:CV (0 < CV <= 1000), or a CSV file of requests."
        raise InputError([Problem("--arrivals", kind, text)])
    return value


Piece = tuple[Floats, Floats]
"""From when on, and the rate from then on."""


def _pieces(instance: Instance, job: int, events: Sequence[Event]) -> Piece:
    name = str(instance.jobs.name[job])
    changes = [e for e in events if isinstance(e, RateChanged) and e.job == name]
    begin = [0.0, *(e.time_s for e in changes)]
    rate = [float(instance.jobs.rate_per_s[job]), *(e.rate_per_s for e in changes)]
    order = np.argsort(begin, kind="stable")
    return np.array(begin)[order], np.array(rate)[order]


def _area(piece: Piece, until: float) -> float:
    begin, rate = piece
    ends = np.minimum(np.append(begin[1:], np.inf), until)
    return float((np.maximum(0.0, ends - begin) * rate).sum())


def _time_of(pieces: Sequence[Piece], count: int) -> float | None:
    """Return when as many requests are expected to have come."""
    low, high = 0.0, 1.0
    while sum(_area(piece, high) for piece in pieces) < count:
        high *= 2.0
        if high > 1e15:
            return None
    for _ in range(200):
        middle = 0.5 * (low + high)
        if sum(_area(piece, middle) for piece in pieces) < count:
            low = middle
        else:
            high = middle
    return high


def _gaps(rng: np.random.Generator, cv: float, area: float) -> Floats:
    """Return arrival times of a stream of rate 1 up to a time."""
    shape = 1.0 / (cv * cv)
    found: list[Floats] = []
    reached = 0.0
    while reached < area:
        size = int((area - reached) * 1.05 + 10.0 * cv * np.sqrt(area - reached + 1.0)) + 10
        gaps = rng.exponential(size=size) if cv == 1.0 else rng.gamma(shape, 1.0 / shape, size)
        found.append(reached + np.cumsum(gaps))
        reached = float(found[-1][-1])
    times = np.concatenate(found) if found else np.zeros(0)
    return times[times < area]


def _stretched(times: Floats, piece: Piece) -> Floats:
    begin, rate = piece
    before = np.concatenate([[0.0], np.cumsum(np.diff(begin) * rate[:-1])])
    part = np.maximum(np.searchsorted(before, times, side="right") - 1, 0)
    return np.asarray(begin[part] + (times - before[part]) / rate[part])


def _check_columns(
    instance: Instance, frame: pd.DataFrame, wanted: dict[str, str], name: str
) -> None:
    tasks = {f"{WORK}.{task}" for task in instance.tasks.name}
    problems = []
    for field, column in wanted.items():
        if field not in ("time", "job", WORK) and field not in tasks:
            problems.append(Problem("--columns", field, "time, job, work or work.TASK."))
        elif column not in frame.columns:
            have = ", ".join(map(str, frame.columns))
            problems.append(Problem("--columns", column, f"A column of {name}: {have}."))
    # Work of a task that is not there would be left out, and every request be as long as the mean.
    for column in map(str, frame.columns):
        if column.startswith(f"{WORK}.") and column not in tasks | set(wanted.values()):
            text = f"{WORK}.TASK, a task of the instance: {', '.join(instance.tasks.name)}."
            problems.append(Problem(f"{name}, column", column, text))
    if problems:
        raise InputError(problems)


def _named(frame: pd.DataFrame, wanted: Mapping[str, str], field: str, usual: Sequence[str]) -> str:
    found = wanted.get(field)
    return found if found is not None else next((c for c in usual if c in frame.columns), "")


def _times(frame: pd.DataFrame, wanted: Mapping[str, str], name: str) -> Floats:
    import pandas as pd

    column = _named(frame, wanted, "time", TIME_NAMES)
    if not column:
        text = f"A column of times ({', '.join(TIME_NAMES)}), or --columns time=NAME."
        raise InputError([Problem(name, ", ".join(map(str, frame.columns)), text)])
    values: Any = frame[column]
    if values.dtype.kind not in "fiu":
        stamps = pd.to_datetime(values, errors="coerce", utc=True)
        values = (stamps - stamps.min()).dt.total_seconds()
    return _numbers(values.to_numpy(dtype=np.float64), column, name)


def _numbers(values: Floats, column: str, name: str) -> Floats:
    bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(bad):
        place = f"{name}, row {int(bad[0]) + 1}, column {column}"
        raise InputError([Problem(place, str(values[bad[0]]), "A number of at least 0.")])
    return values


def _jobs(instance: Instance, frame: pd.DataFrame, wanted: Mapping[str, str], name: str) -> Ints:
    names = instance.jobs.name.tolist()
    column = _named(frame, wanted, "job", JOB_NAMES)
    if not column:
        if len(names) == 1:
            return np.zeros(len(frame), dtype=np.int64)
        text = f"A column of jobs ({', '.join(JOB_NAMES)}), or --columns job=NAME."
        raise InputError([Problem(name, ", ".join(map(str, frame.columns)), text)])
    number = {str(job): j for j, job in enumerate(names)}
    found = frame[column].astype(str).map(number)
    if found.isna().all():
        have = ", ".join(sorted(set(frame[column].astype(str)))[:10])
        text = f"Jobs of the instance: {', '.join(names)}."
        raise InputError([Problem(f"{name}, column {column}", have, text)])
    # Requests of other services are not of this fleet.
    return np.asarray(found.fillna(-1), dtype=np.int64)


def _work(
    instance: Instance, frame: pd.DataFrame, job: Ints, wanted: Mapping[str, str], name: str
) -> Floats:
    wide = most_tasks(instance)
    ptr, tasks = instance.job_tasks
    work = np.ones((len(job), wide))
    stated = False
    for j in range(len(instance.jobs)):
        mine = job == j
        for p, task in enumerate(tasks[ptr[j] : ptr[j + 1]].tolist()):
            column = _work_column(str(instance.tasks.name[task]), frame, wanted)
            if column is None:
                continue
            own = float(instance.tasks.work[task])
            values = _numbers(frame[column].to_numpy(dtype=np.float64), column, name)
            work[mine, p] = values[mine] / own if own > 0 else 0.0
            stated = True
    return work if stated else np.ones((1, wide))


def _work_column(task: str, frame: pd.DataFrame, wanted: Mapping[str, str]) -> str | None:
    for field in (f"{WORK}.{task}", WORK):
        if field in wanted:
            return wanted[field]
        if field in frame.columns:
            return field
    for ending, names in TOKENS.items():
        if task.endswith(ending):
            return next((c for c in names if c in frame.columns), None)
    return None
