"""The objectives of a schedule, summed by the checker itself."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from hetopt.instance import Floats, Instance, Ints
from hetopt.solution import Hops
from hetopt.verify.exact import Timeline
from hetopt.verify.schedule.idle_sleep_start_up import Drawn
from hetopt.verify.schedule.placed import Placed, carriers
from hetopt.verify.schedule.setups import Changes
from hetopt.verify.schedule.slowing import Speeds
from hetopt.verify.schedule.sweep import group_max
from hetopt.verify.schedule.tariffs import priced, priced_scale


def site_prices(instance: Instance) -> dict[str, NDArray[np.float64]]:
    """Return what a joule of each device costs and emits, by its site, PUE included (D each)."""
    limits, sites = instance.limits, instance.sites
    own = {"cost": limits.energy_price_per_j, "carbon": limits.carbon_kg_per_j}
    stated = {"cost": sites.energy_price_per_j, "carbon": sites.carbon_kg_per_j}
    prices = {name: np.full(len(instance.devices), value) for name, value in own.items()}
    pue = np.full(len(instance.devices), limits.pue)
    for d, site in enumerate(instance.devices.site.tolist()):
        if site < 0:
            continue
        for name, price in prices.items():
            if not math.isnan(stated[name][site]):
                price[d] = stated[name][site]
        if not math.isnan(sites.pue[site]):
            pue[d] = sites.pue[site]
    return {name: price * pue for name, price in prices.items()}


def totals(
    instance: Instance,
    placed: Placed,
    timed: tuple[Timeline, Speeds],
    hops: Hops,
    more: tuple[Changes, Drawn],
    peak_power_w: float,
    accuracy: float | None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return every objective that the plan determines, and scales where prices change over time.

    All are in SI units.
    """
    (times, speeds), (changes, extra) = timed, more
    options, devices, limits = instance.options, instance.devices, instance.limits
    task = np.flatnonzero(placed.usable)
    ends = times.end[task]
    makespan = times.scale.seconds(ends.max()) if len(task) else 0.0
    window = limits.horizon_s if math.isfinite(limits.horizon_s) else makespan
    if math.isfinite(limits.cycle_s):
        # What repeats for ever is counted per cycle, and its makespan is the longest latency.
        window = limits.cycle_s
        latency = ends - times.release[instance.tasks.job[task]]
        makespan = times.scale.seconds(latency.max()) if len(task) else 0.0
    on, had = placed.units_on(instance)
    boards = instance.boards
    boards_on, boards_had = placed.boards_on(instance)
    boards_w = boards.idle_power_w * boards_on
    active = instance.tasks.work[task] * options.energy_j[placed.option[task]]
    moved = instance.tensors.bytes_b[hops.tensor] * instance.links.energy_j_per_b[hops.link]
    energy = math.fsum(
        (
            *(math.fsum(part) for part in (active, moved, changes.energy_j, extra.joules)),
            (math.fsum(devices.idle_power_w * on) + math.fsum(boards_w)) * window,
        )
    )
    idling = devices.idle_power_w * on * window
    parts = (active, moved, changes.energy_j, extra.joules, boards_w * window, idling)
    drawn_at = (
        options.device[placed.option[task]],
        instance.links.src[hops.link],
        placed.device[changes.place],
        extra.devices,
        np.array(carriers(instance), dtype=np.int64),
    )
    spent = {
        name: math.fsum(
            math.fsum(joules * price[at])
            for joules, at in zip(parts, (*drawn_at, np.arange(len(devices))), strict=True)
        )
        for name, price in site_prices(instance).items()
    }
    scales: dict[str, float] = {}
    for name, series in (
        ("cost", limits.energy_price_over_time),
        ("carbon", limits.carbon_over_time),
    ):
        if series is not None:
            runs = (
                np.concatenate(
                    [speeds.start, times.hop_start, changes.start, extra.begins(times.scale)]
                ),
                np.concatenate([speeds.end, times.hop_end, changes.end, extra.ends(times.scale)]),
            )
            idle = math.fsum(devices.idle_power_w * on) + math.fsum(boards_w)
            runs_j = _in_pieces(active, task, speeds)
            drawn = np.concatenate([runs_j, moved, changes.energy_j, extra.joules])
            spent[name] = limits.pue * priced(series, times.scale, runs, drawn, idle, window)
            scales[name] = limits.pue * priced_scale(series, times.scale, runs, drawn, idle, window)
    job = instance.tasks.job[task]
    late = times.scale.zero(len(instance.jobs))
    dated = np.isfinite(instance.jobs.due_s[job])
    late = group_max(job[dated], ends[dated] - times.due[job[dated]], late)
    result = {
        "energy": energy,
        "makespan": makespan,
        "cost": (math.fsum(devices.price_per_s * had) + math.fsum(boards.price_per_s * boards_had))
        * window
        + spent["cost"]
        + extra.cost,
        "carbon": spent["carbon"],
        "tardiness": math.fsum(
            weight * times.scale.seconds(over)
            for weight, over in zip(instance.jobs.weight, late, strict=True)
            if over > 0
        ),
        "peak_power": peak_power_w,
    }
    if accuracy is not None:
        result["accuracy"] = accuracy
    return result, {name: max(size, abs(result[name])) for name, size in scales.items()}


def _in_pieces(energy_j: Floats, task: Ints, speeds: Speeds) -> Floats:
    """Divide the energy of each task among the pieces of its run, by the work done in each."""
    whole = np.zeros(int(task.max(initial=-1)) + 1)
    whole[task] = energy_j
    done = (speeds.end - speeds.start).astype(np.float64) * speeds.rate
    total = np.bincount(speeds.task, done, len(whole))[speeds.task]
    share: Floats = np.divide(done, total, out=np.ones(len(done)), where=total > 0)
    return whole[speeds.task] * share
