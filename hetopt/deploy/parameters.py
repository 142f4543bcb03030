"""Images and commands of servers: which was given for what, and what fills the command's fields."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from hetopt.deploy.fleet import Group, Server
from hetopt.deploy.target import PLACEHOLDER, Parameters
from hetopt.errors import InputError, Problem
from hetopt.instance import Instance

FIELDS = ("model", "task", "tasks", "option", "batch", "device", "slots", "port", "memory_b")
"""What ``{...}`` in an image or command may name."""


@dataclass
class Needs:
    """Looks parameters up for one server after another, and collects what is missing."""

    instance: Instance
    parameters: Parameters
    refused: dict[str, Problem] = field(default_factory=dict)

    def image(self, group: Group, server: Server, port: int = 0) -> str:
        """Return the image of a server; a placeholder where none was given."""
        given = self._given(self.parameters.images, group, server)
        if given is None:
            return self._missing("image", server)
        return self._filled("--image", given, group, server, port)

    def command(
        self, group: Group, server: Server, port: int = 0, spelled: Callable[[str], str] = str
    ) -> list[str] | None:
        """Return the command of a server: words, or None where its image's own is meant.

        ``spelled`` writes what stands in for a field as the target takes it.
        """
        given = self._given(self.parameters.commands, group, server)
        if given is None:
            return [self._missing("command", server)]
        if not given.strip():
            return None
        try:
            words = shlex.split(given)
        except ValueError as error:
            text = f"A command as a shell reads it ({error})."
            raise InputError([Problem("--command", given, text)]) from None
        return [self._filled("--command", word, group, server, port, spelled) for word in words]

    def fields(self, group: Group, server: Server, port: int = 0) -> dict[str, str]:
        """Return what may stand in braces."""
        instance = self.instance
        tasks = [str(instance.tasks.name[t]) for t in server.tasks]
        return {
            "model": profile_name(instance, server.option),
            "task": tasks[0],
            "tasks": ",".join(tasks),
            "option": str(instance.options.label[server.option]),
            "batch": str(int(instance.options.batch[server.option])),
            "device": str(instance.devices.name[group.device]),
            "slots": str(int(instance.devices.slots[group.device])),
            "port": str(port),
            "memory_b": str(round(group.memory_b)),
        }

    def _given(self, given: Mapping[str, str], group: Group, server: Server) -> str | None:
        """Return what was given for a task, else its profile, its job, its device, else for all."""
        instance = self.instance
        names = [str(instance.tasks.name[t]) for t in server.tasks]
        names.append(profile_name(instance, server.option))
        names += [str(instance.jobs.name[instance.tasks.job[t]]) for t in server.tasks]
        names += [str(instance.devices.name[group.device]), ""]
        return next((given[name] for name in names if name in given), None)

    def _missing(self, what: str, server: Server) -> str:
        model = profile_name(self.instance, server.option)
        place = f"{what} of {model}"
        text = f"Give it with --{what} VALUE for all, or --{what} {model}=VALUE for this one."
        self.refused.setdefault(place, Problem(place, f"{PLACEHOLDER}-{what}", text))
        return f"{PLACEHOLDER}-{what}-of-{server.name}"

    def _filled(
        self,
        flag: str,
        text: str,
        group: Group,
        server: Server,
        port: int,
        spelled: Callable[[str], str] = str,
    ) -> str:
        fields = self.fields(group, server, port)
        try:
            return text.format(**{name: spelled(value) for name, value in fields.items()})
        except (KeyError, IndexError, ValueError, AttributeError):
            expected = f"Fields in braces are {', '.join(FIELDS)}; a brace itself is doubled."
            raise InputError([Problem(flag, text, expected)]) from None


def profile_name(instance: Instance, option: int) -> str:
    """Return the name of the profile that an option belongs to."""
    at = int(np.searchsorted(instance.profiles.ptr, option, side="right")) - 1
    return str(instance.profiles.name[at])


def check_owners(instance: Instance, parameters: Parameters) -> None:
    """Refuse images and commands that are given for a name that the instance has not.

    Raises
    ------
    InputError
        With every one of them.
    """
    known = owners(instance)
    expected = "The name of a task, profile, job or device before the =."
    problems = []
    for flag, given in (("--image", parameters.images), ("--command", parameters.commands)):
        for name, value in given.items():
            # Neither an image nor a program has an equals sign in its name.
            first = value.split(maxsplit=1)[:1]
            if name and name not in known:
                problems.append(Problem(flag, f"{name}=...", expected))
            elif not name and first and "=" in first[0]:
                problems.append(Problem(flag, value, expected))
    if problems:
        raise InputError(problems)


def owners(instance: Instance) -> frozenset[str]:
    """Return the names that an image or a command may be given for."""
    tables = (instance.tasks, instance.profiles, instance.jobs, instance.devices)
    return frozenset(str(name) for table in tables for name in table.name.tolist())


def split_owner(instance: Instance, text: str) -> tuple[str, str]:
    """Return whom ``NAME=VALUE`` is for, and the value; the empty name where it is for all.

    Only names of the instance count, as a command may well have an equals sign of its own.
    """
    name, mark, value = text.partition("=")
    if mark and name in owners(instance):
        return name, value
    return "", text
