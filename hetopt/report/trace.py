"""A schedule as a trace for Perfetto (ui.perfetto.dev) and chrome://tracing.

Devices are processes and units threads (one per slot that is used at once); links are threads of a
process of their own. Tasks, set-ups and hops are complete events, messages are flows from the
producer through the hops to each consumer, power and memory are counters. Times are microseconds.
The form is the "JSON Array / Object Format" of the Trace Event Format document.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.evaluate.optional import runs_of
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.evaluate.setups import setup_names
from hetopt.evaluate.timeline import memory_over_time, power_over_time
from hetopt.instance import Instance
from hetopt.report.lanes import lanes
from hetopt.solution import WRITE, SchedulePlan
from hetopt.version import __version__

MICROSECONDS = 1e6
INSIDE = 0.5
"""Part of a producer's time at which its flow begins: a flow belongs to the slice around it."""

Event = dict[str, Any]


def trace(instance: Instance, plan: SchedulePlan) -> dict[str, Any]:
    """Return the trace as a JSON object.

    Parameters
    ----------
    instance
        Of the schedule regime.
    plan
        A schedule of it.
    """
    instance, plan = runs_of(instance, plan)
    quantities = ScheduleQuantities(instance, plan)
    places, threads = _threads(instance, quantities)
    tasks = _tasks(instance, quantities, places)
    links, hops, hop_places = _hops(instance, quantities)
    events = [
        *threads,
        *links,
        *tasks,
        *_setups(instance, quantities, places),
        *hops,
        *_flows(instance, quantities, places, hop_places),
        *_counters(instance, plan),
    ]
    return {
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {"name": instance.name, "made_by": f"hetopt {__version__}"},
    }


def _us(seconds: float) -> float:
    return round(seconds * MICROSECONDS, 6)


def _named(what: str, pid: int, name: str, tid: int = 0) -> Event:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _threads(
    instance: Instance, q: ScheduleQuantities
) -> tuple[list[tuple[int, int]], list[Event]]:
    """Process and thread of each task, and what they are called."""
    places = [(0, 0)] * len(q.plan.option)
    events: list[Event] = []
    for device in np.unique(q.device).tolist():
        pid = device + 1
        kind = instance.devices.kind[device]
        events.append(_named("process_name", pid, f"{instance.devices.name[device]} ({kind})"))
        tid = 0
        mine = np.flatnonzero(q.device == device)
        for unit in np.unique(q.plan.unit[mine]).tolist():
            rows = mine[q.plan.unit[mine] == unit]
            lane = lanes(q.plan.start_s[rows], q.end_s[rows])
            most = int(lane.max())
            for k in range(most + 1):
                slot = f" slot {k}" if most else ""
                name = instance.unit_name(device, unit) + slot
                events.append(_named("thread_name", pid, name, tid + k + 1))
            for row, k in zip(rows.tolist(), lane.tolist(), strict=True):
                places[row] = (pid, tid + k + 1)
            tid += most + 1
    return places, events


def _tasks(instance: Instance, q: ScheduleQuantities, places: list[tuple[int, int]]) -> list[Event]:
    label = instance.options.label[q.plan.option].tolist()
    jobs = instance.jobs.name[instance.tasks.job].tolist()
    return [
        {
            "ph": "X",
            "cat": "task",
            "name": name,
            "pid": pid,
            "tid": tid,
            "ts": _us(start),
            "dur": _us(time),
            "args": {"job": job, "option": option, "energy_j": energy},
        }
        for name, (pid, tid), start, time, job, option, energy in zip(
            instance.tasks.name.tolist(),
            places,
            q.plan.start_s.tolist(),
            q.lasting_s.tolist(),
            jobs,
            label,
            q.task_energy_j.tolist(),
            strict=True,
        )
    ]


def _setups(
    instance: Instance, q: ScheduleQuantities, places: list[tuple[int, int]]
) -> list[Event]:
    """Return the set-ups, each on the thread of the task that it comes before."""
    runs = q.setups
    return [
        {
            "ph": "X",
            "cat": "set-up",
            "name": f"set-up: {target}",
            "pid": places[task][0],
            "tid": places[task][1],
            "ts": _us(start),
            "dur": _us(time),
            "args": {"from": source, "to": target, "energy_j": energy},
        }
        for (source, target), task, start, time, energy in zip(
            setup_names(instance, q.plan, runs),
            *(column.tolist() for column in (runs.task, runs.start_s, runs.time_s, runs.energy_j)),
            strict=True,
        )
    ]


def _hops(
    instance: Instance, q: ScheduleQuantities
) -> tuple[list[Event], list[Event], list[tuple[int, int]]]:
    """Return names of the links' threads, the hops, and the place of each hop."""
    hops, devices = q.plan.hops, instance.devices.name
    if not len(hops):
        return [], [], []
    pid = len(instance.devices) + 1
    named = [_named("process_name", pid, "links")]
    places = [(pid, 0)] * len(hops)
    tid = 0
    for link in np.unique(hops.link).tolist():
        rows = np.flatnonzero(hops.link == link)
        lane = lanes(hops.start_s[rows], hops.start_s[rows] + q.hop_time_s[rows])
        ends = f"{devices[instance.links.src[link]]} -> {devices[instance.links.dst[link]]}"
        for k in range(int(lane.max()) + 1):
            number = f" ({k + 1})" if k else ""
            named.append(_named("thread_name", pid, ends + number, tid + k + 1))
        for row, k in zip(rows.tolist(), lane.tolist(), strict=True):
            places[row] = (pid, tid + k + 1)
        tid += int(lane.max()) + 1
    events = [
        {
            "ph": "X",
            "cat": "transfer",
            "name": _tensor_name(instance, tensor),
            "pid": place[0],
            "tid": place[1],
            "ts": _us(start),
            "dur": _us(time),
            "args": {"bytes": float(instance.tensors.bytes_b[tensor]), "energy_j": energy},
        }
        for tensor, place, start, time, energy in zip(
            hops.tensor.tolist(),
            places,
            hops.start_s.tolist(),
            q.hop_time_s.tolist(),
            q.hop_energy_j.tolist(),
            strict=True,
        )
    ]
    return named, events, places


def _tensor_name(instance: Instance, tensor: int) -> str:
    name = str(instance.tensors.name[tensor])
    return name or f"from {instance.tasks.name[instance.tensors.producer[tensor]]}"


def _flows(
    instance: Instance,
    q: ScheduleQuantities,
    places: list[tuple[int, int]],
    hop_places: list[tuple[int, int]],
) -> list[Event]:
    """One flow per message that travels: producer, hops in turn, consumer."""
    hops, edges = q.plan.hops, instance.edges
    legs: dict[tuple[int, int, int], list[int]] = {}
    writes: dict[int, list[int]] = {}
    for h in np.lexsort((hops.ordinal, hops.start_s)).tolist():
        tensor = int(hops.tensor[h])
        if int(hops.leg[h]) == WRITE:
            writes.setdefault(tensor, []).append(h)
        else:
            key = (tensor, int(hops.dst_device[h]), int(hops.dst_unit[h]))
            legs.setdefault(key, []).append(h)
    events: list[Event] = []
    for number, (src, dst, tensor) in enumerate(
        zip(edges.src.tolist(), edges.dst.tolist(), edges.tensor.tolist(), strict=True)
    ):
        key = (tensor, int(q.device[dst]), int(q.plan.unit[dst]))
        path = [*writes.get(tensor, []), *legs.get(key, [])]
        moved = (q.device[src], q.plan.unit[src]) != (q.device[dst], q.plan.unit[dst])
        if tensor < 0 or not path or not moved:
            continue
        begin = q.plan.start_s[src] + INSIDE * q.lasting_s[src]
        flow = {"cat": "message", "name": _tensor_name(instance, tensor), "id": number}
        events.append({"ph": "s", **flow, **_at(places[src], float(begin))})
        events += [{"ph": "t", **flow, **_at(hop_places[h], float(hops.start_s[h]))} for h in path]
        ends = _at(places[dst], float(q.plan.start_s[dst]))
        events.append({"ph": "f", "bp": "e", **flow, **ends})
    return events


def _at(place: tuple[int, int], seconds: float) -> Event:
    return {"pid": place[0], "tid": place[1], "ts": _us(seconds)}


def _counters(instance: Instance, plan: SchedulePlan) -> list[Event]:
    """Power of everything, and memory of each unit that holds any."""
    power = power_over_time(instance, plan)
    events: list[Event] = []
    if power.peak > 0:
        events.append(_named("process_name", 0, instance.name or "instance"))
        events += [
            {"ph": "C", "name": "power", "pid": 0, "tid": 0, "ts": _us(t), "args": {"W": w}}
            for t, w in zip(power.time_s.tolist(), power.value.tolist(), strict=True)
        ]
    for (device, unit), held in memory_over_time(instance, plan).items():
        name = f"memory {instance.unit_name(device, unit)}"
        events += [
            {"ph": "C", "name": name, "pid": device + 1, "tid": 0, "ts": _us(t), "args": {"B": b}}
            for t, b in zip(held.time_s.tolist(), held.value.tolist(), strict=True)
        ]
    return events
