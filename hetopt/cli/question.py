"""The instance that a command is asked about: a file, and what flags change in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hetopt.cli.values import pair, positive
from hetopt.errors import InputError, Problem

if TYPE_CHECKING:
    from hetopt.instance import Instance


@dataclass(frozen=True, slots=True)
class Question:
    """An instance file and the changes that the command line asks for."""

    file: str | None
    format: str | None
    objective: str | None
    deadline: str | None
    power_cap: str | None
    demand: float | None
    assignments: list[str]
    pins: list[str]
    forbids: list[str]
    platform: str | None = None
    robust: float | None = None

    def instance(self) -> Instance:
        """Read the instance and apply the changes."""
        read = self.read()
        instance = self.changed(read)
        read.forget_written()
        instance.forget_written()
        return instance

    def read(self, entries: Mapping[str, str] | None = None) -> Instance:
        """Read the instance as it stands in the file.

        ``entries`` puts entries of the catalogue in the place of devices, by their names.
        """
        from hetopt.default import default_instance
        from hetopt.formats import read_instance

        if entries:
            from hetopt.formats.native.catalogue_swaps import read_swapped

            if self.file is None:
                text = "A FILE whose devices come from the catalogue."
                raise InputError([Problem("--case", "swap", text)])
            return read_swapped(self.file, entries)
        if self.file is not None:
            return read_instance(self.file, format=self.format, platform=self.platform)
        if self.platform is None:
            return default_instance()
        text = "A FILE with a workload for the platform."
        raise InputError([Problem("--platform", self.platform, text)])

    def changed(self, read: Instance, more: Sequence[str] = ()) -> Instance:
        """Apply the changes to an instance as it was read; ``more`` are assignments of a case.

        A case's assignment has precedence over what the command line asks of all cases.
        """
        from hetopt.compile.set_values import set_values, sets
        from hetopt.instance import overrides
        from hetopt.instance.robust import robust

        instance = set_values(read, [*self.assignments, *more])
        pins = [pair("--pin", text) for text in self.pins]
        forbids = [pair("--forbid", text) for text in self.forbids]
        instance = overrides.with_placement(instance, pins, forbids)
        if self.objective is not None and not sets(more, "objective"):
            names = [name.strip() for name in self.objective.split(",") if name.strip()]
            instance = instance.with_objective(*(names or [self.objective]))
        if self.power_cap is not None and not sets(more, "power_cap_w"):
            cap = positive("--power-cap", self.power_cap, "power")
            instance = instance.with_limits(power_cap_w=cap)
        if self.deadline is not None:
            deadline = positive("--deadline", self.deadline, "time")
            _either("--deadline", self.deadline, more, "deadline_s", "release_s")
            instance = overrides.with_deadline(instance, deadline)
        if self.demand is not None:
            _either("--demand", f"{self.demand:g}", more, "rate_per_s", "share", "demand_per_s")
            instance = overrides.scale_demand(instance, self.demand)
        return instance if self.robust is None else robust(instance, self.robust)


def _either(flag: str, value: str, assignments: Sequence[str], *columns: str) -> None:
    """Refuse a flag beside a case that sets what the flag changes, as their order is not told."""
    from hetopt.compile.set_values import sets

    for column in columns:
        if sets(assignments, column):
            text = f"Either {flag}, or a case that sets {column}."
            raise InputError([Problem(flag, value, text)])
