"""Reading plans and results: JSON or a folder of tables, to columns, with every problem named.

What a plan *means* is not judged here: a unit that does not exist, a start before the release or a
task that is left out are for the checker to report. Only what cannot be expressed in plan columns
(unknown names, missing fields, wrong types) is an input error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.compile.scenarios import weights_names
from hetopt.errors import InputError
from hetopt.formats.json_text import parse_json, read_text
from hetopt.formats.plans.csv_problems import in_lines
from hetopt.formats.plans.foreign import fill_units, in_our_words, is_csv, read_csv_plan
from hetopt.formats.plans.rows import Names, Rows, shown
from hetopt.formats.plans.states import read_states
from hetopt.instance import Instance, Ints
from hetopt.instance.states.investment import initially_had
from hetopt.solution import (
    DIRECT,
    READ,
    WRITE,
    Held,
    Hops,
    PeriodPlan,
    Plan,
    RunningStates,
    ScenarioPlan,
    SchedulePlan,
    SteadyPlan,
    StreamPlan,
)

ASSIGNMENT = ("task", "device", "unit", "option", "start_s", "end_s", "estimated")
LEG_NAMES = {"direct": DIRECT, "write": WRITE, "read": READ}


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan, and what the file that holds it claims of it.

    Attributes
    ----------
    plan
        The plan.
    claimed, bounds
        Objective values and bounds by objective name; empty for a bare plan.
    status
        The claimed status, empty for a bare plan.
    result
        The whole object, for what else it says; empty for a bare plan.
    """

    plan: Plan
    claimed: dict[str, float] = field(default_factory=dict)
    bounds: dict[str, float] = field(default_factory=dict)
    status: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


def read_plan(instance: Instance, source: str | Path) -> Plan:
    """Read a plan; see `read_result`."""
    return read_result(instance, source).plan


def read_result(instance: Instance, source: str | Path) -> PlanFile:
    """Read a plan with the claims that stand beside it.

    Parameters
    ----------
    instance
        The instance that the plan is for.
    source
        A JSON file, a folder of tables as ``-o DIR`` writes it, or the JSON text itself (told by
        its opening brace). The object is a whole result or a bare plan.

    Raises
    ------
    InputError
        With every problem: file, JSON path or table row, value, and what was expected.
    """
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return _from_object(instance, parse_json(source, ""), "")
    path = Path(source)
    if path.is_dir():
        from hetopt.formats.plans.tables import read_tables

        return _from_object(instance, read_tables(path), f"{path}: ")
    if is_csv(path):
        obj, lines = read_csv_plan(instance, path)
        try:
            return _from_object(instance, obj, f"{path}: ")
        except InputError as error:
            raise in_lines(instance, obj, error, path, lines) from None
    return _from_object(instance, parse_json(read_text(path), str(path)), f"{path}: ")


def plan_from_dict(instance: Instance, obj: Any, place: str = "") -> Plan:
    """Return the plan that an object made by `plan_to_dict`, or by hand, describes.

    A task that the plan leaves out gets option -1, for the checker to report. ``end_s`` and
    ``estimated`` are not read: they follow from the rest. Steady devices that are left out have
    their least count, off.

    Parameters
    ----------
    instance
        The instance that the plan is for.
    obj
        The plan.
    place
        What to write before each JSON path in errors.

    Raises
    ------
    InputError
        With every problem.
    """
    rows = Rows(place)
    known = ["assignments", "transfers"] if instance.regime == "schedule" else ["units", "routes"]
    known += ["held"] if len(instance.periods) else []
    known += ["states"] if instance.regime == "steady" and instance.resources.slow.any() else []
    needed = known[0] if instance.regime == "schedule" else known[1]
    if not isinstance(obj, Mapping):
        raise InputError(f"{place}An object with {' and '.join(known)} is expected as the plan.")
    for key in obj:
        if key not in known:
            rows.add(
                key, "", f"A plan of a {instance.regime} instance has {' and '.join(known)} only."
            )
    if needed not in obj:
        rows.add(needed, "", "This list is missing.")
    names = Names(instance)
    if instance.regime == "schedule":
        plan: Plan = _schedule(instance, obj, names, rows)
    else:
        plan = _steady(instance, obj, names, rows)
    rows.stop_if_any()
    return plan


def _from_object(instance: Instance, obj: Any, place: str) -> PlanFile:
    if not isinstance(obj, Mapping) or "plan" not in obj or isinstance(obj["plan"], list):
        obj = in_our_words(instance, obj)
    if not isinstance(obj, Mapping):
        raise InputError(f"{place}A JSON object is expected, a result or a plan.")
    if "plan" not in obj:
        return PlanFile(plan_from_dict(instance, obj, place))
    if obj["plan"] is None:
        status = shown(obj.get("status", "no status"))
        raise InputError(f"{place}The result holds no plan (status {status}).")
    rows = Rows(place)
    names = _listed(obj.get("objective_name"))
    values, bounds = _listed(obj.get("objective")), _listed(obj.get("bound"))
    for key, entries, kind in (
        ("objective_name", names, str),
        ("objective", values, float),
        ("bound", bounds, float),
    ):
        for entry in entries:
            sound = isinstance(entry, str) if kind is str else _is_number(entry)
            if not (sound or entry is None):
                wanted = "A name is" if kind is str else "A number, null, or a list of these is"
                rows.add(key, entry, f"{wanted} expected.")
    status = obj.get("status", "")
    if not isinstance(status, str):
        rows.add("status", status, "A text is expected.")
    try:
        plan = plan_from_dict(instance, obj["plan"], f"{place}plan.")
    except InputError as error:
        raise InputError([*error.problems, *rows.problems]) from None
    rows.stop_if_any()
    return PlanFile(plan, _by_name(names, values), _by_name(names, bounds), status, obj)


def _by_name(names: list[Any], values: list[Any]) -> dict[str, float]:
    pairs = zip(names, values, strict=False)
    return {name: float(v) for name, v in pairs if name is not None and v is not None}


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return abs(value) < 2**1023  # what a float can hold
    return isinstance(value, float)


def _schedule(instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows) -> SchedulePlan:
    tasks = len(instance.tasks)
    option = np.full(tasks, -1, dtype=np.int64)
    unit = np.full(tasks, -1, dtype=np.int64)
    start = np.zeros(tasks)
    sound = _sound_assignments(obj.get("assignments"), names)
    if sound is not None:
        columns, task = sound[1:], sound[0]
        option[task], unit[task], start[task] = columns
    else:
        for task, chosen, number, begin in _assignments(obj, names, rows):
            option[task], unit[task], start[task] = chosen, number, begin
        unit = fill_units(instance, option, unit, start)
    return SchedulePlan(option, unit, start, _hops(instance, obj, names, rows))


def _sound_assignments(listed: Any, names: Names) -> tuple[Any, Any, Any, Any] | None:
    """Return task, option, unit and start columns, None if any row is not plainly right.

    This is several times as fast as going through the rows, which is left for reporting what is
    wrong and for what a row may leave out.
    """
    if not isinstance(listed, list):
        return None
    try:
        columns = [[row[name] for row in listed] for name in ASSIGNMENT[:5]]
        allowed = frozenset(ASSIGNMENT)
        if not all(allowed.issuperset(row) for row in listed):
            return None
        tasks, devices, units, labels, starts = columns
        places = {text: names.unit(text) for text in dict.fromkeys(units)}
        task = [names.tasks[name] for name in tasks]
        unit = [places[text] for text in units]
        chosen = [
            names.labels(t, names.devices[device])[label]
            for t, device, label in zip(task, devices, labels, strict=True)
        ]
    except (KeyError, TypeError):
        return None
    plain = all(type(value) is float or type(value) is int for value in starts)
    if None in places.values() or not plain or len(dict.fromkeys(task)) < len(task):
        return None
    try:
        start = np.array(starts, dtype=np.float64)
    except OverflowError:  # a whole number beyond the range of floats
        return None
    device, number = np.array(unit, dtype=np.int64).reshape(len(unit), 2).T
    named = np.array([names.devices[name] for name in devices], dtype=np.int64)
    if not np.array_equal(device, named) or not np.isfinite(start).all():
        return None
    return np.array(task, dtype=np.int64), np.array(chosen, dtype=np.int64), number, start


def _assignments(
    obj: Mapping[str, Any], names: Names, rows: Rows
) -> Iterator[tuple[int, int, int, float]]:
    """Go through the rows one by one: task, option, unit and start of those with a known task."""
    first_row: dict[int, int] = {}
    for i, row in rows.each(obj, "assignments", ASSIGNMENT):
        task = rows.find(row, "task", names.tasks, "task of the instance")
        if task in first_row:
            rows.here(
                "task", row["task"], f"Each task once; assignments[{first_row[task]}] has it too."
            )
        device, number = rows.unit(row, names, optional=True)
        chosen = rows.option(row, names, task, device)
        begin = rows.number(row, "start_s")
        if task >= 0:
            first_row.setdefault(task, i)
            yield task, chosen, number, begin


def _hops(instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows) -> Hops:
    fields = (
        *("tensor", "from", "to", "edge", "leg", "unit", "hop"),
        *("link", "link_index", "start_s", "end_s"),
    )
    table: list[tuple[int, int, int, int, int, int]] = []
    starts: list[float] = []
    for _, row in rows.each(obj, "transfers", fields):
        tensor = names.tensor(row, rows)
        leg = LEG_NAMES.get(str(row.get("leg", "direct")), -1)
        if leg < 0:
            rows.here("leg", row["leg"], f"One of {', '.join(LEG_NAMES)} is expected.")
        device, unit = instance.host, -1
        if leg != WRITE:
            device, unit = rows.unit(row, names, device_field="")
        elif row.get("unit") is not None:
            rows.here("unit", row["unit"], "A write goes to the host; null is expected.")
        hop = rows.whole(row, "hop", default=0)
        link = names.link(row, rows)
        starts.append(rows.number(row, "start_s"))
        table.append((tensor, leg, device, unit, hop, link))
    tensors, legs, devices, units, ordinals, links = (
        np.array(table, dtype=np.int64).reshape(len(table), 6).T
    )
    return Hops(tensors, legs, devices, units, ordinals, links, np.array(starts, dtype=np.float64))


def _steady(instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows) -> StreamPlan:
    had, on = _units(instance, obj, names, rows)
    parts = [_Routes() for _ in range(max(1, len(instance.scenarios)))]
    ptr_tasks, job_tasks = (column.tolist() for column in instance.job_tasks)
    first = _scenario_field(instance)
    for i, row in rows.each(obj, "routes", (*first, "job", "rate_per_s", "tasks")):
        scenario = _scenario(row, names, rows) if first else 0
        job = rows.find(row, "job", names.jobs, "job of the instance")
        rate = rows.number(row, "rate_per_s")
        placed = _route_tasks(instance, row, job, names, rows, i)
        tasks = job_tasks[ptr_tasks[job] : ptr_tasks[job + 1]] if job >= 0 else []
        if scenario >= 0:
            parts[scenario].add(job, rate, [(t, *placed.get(t, MISSING)) for t in tasks])
    states = read_states(instance, obj, names, rows)
    plans = [part.plan(had[s], on[s], states[s]) for s, part in enumerate(parts)]
    if len(instance.periods):
        return PeriodPlan(tuple(plans), _held(instance, obj, names, rows))
    return ScenarioPlan(tuple(plans)) if first else plans[0]


def _scenario_field(instance: Instance) -> tuple[str, ...]:
    """Return the field that rows have beside the others where the instance has scenarios."""
    return (instance.when,) if len(instance.scenarios) else ()


def _scenario(row: Mapping[str, Any], names: Names, rows: Rows) -> int:
    when = names.when
    return rows.find(row, when, names.scenarios, f"{when} of the instance")


def _held(instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows) -> Held:
    """Weights that units are said to hold, one row each."""
    keys = {name: k for k, name in enumerate(weights_names(instance.model_keys))}
    found = []
    for _, row in rows.each(obj, "held", ("period", "unit", "weights")):
        period = _scenario(row, names, rows)
        unit = names.unit(row.get("unit"))
        if unit is None:
            rows.here("unit", row.get("unit"), "A unit of the instance is expected, such as gpu#0.")
        key = rows.find(row, "weights", keys, "weights of the instance, MODEL/VARIANT")
        if period >= 0 and unit is not None and key >= 0:
            found.append((period, *unit, key))
    return Held.of(found)


@dataclass(slots=True)
class _Routes:
    """The routes of one scenario as they are read."""

    job: list[int] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    ptr: list[int] = field(default_factory=lambda: [0])
    rows: list[tuple[int, int, int]] = field(default_factory=list)
    least: list[float] = field(default_factory=list)

    def add(self, job: int, rate: float, rows: list[tuple[int, int, int, float]]) -> None:
        """Append a route with its (task, option, unit, least rate) rows."""
        self.job.append(job)
        self.rate.append(rate)
        self.rows.extend(row[:3] for row in rows)
        self.least.extend(row[3] for row in rows)
        self.ptr.append(len(self.rows))

    def plan(self, had: Ints, on: Ints, states: RunningStates | None) -> SteadyPlan:
        """Return the plan of these routes."""
        least = np.array(self.least, dtype=np.float64)
        slowed = states is not None or bool((least != 1).any())
        columns = np.array(self.rows, dtype=np.int64).reshape(len(self.rows), 3).T
        return SteadyPlan(
            route_job=np.array(self.job, dtype=np.int64),
            rate_per_s=np.array(self.rate, dtype=np.float64),
            ptr=np.array(self.ptr, dtype=np.int64),
            task=columns[0],
            option=columns[1],
            unit=columns[2],
            units_on=on,
            units_had=had,
            least_rate=least if slowed else None,
            states=states,
        )


MISSING = (-1, -1, 1.0)
"""Option, unit and least rate of a task that a route leaves out."""


def _route_tasks(
    instance: Instance, route: Mapping[str, Any], job: int, names: Names, rows: Rows, index: int
) -> dict[int, tuple[int, int, float]]:
    """Option, unit and least rate of each task that a route places."""
    placed: dict[int, tuple[int, int, float]] = {}
    slow = ("least_rate",) if instance.resources.slow.any() else ()
    fields = ("task", "device", "unit", "option", *slow, "estimated")
    for _, row in rows.inside(route, f"routes[{index}].tasks", "tasks", fields):
        task = rows.find(row, "task", names.tasks, "task of the instance")
        if task >= 0 and job >= 0 and instance.tasks.job[task] != job:
            rows.here("task", row["task"], f"A task of job {instance.jobs.name[job]} is expected.")
        elif task in placed:
            rows.here("task", row["task"], "A route has each task once.")
        device, unit = rows.unit(row, names, optional=True)
        chosen = rows.option(row, names, task, device)
        least = 1.0 if row.get("least_rate") is None else rows.number(row, "least_rate")
        if task >= 0:
            placed[task] = chosen, unit, least
    return placed


def _units(
    instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows
) -> tuple[Ints, Ints]:
    """Units had and on, per scenario (one row where there are none) and device."""
    count, invest = max(1, len(instance.scenarios)), instance.periods.invest
    least_had = instance.devices.count_min
    had = np.tile(
        np.maximum(least_had, initially_had(instance.periods, instance.devices) if invest else 0),
        (count, 1),
    )
    on = np.tile(np.where(instance.devices.off_when_unused, 0, had[0]), (count, 1))
    first = _scenario_field(instance)
    seen: dict[tuple[int, int], int] = {}
    stated: dict[int, int] = {}
    for i, row in rows.each(obj, "units", (*first, "device", "had", "on")):
        scenario = _scenario(row, names, rows) if first else 0
        device = rows.find(row, "device", names.devices, "device of the instance")
        if (scenario, device) in seen:
            rows.here("device", row["device"], f"units[{seen[scenario, device]}] has it too.")
        running = rows.whole(row, "on")
        least = max(running, int(had[max(0, scenario), device])) if device >= 0 else 0
        owned = rows.whole(row, "had", default=least)
        if device < 0 or scenario < 0:
            continue
        given = row.get("had") is not None
        if not invest and given and stated.setdefault(device, owned) != owned:
            text = f"All {instance.when}s share one fleet; another row has {stated[device]}."
            rows.here("had", owned, text)
        seen.setdefault((scenario, device), i)
        on[scenario, device] = running
        # What is bought is had from then on, unless a later row says otherwise.
        had[scenario if invest else 0 :, device] = owned
    return had, on
