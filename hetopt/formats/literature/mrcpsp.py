"""Multi-mode project scheduling, ``.mm``: the texts of PSPLIB and of MMLIB.

Sections under headings: successors of each activity, modes with durations and requests, and what
is there of each resource. Renewable resources R hold at each instant, non-renewable ones N over
the whole project. Formats of R. Kolisch, A. Sprecher, European Journal of Operational Research
96(1), 1997, and of V. Van Peteghem, M. Vanhoucke, European Journal of Operational Research 235(1),
2014.

Activities are tasks of one device with a slot for each of them; modes are its options.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.number_lines import MOST_PROBLEMS, plain
from hetopt.instance import Instance

DEVICE = "project"
COUNTS = {
    "jobs": r"jobs\b.*",
    "renewable": r"-?\s*renewable",
    "nonrenewable": r"-?\s*non-?renewable",
    "doubly": r"-?\s*doubly constrained",
    "projects": r"projects",
}
SECTIONS = {
    "precedence": r"precedence relations",
    "requests": r"requests\s*/\s*durations",
    "available": r"resource\s*availabilities",
    "project": r"project information",
}
Row = tuple[int, list[float]]
"""A line's number, and the numbers on it."""


@dataclass
class _Text:
    """What a file says: counts of its head, and the lines of numbers of each section."""

    name: str
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def fault(self, line: int, value: object, expected: str) -> None:
        """Note a problem; line 0 is the whole file."""
        place = f"{self.name}:{line}" if line else self.name
        self.problems.append(Problem(place, plain(value), expected))

    def stop(self) -> None:
        """Raise what was noted."""
        if self.problems:
            raise InputError(self.problems[:MOST_PROBLEMS])


@dataclass
class _Modes:
    """Columns of the modes, and the line of each."""

    activity: list[int] = field(default_factory=list)
    number: list[int] = field(default_factory=list)
    time: list[float] = field(default_factory=list)
    request: list[list[float]] = field(default_factory=list)
    line: list[int] = field(default_factory=list)


def read_mrcpsp(text: str, name: str) -> Instance:
    """Read a project of activities with several modes; the objective is the makespan."""
    found = _sections(text, name)
    count = found.counts["jobs"][0]
    kinds = ["R"] * found.counts["renewable"][0] + ["N"] * found.counts["nonrenewable"][0]
    names = [f"{kind}{kinds[: k + 1].count(kind)}" for k, kind in enumerate(kinds)]
    edges, modes_of = _precedence(found, count)
    modes = _modes(found, modes_of, len(names))
    available = _available(found, len(names))
    found.stop()
    tasks = [str(i + 1) for i in range(count)]
    option = [(tasks[a], str(n)) for a, n in zip(modes.activity, modes.number, strict=True)]
    uses = [
        (*option[i], names[k], amount, modes.line[i])
        for i, row in enumerate(modes.request)
        for k, amount in enumerate(row)
    ]
    infinite = float("inf")
    tables: dict[str, dict[str, Any]] = {
        "devices": {"name": [DEVICE], "slots": [count]},
        "options": {
            "profile": [o[0] for o in option],
            "device": [DEVICE] * len(option),
            "label": [o[1] for o in option],
            "time_s": modes.time,
        },
        "tasks": {"name": tasks},
        "transfers": {"from": [tasks[a] for a, _ in edges], "to": [tasks[b] for _, b in edges]},
        "resources": {
            "name": names,
            "capacity": [
                a if k == "R" else infinite for a, k in zip(available, kinds, strict=True)
            ],
            "budget": [a if k == "N" else infinite for a, k in zip(available, kinds, strict=True)],
        },
        "uses": {
            "profile": [u[0] for u in uses],
            "device": [DEVICE] * len(uses),
            "label": [u[1] for u in uses],
            "resource": [u[2] for u in uses],
            "amount": [u[3] for u in uses],
        },
    }
    return assemble(
        name,
        {table: columns for table, columns in tables.items() if any(columns.values())},
        {"regime": "schedule", "objective": "makespan"},
        {
            "options": lambda row: f"{name}:{modes.line[row]}",
            "uses": lambda row: f"{name}:{uses[row][4]}",
        },
    )


def _sections(text: str, name: str) -> _Text:
    """Split a file into counts and sections.

    Raises
    ------
    InputError
        If a count or a section is missing, or a count is not what can be read.
    """
    found = _Text(name)
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        words = line.split()
        if not words or set(line.strip()) <= {"*", "-"}:
            continue
        values = _numbers(words)
        if values is not None:
            found.rows.setdefault(section, []).append((number, values))
            continue
        label, mark, value = line.strip().lower().partition(":")
        label = label.strip()
        for key, pattern in SECTIONS.items():
            if re.fullmatch(pattern, label):
                section = key
                break
        else:
            for key, pattern in COUNTS.items():
                first = value.split()[:1]
                if mark and first and re.fullmatch(pattern, label):
                    if first[0].isdecimal():
                        found.counts[key] = (int(first[0]), number)
                    else:
                        found.fault(number, first[0], f"A whole number of {label.strip('- ')}.")
            if section == "requests" and not mark and words[0].lower() != "jobnr.":
                found.fault(number, line.strip(), "Activity, mode, duration and requests.")
    for key, what in (
        ("jobs", "jobs (incl. supersource/sink )"),
        ("renewable", "- renewable"),
        ("nonrenewable", "- nonrenewable"),
    ):
        if key not in found.counts:
            found.fault(0, "", f"A line '{what}: number'.")
    for key, most, what in (
        ("projects", 1, "One project in a file."),
        ("doubly", 0, "0: resources that are renewable or non-renewable, none that is both."),
    ):
        number, place = found.counts.get(key, (most, 0))
        if number > most:
            found.fault(place, number, what)
    for key, what in (
        ("precedence", "PRECEDENCE RELATIONS"),
        ("requests", "REQUESTS/DURATIONS"),
        ("available", "RESOURCEAVAILABILITIES"),
    ):
        if key not in found.rows and not (key == "available" and _no_resources(found)):
            found.fault(0, "", f"Lines of numbers under the heading {what}.")
    found.stop()
    return found


def _no_resources(found: _Text) -> bool:
    return all(found.counts.get(k, (1, 0))[0] == 0 for k in ("renewable", "nonrenewable"))


def _precedence(found: _Text, count: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the pairs of activities (from 0), and the number of modes of each."""
    edges: list[tuple[int, int]] = []
    modes: list[int] = []
    rows = found.rows["precedence"]
    if len(rows) != count:
        found.fault(rows[-1][0], f"{len(rows)} lines", f"{count} lines, one for each activity.")
    for i, (line, values) in enumerate(rows[:count]):
        if len(values) < 3 or values[0] != i + 1:
            found.fault(line, values[0], f"Activity {i + 1}, its modes, its successors.")
            modes.append(1)
            continue
        if values[1] < 1 or values[1] != int(values[1]):
            found.fault(line, values[1], "A number of modes of at least 1.")
        modes.append(max(1, int(values[1])))
        if values[2] != len(values) - 3:
            text = f"{len(values) - 3} as the number of successors, as so many follow."
            found.fault(line, values[2], text)
        for value in values[3:]:
            if value != int(value) or not 1 <= value <= count:
                found.fault(line, value, f"An activity from 1 to {count}.")
            else:
                edges.append((i, int(value) - 1))
    return edges, modes


def _modes(found: _Text, modes_of: list[int], resources: int) -> _Modes:
    """Return all modes, in the order of activities and of their numbers."""
    modes = _Modes()
    expected = iter((a, n + 1, n == 0) for a, number in enumerate(modes_of) for n in range(number))
    rows = found.rows["requests"]
    for line, values in rows:
        activity, number, first = next(expected, (-1, 0, False))
        if activity < 0:
            text = "The end of the modes, as the precedence relations say how many there are."
            found.fault(line, values[0], text)
            break
        wanted = [activity + 1.0, float(number)] if first else [float(number)]
        if len(values) != len(wanted) + 1 + resources or values[: len(wanted)] != wanted:
            text = f"Mode {number} of activity {activity + 1}: "
            text += "activity, mode" if first else "mode"
            right = len(values) == len(wanted) + 1 + resources
            what = f"{plain(values[0])} {plain(values[1])} ..." if right else _numbered(len(values))
            found.fault(line, what, f"{text}, duration, {resources} requests.")
            break
        modes.activity.append(activity)
        modes.number.append(number)
        modes.time.append(values[len(wanted)])
        modes.request.append(values[len(wanted) + 1 :])
        modes.line.append(line)
    else:
        left = next(expected, None)
        if left is not None:
            text = f"Mode {left[1]} of activity {left[0] + 1}."
            found.fault(rows[-1][0], "the end of the modes", text)
    return modes


def _available(found: _Text, resources: int) -> list[float]:
    rows = found.rows.get("available", [])
    values = [value for _, row in rows for value in row]
    line = rows[-1][0] if rows else 0
    if len(values) != resources:
        found.fault(line, _numbered(len(values)), f"{resources} numbers, one for each resource.")
    for number, row in rows:
        for value in row:
            if value < 0:
                found.fault(number, value, "What is there of a resource, at least 0.")
    return values


def _numbered(count: int) -> str:
    return f"{count} number{'' if count == 1 else 's'}"


def _numbers(words: list[str]) -> list[float] | None:
    try:
        values = [float(word) for word in words]
    except ValueError:
        return None
    return values if all(abs(value) < float("inf") for value in values) else None


def is_mrcpsp(text: str) -> bool:
    """Whether a text is a project with several modes of activities."""
    heads = ("PRECEDENCE RELATIONS", "REQUESTS/DURATIONS")
    return all(head in text for head in heads)


FORMATS = (Format("mrcpsp", (".mm", ".sm"), read_mrcpsp, sniff=is_mrcpsp, begins=("words",)),)
