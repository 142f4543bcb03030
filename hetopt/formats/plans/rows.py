"""Rows of a plan object: fields read one by one, each problem with its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import Instance

MOST_NAMES = 8
"""Names that a message lists."""


def shown(value: Any) -> str:
    """Return a value as an error message shows it, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _some(names: Iterable[str]) -> str:
    """List names, the first ones of many."""
    first = list(islice(names, MOST_NAMES + 1))
    return ", ".join([*first[:MOST_NAMES], *(["..."] if len(first) > MOST_NAMES else [])]) or "none"


class Rows:
    """Reads fields of the current row and collects problems.

    A field that cannot be read yields -1 (an index, a whole number) or 0.0 (a number), and a
    problem, so that reading goes on.
    """

    def __init__(self, place: str) -> None:
        self.problems: list[Problem] = []
        self._base = place
        self._list = ""
        self._index = 0

    def add(self, path: str, value: Any, expected: str) -> None:
        """Report a problem at a path of the object."""
        text = value if value == "" else shown(value)
        self.problems.append(Problem(place=f"{self._base}{path}", value=text, expected=expected))

    def here(self, name: str, value: Any, expected: str) -> None:
        """Report a problem in a field of the current row."""
        self.add(f"{self._list}[{self._index}].{name}", value, expected)

    def stop_if_any(self) -> None:
        """Raise what was collected."""
        if self.problems:
            raise InputError(self.problems)

    def each(
        self, obj: Mapping[str, Any], name: str, fields: tuple[str, ...]
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Go through the rows of a list of the plan (absent: none)."""
        return self.inside(obj, name, name, fields)

    def inside(
        self, obj: Mapping[str, Any], path: str, key: str, fields: tuple[str, ...]
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Go through the rows of a list that stands at ``obj[key]``."""
        outer = self._list, self._index
        listed = obj.get(key, [])
        if not isinstance(listed, list):
            self.add(path, listed, "A list is expected.")
            return
        allowed = frozenset(fields)
        for index, row in enumerate(listed):
            self._list, self._index = path, index
            if not isinstance(row, Mapping):
                self.add(f"{path}[{index}]", row, f"An object with {', '.join(fields)}.")
                continue
            if not allowed.issuperset(row):
                for field in row:
                    if field not in allowed:
                        self.here(field, "", f"Fields here are {', '.join(fields)}.")
            yield index, row
        self._list, self._index = outer

    def find(self, row: Mapping[str, Any], name: str, known: dict[str, int], what: str) -> int:
        """Return the index of the name in a field, -1 where it is not known."""
        value = row.get(name)
        index = known.get(value, -1) if isinstance(value, str) else -1
        if index < 0:
            if value is None:
                self.here(name, "", f"The name of a {what} is missing.")
            else:
                near = get_close_matches(str(value), known, n=1) if len(known) <= 10_000 else []
                hint = f"; did you mean {near[0]}?" if near else f"; there: {_some(known)}."
                self.here(name, value, f"The name of a {what} is expected{hint}")
        return index

    def number(self, row: Mapping[str, Any], name: str) -> float:
        """Return a finite number."""
        value = row.get(name)
        if (type(value) is float and math.isfinite(value)) or (
            type(value) is int and abs(value) < 2**1023
        ):
            return float(value)
        self.here(name, "" if value is None else value, "A finite number is expected.")
        return 0.0

    def whole(self, row: Mapping[str, Any], name: str, default: int | None = None) -> int:
        """Return a whole number of at least 0."""
        value = row.get(name, default)
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is int and 0 <= value < 2**62:
            return value
        self.here(name, "" if value is None else value, "A whole number, 0 or more, is expected.")
        return -1

    def unit(
        self,
        row: Mapping[str, Any],
        names: Names,
        *,
        device_field: str = "device",
        optional: bool = False,
    ) -> tuple[int, int]:
        """Return device and unit of a row; unit -1 where none is named."""
        value = row.get("unit")
        device = -1
        if device_field and (row.get(device_field) is not None or value is None):
            device = self.find(row, device_field, names.devices, "device of the instance")
        if value is None:
            if not optional:
                self.here("unit", "", "The name of a unit is missing, such as npu#0.")
            return device, -1
        found = names.unit(value)
        if found is None:
            expected = "The name of a unit is expected: a device of the instance, # and a number."
            self.here("unit", value, expected)
            return device, -1
        if device >= 0 and device != found[0]:
            self.here("unit", value, f"A unit of device {row[device_field]} is expected.")
        return found

    def option(self, row: Mapping[str, Any], names: Names, task: int, device: int) -> int:
        """Return the option of a task that has the row's label and the device."""
        label = row.get("option")
        if label is not None and not isinstance(label, str):
            self.here("option", label, "The label of an option is expected.")
            return -1
        if task < 0 or device < 0:
            return -1
        labels = names.labels(task, device)
        if label is None and len(labels) == 1:
            return next(iter(labels.values()))
        if label is not None and label in labels:
            return labels[label]
        choice = ", ".join(shown(text) for text in labels) or "none"
        self.here(
            "option",
            "" if label is None else label,
            f"An option that the task has on device {names.device_names[device]} is expected; "
            f"there: {choice}.",
        )
        return -1


class Names:
    """Names of an instance, to indices; built once per plan."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self.when = instance.when
        self.device_names: list[str] = instance.devices.name.tolist()
        self.devices = {name: d for d, name in enumerate(self.device_names)}
        self.tasks = {name: t for t, name in enumerate(instance.tasks.name.tolist())}
        self.jobs = {name: j for j, name in enumerate(instance.jobs.name.tolist())}
        self.scenarios = {name: s for s, name in enumerate(instance.scenarios.name.tolist())}
        self._profile = instance.tasks.profile.tolist()
        self._labels: dict[int, dict[int, dict[str, int]]] = {}
        self._units: dict[str, tuple[int, int]] = {}
        self._tensors: dict[str, int] | None = None
        self._messages: dict[tuple[int, int], list[tuple[int, int]]] = {}
        self._links: dict[str, list[int]] = {}

    def labels(self, task: int, device: int) -> dict[str, int]:
        """Options of a task on a device by label, forbidden ones included."""
        profile = self._profile[task]
        by_device = self._labels.get(profile)
        if by_device is None:
            by_device = self._labels[profile] = {}
            begin, end = self._instance.profiles.ptr[profile : profile + 2].tolist()
            options = self._instance.options
            rows = zip(
                options.device[begin:end].tolist(), options.label[begin:end].tolist(), strict=True
            )
            for option, (at, label) in enumerate(rows, start=begin):
                by_device.setdefault(at, {})[label] = option
        return by_device.get(device, {})

    def unit(self, value: Any) -> tuple[int, int] | None:
        """Return device and number of a unit's name, None where it names none."""
        if not isinstance(value, str):
            return None
        found = self._units.get(value)
        if found is None:
            name, _, number = value.rpartition("#")
            if name not in self.devices or not (number.isascii() and number.isdigit()):
                return None
            if len(number) > 18:
                return None
            found = self._units[value] = self.devices[name], int(number)
        return found

    def tensor(self, row: Mapping[str, Any], rows: Rows) -> int:
        """Return the tensor that a transfer's row names, -1 where none."""
        self._index_tensors()
        name = row.get("tensor")
        if name is not None:
            tensor = rows.find(row, "tensor", self._tensors or {}, "tensor of the instance")
            if tensor >= 0 and row.get("from") is not None:
                producer = str(self._instance.tasks.name[self._instance.tensors.producer[tensor]])
                if row["from"] != producer:
                    rows.here("from", row["from"], f"The tensor's producer is {producer}.")
            return tensor
        readers = row.get("to")
        reader = readers[0] if isinstance(readers, list) and len(readers) == 1 else readers
        if not isinstance(reader, str):
            rows.here("to", readers, "One task is expected, as the message has no tensor name.")
            return -1
        src = rows.find(row, "from", self.tasks, "task of the instance")
        dst = rows.find({"to": reader}, "to", self.tasks, "task of the instance")
        if src < 0 or dst < 0:
            return -1
        return self._message(row, src, dst, rows)

    def _message(self, row: Mapping[str, Any], src: int, dst: int, rows: Rows) -> int:
        found = self._messages.get((src, dst), [])
        if not found:
            rows.here("from", row["from"], f"There is no message from here to {row['to']}.")
            return -1
        edge = row.get("edge")
        if edge is None and len(found) == 1:
            return found[0][1]
        for candidate, tensor in found:
            if edge == candidate:
                return tensor
        choice = ", ".join(str(candidate) for candidate, _ in found)
        rows.here(
            "edge", "" if edge is None else edge, f"The transfer's number is expected: {choice}."
        )
        return -1

    def _index_tensors(self) -> None:
        if self._tensors is not None:
            return
        tensors = self._instance.tensors.name.tolist()
        self._tensors = {name: n for n, name in enumerate(tensors) if name}
        edges = self._instance.edges
        message = np.flatnonzero(edges.tensor >= 0)
        columns = (message, edges.src[message], edges.dst[message], edges.tensor[message])
        for edge, src, dst, tensor in zip(*(c.tolist() for c in columns), strict=True):
            if not tensors[tensor]:
                self._messages.setdefault((src, dst), []).append((edge, tensor))

    def link(self, row: Mapping[str, Any], rows: Rows) -> int:
        """Return the link that a transfer's row names, -1 where none."""
        links = self._instance.links
        if not self._links:
            ends = zip(links.src.tolist(), links.dst.tolist(), strict=True)
            for number, (src, dst) in enumerate(ends):
                arrow = f"{self.device_names[src]}->{self.device_names[dst]}"
                self._links.setdefault(arrow, []).append(number)
        name, index = row.get("link"), row.get("link_index")
        found = self._links.get(name, []) if isinstance(name, str) else []
        if not found:
            known = ", ".join(list(self._links)[:8]) or "none"
            value = "" if name is None else name
            rows.here("link", value, f"A link is expected, written from->to; there are: {known}.")
            return -1
        if index is None and len(found) == 1:
            return found[0]
        if type(index) is int and index in found:
            return index
        rows.here(
            "link_index",
            "" if index is None else index,
            f"The number of a link {name} is expected: {', '.join(map(str, found))}.",
        )
        return -1
