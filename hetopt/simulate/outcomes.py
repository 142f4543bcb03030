"""What runs come to: totals, latencies, devices, and frames of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.grouping import records
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.stream_boards import board_joule_prices
from hetopt.simulate.bounds.streams import Bound
from hetopt.simulate.requests import Requests
from hetopt.simulate.streams import Run
from hetopt.solution import Shown

if TYPE_CHECKING:
    import pandas as pd

QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Outcome:
    """What one policy made of one replication; ``None`` where a figure does not apply.

    Attributes
    ----------
    totals
        Numbers by name, with their unit: ``energy_j``, ``cost``, ``carbon_kg``, ``mean_latency_s``,
        ``p50_latency_s``, ..., ``misses`` (share of the requests with a limit), ``served``.
    jobs, devices, boards
        One row each.
    decided
        How often the policy planned anew, and changed its plan (``rolling``).
    """

    policy: str
    replication: int
    totals: dict[str, float | None]
    jobs: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    wall_time_s: float
    decided: dict[str, int] = field(default_factory=dict)
    boards: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Timeline:
    """A run in pieces: begin, power and its peak (W), and of each device waiting, on, busy."""

    time_s: Floats
    width_s: float
    power_w: Floats
    peak_w: Floats
    waiting: Floats
    on: Floats
    busy: Floats


@dataclass(frozen=True, kw_only=True)
class Replicated(Shown):
    """Policies that ran several times: the mean of a figure, and how sure it is.

    Attributes
    ----------
    outcomes
        One per policy and replication, in the order of the policies.
    bounds
        The clairvoyant bound of each replication; empty where none was asked for.
    failed
        Why a policy has no outcome, by its name.
    settings
        What was simulated: seed, times, failures, ...
    caps
        The power cap over time: (from when on, W); inf where there is none.
    notes
        What of the question had no effect, what was taken for what was not stated, and what of a
        schedule never ran by its plan.
    """

    instance: Instance = field(repr=False)
    policies: tuple[str, ...]
    outcomes: tuple[Any, ...]
    bounds: tuple[Any, ...]
    failed: dict[str, str]
    settings: dict[str, Any]
    caps: tuple[tuple[float, float], ...]
    notes: tuple[str, ...] = ()

    def first(self) -> list[Any]:
        """Return the outcomes of the first replication, one a policy."""
        return [o for o in self.outcomes if not o.replication]

    def mean(self, policy: str, name: str) -> float:
        """Return the mean of a figure over a policy's replications; NaN where it does not apply."""
        values = [o.totals.get(name) for o in self.outcomes if o.policy == policy]
        known = [v for v in values if v is not None]
        return float(np.mean(known)) if known and len(known) == len(values) else np.nan

    def spread(self, policy: str, name: str) -> float:
        """Return half the width of the 95 % interval of a mean; NaN for fewer than two runs."""
        values = [o.totals.get(name) for o in self.outcomes if o.policy == policy]
        known = [float(v) for v in values if v is not None]
        if len(known) < 2 or len(known) < len(values):
            return np.nan
        from scipy.stats import t

        half = t.ppf(0.975, len(known) - 1) * np.std(known, ddof=1) / np.sqrt(len(known))
        return float(half)

    def frame(self, name: str) -> pd.DataFrame:
        """Return one table of all runs: rows of each, or its totals."""
        import pandas as pd

        found = []
        for o in self.outcomes:
            rows = getattr(o, name)
            run = {"policy": o.policy, "replication": o.replication}
            found += [{**run, **row} for row in ([rows] if isinstance(rows, dict) else rows)]
        return pd.DataFrame(found)

    def report(self: Any, path: Any) -> None:
        """Write one page about the simulation that reads offline."""
        self.save(path)

    def save(self: Any, path: Any) -> None:
        """Write the tables: ``.json`` (all), ``.csv`` (one row a policy and replication)."""
        from hetopt import write_simulation

        write_simulation(path, self)


@dataclass(frozen=True, kw_only=True)
class Simulation(Replicated):
    """What policies made of the same requests, with all that :class:`Replicated` has.

    Attributes
    ----------
    timelines, latencies
        Of each policy's first replication: the run in pieces, and each request's latency (inf
        where it was never served, NaN where it was turned away).
    """

    outcomes: tuple[Outcome, ...]
    bounds: tuple[Bound, ...]
    timelines: dict[str, Timeline] = field(repr=False)
    latencies: dict[str, Floats] = field(repr=False)
    requests: Requests = field(repr=False)

    def over_bound(self, policy: str, name: str = "energy_j") -> float:
        """Return a policy's value over the bound, in the mean; NaN where either is missing."""
        if not self.bounds or any(
            o.totals["unserved"] for o in self.outcomes if o.policy == policy
        ):
            return np.nan
        bound = float(np.mean([getattr(b, name) for b in self.bounds]))
        return self.mean(policy, name) / bound if bound > 0 else np.nan

    def frames(self) -> dict[str, pd.DataFrame]:
        """Return all tables: ``policies``, ``jobs``, ``devices``, ``bounds``, ``series``.

        And ``boards`` where the instance has some.
        """
        import pandas as pd

        bounds = [{"replication": r, **vars(b)} for r, b in enumerate(self.bounds)]
        return {
            "policies": self.frame("totals"),
            "jobs": self.frame("jobs"),
            "devices": self.frame("devices"),
            **({"boards": self.frame("boards")} if len(self.instance.boards) else {}),
            "bounds": pd.DataFrame(bounds),
            "series": pd.concat([self._series(name) for name in self.timelines], ignore_index=True),
        }

    def requests_frame(self) -> pd.DataFrame:
        """Return one row per request of the first replication: when, job, and each latency (s)."""
        import pandas as pd

        jobs = self.instance.jobs.name[self.requests.job]
        columns = {"time_s": self.requests.time_s, "job": jobs.astype(object)}
        return pd.DataFrame(columns | {f"{p} latency_s": v for p, v in self.latencies.items()})

    def _series(self, policy: str) -> pd.DataFrame:
        import pandas as pd

        line = self.timelines[policy]
        columns: dict[str, Any] = {
            "policy": policy,
            "time_s": line.time_s,
            "power_w": line.power_w,
            "peak_power_w": line.peak_w,
        }
        for d, name in enumerate(self.instance.devices.name.tolist()):
            columns |= {
                f"{name} waiting": line.waiting[:, d],
                f"{name} on": line.on[:, d],
                f"{name} busy": line.busy[:, d],
            }
        return pd.DataFrame(columns)


def outcome_of(
    instance: Instance,
    policy: str,
    replication: int,
    requests: Requests,
    run: Run,
    warm_up_s: float,
    wall_time_s: float,
    decided: dict[str, int],
) -> Outcome:
    """Return the figures of one run; latencies of requests that came after the warm-up."""
    latency = run.finish_s - requests.time_s
    counted = (requests.time_s >= warm_up_s) & ~run.turned_away
    totals = _energy(instance, run) | _latencies(instance, requests, latency, counted)
    totals["unserved"] = float((~np.isfinite(latency) & ~run.turned_away).sum())
    if "value" in instance.objective:
        worth = instance.jobs.value[requests.job]
        totals |= {
            "turned_away": float(run.turned_away.sum()),
            "value": float(worth[np.isfinite(latency)].sum()),
            "value_asked": float(worth.sum()),
        }
    slots = instance.devices.slots
    busy, on = float(run.busy_s.sum()), float((run.on_s * slots).sum())
    span = max(run.end_s, np.finfo(float).tiny)
    totals |= {
        "utilization": busy / on if on > 0 else None,
        "mean_waiting": float(run.waiting_s.sum()) / span,
        "mean_units_on": float(run.on_s.sum()) / span,
        "end_s": run.end_s,
    }
    return Outcome(
        policy,
        replication,
        totals,
        _job_rows(instance, requests, latency, counted, run.turned_away),
        _device_rows(instance, run, span),
        wall_time_s,
        decided,
        _board_rows(instance, run, span),
    )


def timeline_of(run: Run) -> Timeline:
    """Return a run in pieces."""
    width = run.bin_s
    begin = np.arange(len(run.bins), dtype=np.float64) * width
    # The last piece may be cut short by the end.
    length = np.minimum(width, np.maximum(run.end_s - begin, np.finfo(np.float64).tiny))
    per_s: list[Floats] = [run.bins[:, :, q] / length[:, None] for q in range(4)]
    energy, busy, on, waiting = per_s
    power: Floats = energy.sum(axis=1)
    devices = slice(len(run.on_s))
    return Timeline(
        begin, width, power, run.peak_w, waiting[:, devices], on[:, devices], busy[:, devices]
    )


def _energy(instance: Instance, run: Run) -> dict[str, float | None]:
    drawn = np.append(run.energy_j + run.idle_j, run.board_idle_j)
    had = np.append(run.had_s, run.board_had_s)
    price = np.append(instance.devices.price_per_s, instance.boards.price_per_s)
    cost = float((drawn * _joule_prices(instance, "cost") + had * price).sum())
    carbon = float((drawn * _joule_prices(instance, "carbon")).sum())
    total = float(drawn.sum())
    return {
        "energy_j": total,
        "idle_energy_j": float(run.idle_j.sum() + run.board_idle_j.sum()),
        "mean_power_w": total / run.end_s if run.end_s > 0 else None,
        "peak_power_w": float(run.peak_w.max(initial=0.0)),
        "over_cap_s": run.over_cap_s,
        "cost": cost,
        "carbon_kg": carbon,
    }


def _joule_prices(instance: Instance, name: str) -> Floats:
    """Return what a joule of each device counts, and behind them of each kind of board (D + B)."""
    return np.append(joule_prices(instance, name), board_joule_prices(instance, name))


def _latencies(
    instance: Instance, requests: Requests, latency: Floats, counted: np.ndarray
) -> dict[str, float | None]:
    limit = instance.jobs.latency_slo_s[requests.job]
    limited = counted & np.isfinite(limit)
    # A latency at the limit meets it; sums of times round.
    late = latency[limited] > limit[limited] * (1.0 + 1e-9)
    known = latency[counted]
    served = known[np.isfinite(known)]
    found: dict[str, float | None] = {
        "requests": float(len(latency)),
        "served": float(np.isfinite(latency).sum()),
        "unserved": float((~np.isfinite(latency)).sum()),
        "misses": float(late.mean()) if limited.any() else None,
        "mean_latency_s": float(served.mean()) if len(served) else None,
        "max_latency_s": float(served.max()) if len(served) else None,
    }
    return found | _quantiles(served)


def _quantiles(values: Floats) -> dict[str, float | None]:
    if not len(values):
        return {f"p{100 * q:g}_latency_s": None for q in QUANTILES}
    found = np.quantile(values, QUANTILES)
    return {f"p{100 * q:g}_latency_s": float(v) for q, v in zip(QUANTILES, found, strict=True)}


def _job_rows(
    instance: Instance,
    requests: Requests,
    latency: Floats,
    counted: np.ndarray,
    turned_away: np.ndarray,
) -> list[dict[str, Any]]:
    rows = []
    valued = "value" in instance.objective
    for j, name in enumerate(instance.jobs.name.tolist()):
        mine = counted & (requests.job == j)
        left = int((turned_away & (requests.job == j)).sum())
        if not (mine.any() or left):
            continue
        limit = float(instance.jobs.latency_slo_s[j])
        values = latency[mine]
        served = values[np.isfinite(values)]
        row: dict[str, Any] = {
            "job": str(name),
            "requests": int(mine.sum()),
            "mean_latency_s": float(served.mean()) if len(served) else None,
        }
        row |= _quantiles(served)
        asked = float(instance.jobs.latency_quantile[j])
        if not np.isnan(asked):
            reached = float(np.quantile(served, asked)) if len(served) else None
            row |= {"quantile": asked, "quantile_latency_s": reached}
        row["latency_slo_s"] = limit if np.isfinite(limit) else None
        late = float((values > limit * (1.0 + 1e-9)).mean()) if len(values) else None
        row["misses"] = late if np.isfinite(limit) else None
        row |= {"turned_away": left} if valued else {}
        rows.append(row)
    return rows


def _device_rows(instance: Instance, run: Run, span: float) -> list[dict[str, Any]]:
    devices = instance.devices
    slots = run.on_s * devices.slots
    return records(
        {
            "device": devices.name,
            "energy_j": run.energy_j + run.idle_j,
            "idle_energy_j": run.idle_j,
            "mean_units_on": run.on_s / span,
            "utilization": np.divide(run.busy_s, slots, out=np.zeros(len(slots)), where=slots > 0),
            "mean_waiting": run.waiting_s / span,
        }
    )


def _board_rows(instance: Instance, run: Run, span: float) -> list[dict[str, Any]]:
    return records(
        {
            "board": instance.boards.name,
            "idle_energy_j": run.board_idle_j,
            "mean_boards_on": run.board_on_s / span,
        }
    )
