"""What a reader of any result of an instance must know about the figures in it."""

from __future__ import annotations

import math

import numpy as np

from hetopt import units
from hetopt.instance import Instance
from hetopt.instance.questions import used_devices
from hetopt.profiling.catalogue import MLPERF_NOTICE


def caveats(instance: Instance) -> tuple[str, ...]:
    """Return full sentences: previews, doubts, mixed scopes, full batches, whose figures."""
    notes = []
    devices = instance.devices
    notes += warnings(instance)
    preview = devices.name[devices.preview].tolist()
    if preview:
        notes.append(f"Preview, not on sale when measured: {', '.join(preview)}.")
    named = zip(devices.name.tolist(), devices.caution.tolist(), strict=True)
    notes += [f"Figures of {name} are in doubt: {text}." for name, text in named if text]
    notes += _estimates(instance)
    notes += _without_effect(instance)
    notes += _boards(instance)
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


def _estimates(instance: Instance) -> list[str]:
    """Say how many options are estimated, and how far off their times may be."""
    options = instance.options
    estimated = options.estimated
    if not estimated.any():
        return []
    text = f"{int(estimated.sum())} of {len(options)} options are estimated, not measured"
    known = estimated & ~np.isnan(options.time_high_s) & (options.time_s > 0)
    if known.any():
        low = np.median(options.time_low_s[known] / options.time_s[known])
        high = np.median(options.time_high_s[known] / options.time_s[known])
        share = np.unique(options.interval[known])
        held = f"{share[0]:.0%}" if len(share) == 1 else f"{share[0]:.0%} to {share[-1]:.0%}"
        text += (
            f"; the intervals of their times, which claim to hold {held} of outcomes, go in the "
            f"median from {low:.2f} to {high:.2f} of the time"
        )
    return [f"{text}."]


def _without_effect(instance: Instance) -> list[str]:
    """Name fields that are stated and count for nothing in a plan of this question."""
    devices, boards, jobs = instance.devices, instance.boards, instance.jobs
    notes = []
    if "value" not in instance.objective:
        for field, stated in (
            ("optional", jobs.optional),
            ("value", jobs.value > 0),
            ("min_share", jobs.min_share > 0),
        ):
            if stated.any():
                names = _some(jobs.name[stated].tolist())
                notes.append(
                    f"`{field}` of {names} has no effect: it counts where value is an objective; "
                    "here all is served."
                )
    cyclic = math.isfinite(instance.limits.cycle_s)
    if not cyclic and (instance.regime == "schedule" or len(instance.periods)):
        return notes
    starting = [
        name
        for part in (devices, boards)
        for name in part.name[
            (part.start_up_time_s > 0) | (part.start_up_energy_j > 0) | (part.start_up_cost > 0)
        ].tolist()
    ]
    if starting:
        why = (
            "in a schedule that repeats for ever all that is on has been on for ever."
            if cyclic
            else "a plan for steady rates starts nothing; between periods it counts."
        )
        notes.append(f"`start_up` of {_some(starting)} has no effect here: {why}")
    return notes


def _boards(instance: Instance) -> list[str]:
    """Name devices of one board that each state an idle power, which is that of the whole board."""
    devices = instance.devices
    notes = []
    for board in dict.fromkeys(devices.board.tolist()):
        both = (
            (devices.board == board)
            & (devices.on_board < 0)
            & (devices.idle_power_w > 0)
            & (devices.count_max != 0)
        )
        if board and both.sum() > 1:
            names = devices.name[both].tolist()
            notes.append(
                f"{', '.join(names)} are processors of one board, {board}, and each states the "
                "idle power of the whole board: with more than one of them on it counts more than "
                "once. List the board in `boards`, which then draws it once, or set `idle_power: "
                "0 W` for all but one of them."
            )
    return notes


def warnings(instance: Instance) -> list[str]:
    """Return how it was read, and what can play no part in any plan: easily a mistake."""
    notes = [text for text in (instance.source, instance.left_out) if text]
    if math.isfinite(instance.limits.cycle_s):
        cycle = units.format(instance.limits.cycle_s, "time", digits=6)
        notes.append(
            f"The schedule repeats for ever, every {cycle}; all figures are of one such cycle. "
            "With a `horizon`, or `cyclic: false`, instead it has an end."
        )
    if instance.periods.invest:
        rate = 100 * instance.periods.discount_rate
        notes.append(
            "Units are bought over time and stay; costs, also those of a period, are in money of "
            f"today (the begin of the first period), at {rate:.4g} % a year."
        )
    devices, options = instance.devices, instance.options
    optionless = np.ones(len(devices), dtype=bool)
    optionless[options.device] = False
    had = devices.count_max != 0
    idle = devices.name[optionless & had].tolist()
    if idle:
        notes.append(f"No task has an option on {_some(idle)}, so nothing runs there.")
    unused = devices.name[~optionless & had & ~used_devices(instance)].tolist()
    if unused:
        notes.append(f"Pins, forbids and sites keep every task away from {_some(unused)}.")
    room = np.minimum(devices.memory_b, np.append(instance.pools.memory_b, np.inf)[devices.pool])
    needed = options.memory_b + np.where(options.weights_key >= 0, options.weights_b, 0.0)
    # Only what exceeds the memory beyond rounding is said to; the solvers judge for themselves.
    large = needed > room[options.device] * (1 + 1e-9)
    if large.any():
        profile = np.repeat(np.arange(len(instance.profiles)), np.diff(instance.profiles.ptr))
        names = [
            f"{instance.profiles.name[profile[o]]} on {devices.name[options.device[o]]}"
            + (f" ({options.label[o]})" if options.label[o] else "")
            for o in np.flatnonzero(large).tolist()
        ]
        notes.append(
            f"More memory than a unit has is needed, so these options never run: {_some(names)}."
        )
    if {"energy", "power", "peak_power"} & set(instance.objective) and not (
        options.energy_j.any() or devices.idle_power_w.any() or instance.links.energy_j_per_b.any()
    ):
        notes.append("Nothing states an energy or a power, so it is 0 in every plan.")
    return notes


def _some(names: list[str], most: int = 8) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
