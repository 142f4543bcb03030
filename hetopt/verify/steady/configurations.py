"""Check of streams: a unit has one configuration for ever."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from hetopt.verify.report import Findings
from hetopt.verify.steady.routes import Unit
from hetopt.verify.steady.streams import Stream


def check_configurations(instance: Instance, streams: list[Stream], findings: Findings) -> None:
    """Check that all that a named unit serves needs one configuration at most."""
    wanted, device = instance.options.configuration, instance.options.device
    if not np.any(wanted != ""):
        return
    held: dict[Unit, dict[str, int]] = {}
    for stream in streams:
        if not (stream.used or instance.routing == "single"):
            continue
        for task, option, unit in stream.rows:
            name = str(wanted[option])
            if unit >= 0 and name:
                held.setdefault((int(device[option]), unit), {}).setdefault(name, task)
    for (d, unit), names in sorted(held.items()):
        if len(names) > 1:
            tasks = ", ".join(f"{n} for {instance.tasks.name[t]}" for n, t in names.items())
            findings.add(
                "configuration",
                f"Unit {instance.unit_name(d, unit)} needs the configurations {tasks}; it has one.",
                instance.unit_name(d, unit),
            )
