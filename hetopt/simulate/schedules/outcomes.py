"""What runs of schedules come to: totals, jobs, devices, tasks, and frames of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.over_time.idle_sleep_start_up import SLEEP, WAKE
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.instance import Floats, Instance
from hetopt.instance.grouping import records, sums
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.idle_sleep_start_up import may_sleep
from hetopt.instance.tariffs import TIME_ROUNDING, mean_price, series_of
from hetopt.simulate.bounds.schedules import ScheduleBound
from hetopt.simulate.outcomes import Replicated
from hetopt.simulate.schedules.runs import Run
from hetopt.simulate.schedules.world import Setting
from hetopt.solution import SchedulePlan

if TYPE_CHECKING:
    import pandas as pd

Draw = tuple[float, float, float, int]
"""From when until when how much power is drawn, and the device."""


@dataclass(frozen=True)
class ScheduleOutcome:
    """What one policy made of one replication; ``None`` where a figure does not apply.

    Attributes
    ----------
    totals
        Numbers by name, with their unit.
    plan
        The schedule as it ran, a plan of the realised instance; None where a task never ran.
    stuck
        What tasks wait for that never ran.
    """

    policy: str
    replication: int
    totals: dict[str, float | None]
    jobs: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    power: tuple[Floats, Floats]
    wall_time_s: float
    decided: dict[str, int] = field(default_factory=dict)
    plan: SchedulePlan | None = field(default=None, repr=False)
    stuck: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ScheduleSimulation(Replicated):
    """What policies made of the same schedule at the same times.

    With all that :class:`~hetopt.simulate.outcomes.Replicated` has.

    Attributes
    ----------
    realised
        The instance at the times of the first replication.
    """

    outcomes: tuple[ScheduleOutcome, ...]
    bounds: tuple[ScheduleBound, ...]
    realised: Instance = field(repr=False)

    def over_bound(self, policy: str, name: str = "energy_j") -> float:
        """Return a policy's value over the bound that holds for it, in the mean; NaN without."""
        runs = [o for o in self.outcomes if o.policy == policy]
        if not self.bounds or any(o.totals["unserved"] for o in runs):
            return np.nan
        values = [o.totals.get(name) for o in runs]
        least = [self.bounds[o.replication].of(o.totals).get(name) for o in runs]
        pairs = [(v, b) for v, b in zip(values, least, strict=True) if v is not None and b]
        if len(pairs) < len(runs):
            return np.nan
        bound = sum(b for _, b in pairs)
        return float(sum(v for v, _ in pairs) / bound) if bound > 0 else np.nan

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return ``policies``, ``jobs``, ``devices``, ``tasks``, ``bounds`` and ``series``.

        The last has the power over time of each policy's first replication: from ``time_s`` on.
        """
        import pandas as pd

        series = [
            {"policy": o.policy, "time_s": t, "power_w": w}
            for o in self.first()
            for t, w in zip(*(column.tolist() for column in o.power), strict=True)
        ]
        return {
            "policies": self.frame("totals"),
            "jobs": self.frame("jobs"),
            "devices": self.frame("devices"),
            "tasks": self.frame("tasks"),
            "bounds": pd.DataFrame([b.to_dict() for b in self.bounds]),
            "series": pd.DataFrame(series, columns=["policy", "time_s", "power_w"]),
        }


def outcome_of(
    policy: str,
    replication: int,
    setting: Setting,
    run: Run,
    wall_time_s: float,
    decided: dict[str, int],
) -> ScheduleOutcome:
    """Return the figures of one run: quantities of its plan, and what failures added and saved.

    What is drawn counts as ``evaluate`` counts it: a unit that is on is so for the whole window,
    until the last task ends or for the horizon; of a schedule that repeats for as long as its
    cycles last, and energy, cost, carbon and tardiness are those of one cycle. Beside it stand runs
    that failures ended and messages that nobody read; a unit that is down draws nothing.
    """
    instance, cycles = setting.realised.instance, setting.cycles
    if cycles is not None:
        # Gaps are those of a window that all that runs is in.
        span = max(cycles.span_s, run.end_s) if may_sleep(instance) else cycles.span_s
        instance = instance.with_limits(horizon_s=span)
    elif math.isfinite(instance.limits.horizon_s) and run.end_s > instance.limits.horizon_s:
        instance = instance.with_limits(horizon_s=np.inf)
    done = run.plan.option >= 0
    totals: dict[str, float | None] = {
        "tasks": float(len(done)),
        "unserved": float((~done).sum()),
        "lost_runs": float(len(run.lost)),
        "end_s": run.end_s,
    }
    jobs = _jobs(setting.realised.instance, run, done)
    limited = [row for row in jobs if row["deadline_s"] is not None]
    totals["misses"] = float(np.mean([row["missed"] for row in limited])) if limited else None
    names = ("energy_j", "idle_energy_j", "cost", "carbon_kg", "makespan_s", "tardiness_s")
    power: tuple[Floats, Floats] = (np.zeros(0), np.zeros(0))
    devices: list[dict[str, Any]] = []
    if not done.all():
        totals |= dict.fromkeys((*names, "peak_power_w", "over_cap_s", "utilization"))
    else:
        q = ScheduleQuantities(instance, run.plan)
        more = _more(setting, run, q)
        power = _steps([*_drawn(q), *more])
        # Runs that were lost slowed others, too: these ended later than in the plan.
        latest = float(run.ends_s.max(initial=0.0))
        each = 1.0 if cycles is None else 1.0 / cycles.count
        if cycles is not None:
            latest = max(float(row["latency_s"]) for row in jobs)
        totals |= {
            "energy_j": each * (q.energy_j + _joules(more)),
            "idle_energy_j": each * (q.energy_idle_j + _joules([m for m in more if m[2] < 0])),
            "cost": each * (q.cost + _paid(instance, more, "cost")),
            "carbon_kg": each * (q.carbon_kg + _paid(instance, more, "carbon")),
            "makespan_s": max(q.makespan_s, latest) if cycles is None else latest,
            "tardiness_s": each * _tardiness(instance, run),
            "peak_power_w": float(power[1].max(initial=0.0)),
            "over_cap_s": _over_cap(power, setting.caps(), q.window_s),
            "utilization": _part(
                float(q.busy_s.sum()),
                float((instance.devices.slots * q.units_on).sum() * q.window_s),
            ),
        }
        wide = len(instance.devices)
        devices = records(
            {
                "device": instance.devices.name,
                "units_on": q.units_on,
                "tasks": np.bincount(q.device, minlength=len(instance.devices)),
                "busy_s": q.busy_s,
                "energy_options_j": sums(q.device, q.task_energy_j, len(instance.devices)),
                "energy_idle_j": instance.devices.idle_power_w * q.units_on * q.window_s
                + sums(q.draws.head(wide).row, q.draws.head(wide).of(SLEEP, WAKE), wide),
            }
        )
    return ScheduleOutcome(
        policy,
        replication,
        totals,
        jobs,
        devices,
        _tasks(instance, run, done),
        power,
        wall_time_s,
        decided,
        run.plan if done.all() else None,
        run.stuck,
    )


def _part(value: float, whole: float) -> float | None:
    return value / whole if whole > 0 else None


def _ends(run: Run, done: np.ndarray) -> Floats:
    return np.where(done, run.ends_s, np.inf)


def _tardiness(instance: Instance, run: Run) -> float:
    jobs = instance.jobs
    last = np.zeros(len(jobs))
    np.maximum.at(last, instance.tasks.job, run.ends_s)
    late = last - jobs.due_s
    late = np.where(late <= TIME_ROUNDING * np.abs(jobs.due_s), 0.0, late)
    return float((jobs.weight * late).sum())


def _jobs(instance: Instance, run: Run, done: np.ndarray) -> list[dict[str, Any]]:
    last = np.zeros(len(instance.jobs))
    np.maximum.at(last, instance.tasks.job, _ends(run, done))
    rows = []
    limit = np.minimum(instance.jobs.deadline_s, instance.limits.horizon_s)
    slack = LIMIT_TOLERANCE * max(run.end_s, 1e-300)
    for j, name in enumerate(instance.jobs.name.tolist()):
        deadline, served = float(limit[j]), bool(np.isfinite(last[j]))
        late = max(0.0, last[j] - deadline) if np.isfinite(deadline) else 0.0
        rows.append(
            {
                "job": str(name),
                "end_s": float(last[j]) if served else None,
                "latency_s": float(last[j] - instance.jobs.release_s[j]) if served else None,
                "deadline_s": deadline if np.isfinite(deadline) else None,
                "missed": bool(np.isfinite(deadline) and last[j] > deadline + slack),
                "late_s": float(late) if served else None,
            }
        )
    return rows


def _tasks(instance: Instance, run: Run, done: np.ndarray) -> list[dict[str, Any]]:
    ends, options = _ends(run, done), instance.options
    found = []
    for t, name in enumerate(instance.tasks.name.tolist()):
        o = int(run.plan.option[t])
        found.append(
            {
                "task": str(name),
                "job": str(instance.jobs.name[instance.tasks.job[t]]),
                "unit": instance.unit_name(int(options.device[o]), int(run.plan.unit[t]))
                if done[t]
                else None,
                "option": str(options.label[o]) if done[t] else None,
                "start_s": float(run.plan.start_s[t]) if done[t] else None,
                "end_s": float(ends[t]) if done[t] else None,
            }
        )
    return found


def _more(setting: Setting, run: Run, q: ScheduleQuantities) -> list[Draw]:
    """Return what is drawn beside the plan: runs lost, messages wasted, and idle not drawn."""
    instance, found = q.instance, []
    options, links = instance.options, instance.links
    for lost in run.lost:
        time, lasted = float(options.time_s[lost.option]), lost.end_s - lost.start_s
        if time > 0 and lasted > 0:
            watts = float(options.energy_j[lost.option]) / time * (lost.done_s / lasted)
            found.append((lost.start_s, lost.end_s, watts, int(options.device[lost.option])))
    for change in run.set_ups:
        if change.end_s > change.begin_s:
            watts = change.energy_j / (change.end_s - change.begin_s)
            found.append((change.begin_s, change.end_s, watts, change.device))
    latest = float(run.ends_s.max(initial=0.0))
    if not math.isfinite(instance.limits.horizon_s) and latest > q.window_s:
        found.append((q.window_s, latest, q.idle_power_w, 0))
    for tensor, link, start, end in run.wasted:
        joules = float(instance.tensors.bytes_b[tensor] * links.energy_j_per_b[link])
        if end > start:
            found.append((start, end, joules / (end - start), int(links.src[link])))
    for d in range(len(instance.devices)):
        mine = q.numbers_used(d)
        on, idle = int(q.units_on[d]), float(instance.devices.idle_power_w[d])
        # Units that are on without work are the first that are not used.
        free = (u for u in range(int(instance.devices.count_max[d])) if u not in mine)
        mine = [*mine, *(u for u, _ in zip(free, range(on - len(mine)), strict=False))]
        asleep = _asleep(q, d)
        for u in mine:
            for a, b in setting.down(q.window_s).get((d, u), []):
                if b > a and idle > 0:
                    found.append((a, b, -idle, d))
                # What slept drew less, and does not draw that either.
                for begin, end, saved in asleep.get(u, asleep.get(-1, ())):
                    if min(b, end) > max(a, begin):
                        found.append((max(a, begin), min(b, end), saved, d))
    return found


def _asleep(q: ScheduleQuantities, device: int) -> dict[int, list[tuple[float, float, float]]]:
    """Return when each unit of a device sleeps, and what power that saves; -1: one without work."""
    drawn = q.draws
    found: dict[int, list[tuple[float, float, float]]] = {}
    for i in np.flatnonzero((drawn.kind == SLEEP) & (drawn.row == device)).tolist():
        begin, end = float(drawn.begin_s[i]), float(drawn.end_s[i])
        saved = -float(drawn.energy_j[i]) / (end - begin)
        found.setdefault(int(drawn.number[i]), []).append((begin, end, saved))
    return found


def _drawn(q: ScheduleQuantities) -> list[Draw]:
    """Return what is drawn over time: idle power, what runs and is set up, wakes and goes on."""
    found: list[Draw] = [(0.0, q.window_s, q.idle_power_w, -1)]
    row, start, end, _, rate = q.drawing
    spans = [(start, end, q.task_power_w[row] * rate)]
    spans.append((q.setups.start_s, q.setups.end_s, q.setups.power_w))
    drawn = q.draws
    lasting = drawn.end_s > drawn.begin_s
    begin, stop = drawn.begin_s[lasting], drawn.end_s[lasting]
    spans.append((begin, stop, drawn.energy_j[lasting] / (stop - begin)))
    for columns in spans:
        rows = zip(*(column.tolist() for column in columns), strict=True)
        found += [(a, b, w, -1) for a, b, w in rows if b > a]
    return found


def _joules(draws: list[Draw]) -> float:
    return math.fsum((end - start) * watts for start, end, watts, _ in draws)


def _paid(instance: Instance, draws: list[Draw], objective: str) -> float:
    if not draws:
        return 0.0
    start, end, watts, device = (np.array(column) for column in zip(*draws, strict=True))
    series = series_of(instance, objective)
    if series is not None:
        price = instance.limits.pue * mean_price(series, start, end)
    else:
        price = joule_prices(instance, objective)[device.astype(np.int64)]
    return float(((end - start) * watts * price).sum())


def _steps(draws: list[Draw]) -> tuple[Floats, Floats]:
    """Return when power changes, and the power from then on."""
    rows = [(a, w) for a, b, w, _ in draws if b > a] + [(b, -w) for a, b, w, _ in draws if b > a]
    if not rows:
        return np.zeros(1), np.zeros(1)
    at, change = np.array(rows).T
    time, place = np.unique(at, return_inverse=True)
    total = np.cumsum(sums(place.reshape(-1), change, len(time)))
    total[np.abs(total) <= LIMIT_TOLERANCE * np.abs(total).max(initial=0.0)] = 0.0
    # Ends and starts that differ by their rounding are at once.
    gap = LIMIT_TOLERANCE * float(time[-1])
    keep = np.append(np.diff(time) > gap, True)
    return time[keep], total[keep]


def _over_cap(
    power: tuple[Floats, Floats], caps: list[tuple[float, float]], until_s: float
) -> float:
    """Return for how long the power was above the cap that held."""
    changes = np.unique(np.concatenate([power[0], [c[0] for c in caps], [0.0, until_s]]))
    changes = changes[changes <= until_s]
    at = np.searchsorted(power[0], changes[:-1], side="right") - 1
    drawn = np.where(at >= 0, power[1][at], 0.0)
    cap = np.array([[c for t, c in caps if t <= now][-1] for now in changes[:-1].tolist()])
    return float(np.diff(changes)[drawn > cap * (1 + LIMIT_TOLERANCE)].sum())
