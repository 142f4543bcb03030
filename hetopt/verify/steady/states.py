"""Checks of states: what devices that slow each other down run at once, and for how long.

At each instant a run progresses at the least over its slow resources k of min(1, C_k / Σ demands of
all that run), times 1 − loss_k where two or more runs ask for some of k (docs/quantities.md).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hetopt.instance import NO_MAXIMUM, Instance, Ints
from hetopt.solution import RunningStates
from hetopt.verify.columns import read_columns
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.routes import Number
from hetopt.verify.steady.streams import Arithmetic, Stream, working_units

Run = tuple[int, int]
"""Option and unit."""


def joined_devices(instance: Instance) -> list[int]:
    """Return a number for each device, the same for those that slow each other; -1 for none (D)."""
    resources, options = instance.resources, instance.options
    mark = list(range(len(instance.devices)))
    inside = [False] * len(mark)
    usable = set(instance.admissible[1].tolist())
    for k in np.flatnonzero(resources.slow).tolist():
        users = sorted(
            {
                int(options.device[o])
                for o in usable
                if options.time_s[o] > 0 and any(r == k for r, _ in instance.uses.of(o))
            }
        )
        for d in users:
            inside[d] = True
            old, new = mark[d], mark[users[0]]
            mark = [new if m == old else m for m in mark]
    slots = [0.0] * len(mark)
    for d, m in enumerate(mark):
        most = int(instance.devices.count_max[d])
        units = math.inf if most == NO_MAXIMUM else most
        slots[m] += units * int(instance.devices.slots[d]) if units else 0
    # Where only one thing can run, nothing is slowed.
    return [m if inside[d] and slots[m] > 1 else -1 for d, m in enumerate(mark)]


def read_states(
    instance: Instance, states: RunningStates, findings: Findings
) -> list[tuple[float, list[Run]]] | None:
    """Return the states as (part of the time, runs), None where their columns cannot be read."""
    part = read_columns(findings, [("states.share", states.share, False)], None)
    rows = read_columns(
        findings,
        [("states.option", states.option, True), ("states.unit", states.unit, True)],
        None,
    )
    if part is None or rows is None:
        return None
    ends = read_columns(findings, [("states.ptr", states.ptr, True)], len(part[0]) + 1)
    if ends is None:
        return None
    ptr, option, unit = ends[0].tolist(), rows[0].tolist(), rows[1].tolist()
    if ptr[0] != 0 or ptr[-1] != len(option) or any(np.diff(ends[0]) < 0):
        findings.add(
            "malformed-plan",
            f"The column states.ptr must rise from 0 to {len(option)}, the number of runs.",
            "states",
        )
        return None
    found = []
    for s, share in enumerate(part[0].tolist()):
        place = f"states[{s}]"
        if not (math.isfinite(share) and share >= 0):
            text = f"State {s} has the share {show(share)}, which is no part of the time."
            findings.add("state-share", text, place)
            return None
        runs = list(zip(option[ptr[s] : ptr[s + 1]], unit[ptr[s] : ptr[s + 1]], strict=True))
        for o, _ in runs:
            if not 0 <= o < len(instance.options):
                text = f"State {s} runs option {o}; there are {len(instance.options)}."
                findings.add("state-option", text, place)
                return None
        found.append((share, runs))
    return found


def check_states(
    instance: Instance,
    streams: list[Stream],
    states: RunningStates | None,
    units: tuple[Ints, Ints],
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that states can be on, that they fit the time, and that they do all the work.

    Parameters
    ----------
    units
        Units on and units had, per device.
    """
    domain = joined_devices(instance)
    _check_unslowed(instance, streams, domain, findings)
    work = _asked(instance, streams, domain, arithmetic)
    listed: list[tuple[float, list[Run]]] | None = []
    if states is not None:
        listed = read_states(instance, states, findings)
    elif work:
        findings.add(
            "states",
            "The plan states no states, though resources slow what runs on devices that it uses: "
            "how fast they work is not known.",
        )
        return
    if listed is None:
        return
    for s, (_, runs) in enumerate(listed):
        _check_state(instance, s, runs, domain, units, findings)
    _check_time(instance, listed, domain, arithmetic, findings)
    _check_units(instance, listed, units, arithmetic, findings)
    _check_work(instance, work, listed, arithmetic, findings)


def _check_unslowed(
    instance: Instance, streams: list[Stream], domain: list[int], findings: Findings
) -> None:
    """Check that least rates are 1 where nothing is slowed."""
    slow = instance.resources.slow
    for stream in streams:
        for (task, option, _), rate in zip(stream.rows, stream.least, strict=True):
            name = instance.tasks.name[task]
            slowed = domain[int(instance.options.device[option])] >= 0 and any(
                slow[k] for k, _ in instance.uses.of(option)
            )
            if rate != 1 and not slowed:
                findings.add(
                    "least-rate",
                    f"Route {stream.row} runs task {name} at {show(rate)} of full speed or more; "
                    "nothing slows it, so that the rate is 1.",
                    name,
                )


def rates(instance: Instance, runs: list[int], arithmetic: Arithmetic) -> list[Number]:
    """Return the rate of each of some options that run at once."""
    slow, number = instance.resources.slow, arithmetic.number
    asked: dict[int, Number] = {}
    users: dict[int, int] = {}
    for option in runs:
        for k, amount in instance.uses.of(option):
            if slow[k] and instance.options.time_s[option] > 0:
                asked[k] = asked.get(k, number(0.0)) + number(amount)
                users[k] = users.get(k, 0) + 1
    found = []
    for option in runs:
        rate = number(1.0)
        if instance.options.time_s[option] > 0:
            for k, _ in instance.uses.of(option):
                if slow[k]:
                    full = number(1.0)
                    capacity = float(instance.resources.capacity[k])
                    speed = full
                    if math.isfinite(capacity) and asked[k] > number(capacity):
                        speed = number(capacity) / asked[k]
                    if users[k] >= 2:
                        speed = speed * (full - number(instance.resources.loss[k]))
                    rate = min(rate, speed)
        found.append(rate)
    return found


def _asked(
    instance: Instance, streams: list[Stream], domain: list[int], arithmetic: Arithmetic
) -> dict[int, dict[Number, Number]]:
    """Return busy time per second at full speed that routes ask for, by option and least rate."""
    options, number = instance.options, arithmetic.number
    work: dict[int, dict[Number, Number]] = {}
    for stream in streams:
        if not stream.used:
            continue
        for (task, option, _), least in zip(stream.rows, stream.least, strict=True):
            if domain[int(options.device[option])] < 0 or not options.time_s[option] > 0:
                continue
            busy = stream.rate * number(instance.tasks.work[task]) * number(options.time_s[option])
            busy /= int(options.batch[option])
            if busy:
                mine = work.setdefault(option, {})
                mine[least] = mine.get(least, number(0.0)) + busy
    return work


def _check_state(
    instance: Instance,
    s: int,
    runs: list[Run],
    domain: list[int],
    units: tuple[Ints, Ints],
    findings: Findings,
) -> None:
    """Check that a state runs something, in one domain, with no more in a unit than its slots."""
    place = f"states[{s}]"
    devices, of = instance.devices, instance.options.device
    groups = {domain[int(of[o])] for o, _ in runs}
    if len(groups) != 1 or -1 in groups:
        findings.add(
            "state-devices",
            f"State {s} must run something, all of it on devices that slow each other down.",
            place,
        )
    taken: dict[tuple[int, int], int] = {}
    for o, unit in runs:
        device = int(of[o])
        taken[device, unit] = taken.get((device, unit), 0) + 1
        if not 0 <= unit < int(units[0][device]):
            findings.add(
                "unit-range",
                f"State {s} runs on unit {unit} of {devices.name[device]}, of which "
                f"{units[0][device]} units are on.",
                place,
            )
    for (device, unit), many in taken.items():
        if many > int(devices.slots[device]):
            findings.add(
                "state-slots",
                f"State {s} runs {many} options at once on {instance.unit_name(device, unit)}, "
                f"which has {devices.slots[device]} slots.",
                place,
            )


def _check_time(
    instance: Instance,
    listed: list[tuple[float, list[Run]]],
    domain: list[int],
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that the states of each domain fit the time."""
    taken: dict[int, Any] = {}
    for share, runs in listed:
        for g in {domain[int(instance.options.device[o])] for o, _ in runs}:
            taken[g] = taken.get(g, arithmetic.number(0.0)) + arithmetic.number(share)
    for g, part in sorted(taken.items()):
        if exceeds(part, arithmetic.number(1.0)):
            names = [str(instance.devices.name[d]) for d, m in enumerate(domain) if m == g]
            findings.add(
                "state-time",
                f"The states of {', '.join(names)} are on for {show(part)} of the time together.",
                names[0],
            )


def _check_units(
    instance: Instance,
    listed: list[tuple[float, list[Run]]],
    units: tuple[Ints, Ints],
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that slots are occupied no longer than the utilisation of units allows."""
    devices, number = instance.devices, arithmetic.number
    occupied: dict[int, Any] = {}
    for share, runs in listed:
        for o, _ in runs:
            device = int(instance.options.device[o])
            occupied[device] = occupied.get(device, number(0.0)) + number(share)
    serves = np.zeros(len(devices), dtype=bool)
    serves[sorted(occupied)] = True
    working = working_units(instance, serves, *units)
    for device, busy in sorted(occupied.items()):
        free = 1 - number(devices.reserved[device])
        room = number(devices.max_utilization[device]) * free * int(devices.slots[device])
        room *= int(working[device])
        if exceeds(busy, room):
            name = devices.name[device]
            findings.add(
                "state-capacity",
                f"The states occupy {name} for {show(busy)} seconds per second, slowed as it is; "
                f"the {working[device]} units that work may be for {show(room)}.",
                name,
            )


def _check_work(
    instance: Instance,
    work: dict[int, dict[Number, Number]],
    listed: list[tuple[float, list[Run]]],
    arithmetic: Arithmetic,
    findings: Findings,
) -> None:
    """Check that states do the work of each option, as fast as its routes ask for.

    Routes that ask for a rate are served by states at that rate or more; those that ask for less
    may take what these leave over. So for each rate: work that asks for it or more, against all
    that is done at it or faster.
    """
    number = arithmetic.number
    done: dict[int, list[tuple[Number, Number]]] = {}
    for share, runs in listed:
        speed = rates(instance, [o for o, _ in runs], arithmetic)
        for (option, _), rate in zip(runs, speed, strict=True):
            done.setdefault(option, []).append((rate, number(share) * rate))
    for option, asked in sorted(work.items()):
        for least in sorted(asked):
            needed = sum((b for f, b in asked.items() if f >= least), number(0.0))
            # A state within the tolerance of a rate keeps it.
            given = sum(
                (d for rate, d in done.get(option, []) if not exceeds(least, rate)), number(0.0)
            )
            if exceeds(needed, given, needed):
                device = instance.devices.name[int(instance.options.device[option])]
                label = instance.options.label[option]
                findings.add(
                    "state-work",
                    f"Routes need {show(needed)} seconds per second of option {label!s} on "
                    f"{device} at {show(least)} of full speed or more; the states do "
                    f"{show(given)}.",
                    str(device),
                )
