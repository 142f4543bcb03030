"""What a target of ``hetopt deploy`` is: it turns a plan into files, and says what it cannot say.

A target is a module with a :class:`Target`; :mod:`hetopt.deploy.registry` lists them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hetopt.errors import InputError, Problem
from hetopt.instance import Instance
from hetopt.solution import Plan
from hetopt.version import __version__

PLACEHOLDER = "REPLACE-ME"
"""Begins what stands in a file where a parameter was not given."""

Files = dict[str, bytes]
"""Contents by path within the folder, with ``/`` between parts."""


@dataclass(frozen=True)
class Parameters:
    """What a plan does not know and a target needs.

    Attributes
    ----------
    images, commands
        By the name of a task, profile, job or device; under the empty name, for all.
    values
        The target's own parameters by name (``Target.parameters`` says which there are).
    result
        What ``hetopt solve --json`` printed beside the plan; empty where only the plan is known.
    beside
        Folder that relative paths in the instance are from.
    """

    images: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    beside: Path = Path()

    def value(self, name: str, default: str = "") -> str:
        """Return one of the target's own parameters."""
        return self.values.get(name, default)

    def of_device(self, name: str, device: str, default: str = "") -> str:
        """Return a parameter that is given as ``NAME.DEVICE``."""
        return self.values.get(f"{name}.{device}", default)


@dataclass(frozen=True)
class Artefacts:
    """What a target made of a plan.

    Attributes
    ----------
    files
        Contents by path.
    notes
        What the plan says and the target cannot, in sentences; and steps that remain to be done.
    refused
        Why the target does not take the files yet: parameters that are missing, its own limits.
    """

    files: Files
    notes: tuple[str, ...] = ()
    refused: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Target:
    """One entry of the registry.

    Attributes
    ----------
    about
        A sentence for ``hetopt deploy --to list``.
    write
        Makes the files of a plan; raises :class:`hetopt.errors.RefusedError` where the target has
        no form for such a plan at all.
    parameters
        Names that ``--parameter NAME=VALUE`` takes here, with what they mean. ``NAME.DEVICE``
        stands for one per device.
    holds_all
        Whether units hold all that they run at once, so that the set-ups of a plan need nothing
        done: they stand for time that a change takes.
    """

    name: str
    about: str
    write: Callable[[Plan, Instance, Parameters], Artefacts]
    parameters: Mapping[str, str] = field(default_factory=dict)
    holds_all: bool = False

    def check_names(self, instance: Instance, parameters: Parameters) -> None:
        """Refuse parameters that the target does not know, and names that the instance has not.

        Raises
        ------
        InputError
            With every one of them.
        """
        devices = set(instance.devices.name.tolist())
        problems = []
        for given in parameters.values:
            if given in self.parameters:
                continue
            head, dot, device = given.partition(".")
            if not dot or f"{head}.DEVICE" not in self.parameters:
                text = f"A parameter of target {self.name}: {', '.join(self.parameters) or 'none'}."
                problems.append(Problem("--parameter", given, text))
            elif device not in devices:
                text = f"A device of the instance: {', '.join(sorted(devices))}."
                problems.append(Problem("--parameter", given, text))
        if problems:
            raise InputError(problems)


def plan_hash(plan_object: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a plan as JSON: what files name to tell which plan they execute.

    Parameters
    ----------
    plan_object
        What :func:`hetopt.formats.plans.plan_to_dict` returns.
    """
    text = json.dumps(plan_object, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Provenance:
    """What every file says of where it comes from."""

    instance: str
    plan: str
    version: str = __version__

    @staticmethod
    def of(instance: Instance, plan: Plan) -> Provenance:
        """Name an instance and its plan."""
        from hetopt.formats.plans import plan_to_dict

        return Provenance(instance.name, plan_hash(plan_to_dict(instance, plan)))

    def comment(self, mark: str = "#") -> str:
        """Return the first lines of a text file, each after the mark of a comment."""
        return (
            f"{mark} Made by hetopt {self.version} (hetopt deploy).\n"
            f"{mark} Instance: {self.instance}\n{mark} Plan: sha256:{self.plan}\n"
        )
