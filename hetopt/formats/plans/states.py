"""States of a plan of streams: what devices that slow each other down run at once, and how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hetopt.formats.plans.rows import Names, Rows
from hetopt.instance import Instance
from hetopt.instance.grouping import ptr_of
from hetopt.solution import RunningStates, ScenarioPlan, StreamPlan

RUN = ("unit", "profile", "option")


def state_columns(instance: Instance, plan: StreamPlan) -> dict[str, list[Any]]:
    """Return the states as one table, a row for each run; no columns where the plan has none."""
    parts = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
    if all(part.states is None for part in parts):
        return {}
    names = instance.scenarios.name.tolist() if isinstance(plan, ScenarioPlan) else [None]
    profiles = instance.profiles
    columns: dict[str, list[Any]] = {
        name: [] for name in ("scenario", "state", "share", "device", *RUN)
    }
    before = 0
    for scenario, part in zip(names, parts, strict=True):
        states = part.states
        if states is None:
            continue
        for s in range(len(states)):
            for x in range(int(states.ptr[s]), int(states.ptr[s + 1])):
                option = int(states.option[x])
                device = int(instance.options.device[option])
                profile = int(np.searchsorted(profiles.ptr, option, side="right")) - 1
                row = (
                    *(scenario, before + s, float(states.share[s])),
                    str(instance.devices.name[device]),
                    instance.unit_name(device, int(states.unit[x])),
                    str(profiles.name[profile]),
                    str(instance.options.label[option]),
                )
                for name, value in zip(columns, row, strict=True):
                    columns[name].append(value)
        before += len(states)
    if not isinstance(plan, ScenarioPlan):
        del columns["scenario"]
    return columns


def group_states(table: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the nested states of a table with one row per run."""
    states: dict[Any, dict[str, Any]] = {}
    for row in table:
        first = {"scenario": row["scenario"]} if "scenario" in row else {}
        state = states.setdefault(
            row.get("state"), {**first, "share": row.get("share"), "runs": []}
        )
        state["runs"].append({key: row.get(key) for key in RUN})
    return list(states.values())


def read_states(
    instance: Instance, obj: Mapping[str, Any], names: Names, rows: Rows
) -> list[RunningStates | None]:
    """Return the states of each scenario, or of a plan of one demand; None where it has none."""
    several = len(instance.scenarios) > 0
    parts: list[list[tuple[float, list[tuple[int, int]]]]] = [
        [] for _ in range(max(1, len(instance.scenarios)))
    ]
    profiles = {name: p for p, name in enumerate(instance.profiles.name.tolist())}
    first = ("scenario",) if several else ()
    for i, row in rows.each(obj, "states", (*first, "share", "runs")):
        scenario = 0
        if several:
            scenario = rows.find(row, "scenario", names.scenarios, "scenario of the instance")
        share = rows.number(row, "share")
        runs = []
        for _, run in rows.inside(row, f"states[{i}].runs", "runs", RUN):
            device, unit = rows.unit(run, names, device_field="")
            profile = rows.find(run, "profile", profiles, "profile of the instance")
            runs.append((_option(instance, profile, device, run, rows), unit))
        if scenario >= 0:
            parts[scenario].append((share, runs))
    return [_states(part) for part in parts]


def _option(
    instance: Instance, profile: int, device: int, run: Mapping[str, Any], rows: Rows
) -> int:
    """Return the option of a profile on a device that a run names, -1 where it names none."""
    if profile < 0 or device < 0:
        return -1
    begin, end = instance.profiles.ptr[profile : profile + 2].tolist()
    options, label = instance.options, run.get("option")
    here = [o for o in range(begin, end) if options.device[o] == device]
    found = [o for o in here if str(options.label[o]) == label]
    if label is None and len(here) == 1:
        found = here
    if not found:
        known = ", ".join(repr(str(options.label[o])) for o in here) or "none"
        text = f"An option that the profile has on the unit's device is expected; there: {known}."
        rows.here("option", "" if label is None else label, text)
        return -1
    return found[0]


def _states(part: list[tuple[float, list[tuple[int, int]]]]) -> RunningStates | None:
    if not part:
        return None
    size = [len(runs) for _, runs in part]
    table = np.array([run for _, runs in part for run in runs], dtype=np.int64).reshape(-1, 2)
    return RunningStates(
        share=np.array([share for share, _ in part], dtype=np.float64),
        ptr=ptr_of(size),
        option=table[:, 0],
        unit=table[:, 1],
    )
