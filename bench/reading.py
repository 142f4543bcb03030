"""Get the instance of a case: read its file, or generate it, and add what the file leaves open."""

from __future__ import annotations

from dataclasses import replace

from bench.cases import Case
from hetopt import Instance, read_instance
from hetopt.compile.set_values import set_values


def read_case(case: Case) -> Instance:
    """Return the instance of a case, with the case's objective.

    Raises
    ------
    hetopt.InputError
        If the file cannot be read.
    """
    if case.format == "generate":
        instance = _generate(case)
    else:
        instance = read_instance(
            case.path, format=case.format, platform=case.settings.get("platform")
        )
        instance = set_values(instance, case.settings.get("set", []))
    if case.measure.objective and instance.objective != (case.measure.objective,):
        instance = replace(instance, objective=(case.measure.objective,))
    return instance


def _generate(case: Case) -> Instance:
    from hetopt.generate import generate_schedule, generate_steady

    arguments = {k: v for k, v in case.settings.items() if k != "regime"}
    if case.settings["regime"] == "steady":
        return generate_steady(**arguments)
    return generate_schedule(**arguments)
