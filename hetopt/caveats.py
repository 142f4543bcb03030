"""What a reader of any result of an instance must know about the figures in it."""

from __future__ import annotations

from hetopt.instance import Instance
from hetopt.profiling.catalogue import MLPERF_NOTICE


def caveats(instance: Instance) -> tuple[str, ...]:
    """Return full sentences: previews, doubts, mixed scopes, full batches, whose figures."""
    notes = []
    devices = instance.devices
    preview = devices.name[devices.preview].tolist()
    if preview:
        notes.append(f"Preview, not on sale when measured: {', '.join(preview)}.")
    named = zip(devices.name.tolist(), devices.caution.tolist(), strict=True)
    notes += [f"Figures of {name} are in doubt: {text}." for name, text in named if text]
    unstated = devices.name[~devices.idle_known].tolist()
    if unstated:
        notes.append(
            f"No idle power is stated for {', '.join(unstated)}: it counts as 0 W, and energies "
            "are whole energies."
        )
    scopes = [scope for scope in dict.fromkeys(devices.scope.tolist()) if scope]
    if instance.allow_mixed_scopes and len(scopes) > 1:
        notes.append(f"Power figures of different scope are compared: {', '.join(scopes)}.")
    if instance.regime == "steady" and (instance.options.batch > 1).any():
        notes.append("Full batches are assumed.")
    named = zip(devices.name.tolist(), devices.source.tolist(), strict=True)
    # MLPerf results are shown with round, division, submitter and system: the source holds them.
    notes += [f"MLPerf figures of {name}: {s}." for name, s in named if "mlcommons" in s.lower()]
    sources = dict.fromkeys([*devices.source.tolist(), *instance.options.source.tolist()])
    if any("mlcommons" in source.lower() for source in sources):
        notes.append(MLPERF_NOTICE)
    return tuple(notes)
