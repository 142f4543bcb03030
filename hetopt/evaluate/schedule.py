"""Quantities of a schedule (docs/quantities.md), vectorised over tasks and hops."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from hetopt.evaluate.cyclic import wound
from hetopt.evaluate.over_time.idle_sleep_start_up import SLEEP, START, WAKE, Draws, draws
from hetopt.evaluate.over_time.steps import Steps, steps_of
from hetopt.evaluate.over_time.times import ScheduleTimes
from hetopt.evaluate.resources import peak, schedule_use
from hetopt.evaluate.setups import setup_rows
from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import ratio, records, sums, weighted_mean
from hetopt.instance.joule_prices import joule_prices
from hetopt.instance.states.idle_sleep_start_up import idlers, may_sleep, starts_up
from hetopt.instance.tariffs import TIME_ROUNDING, at_changes, integral, mean_price, series_of


class ScheduleQuantities(ScheduleTimes):
    """Quantities of one schedule, each computed when it is first asked for.

    T tasks, D devices, J jobs, L links, H hops. Energies in J, times in s, powers in W.

    Parameters
    ----------
    instance
        An instance of the schedule regime.
    plan
        A schedule that gives every task an option.
    """

    OBJECTIVES: ClassVar[dict[str, str]] = {
        "energy": "energy_j",
        "makespan": "makespan_s",
        "cost": "cost",
        "carbon": "carbon_kg",
        "tardiness": "tardiness_s",
        "peak_power": "peak_power_w",
        "accuracy": "accuracy",
        "value": "value",
    }

    @cached_property
    def drawing(self) -> tuple[Ints, Floats, Floats, Floats, Floats]:
        """Task, start, end, time and part of full speed of each time that one draws one power.

        Of a cyclic schedule they are not laid on the circle.
        """
        if self.progress is None:
            rows = np.arange(len(self.end_s))
            return rows, self.plan.start_s, self.end_s, self.time_s, np.ones(len(rows))
        p = self.progress
        # What takes time does so also where floats lose it.
        least = np.where(self.time_s > 0, np.finfo(float).tiny, 0.0)[p.task]
        time = np.maximum(p.piece_end_s - p.piece_start_s, least)
        return p.task, p.piece_start_s, p.piece_end_s, time, p.rate

    @cached_property
    def drawn_j(self) -> Floats:
        """Energy above idle in each of these times: none is lost to slowing, or added."""
        task, _, _, time, rate = self.drawing
        if self.progress is None:
            return self.task_energy_j
        part = rate * time
        whole = sums(task, part, len(self.time_s))[task]
        share = np.divide(part, whole, out=np.ones(len(part)), where=whole > 0)
        return self.task_energy_j[task] * share

    @cached_property
    def draws(self) -> Draws:
        """What is drawn beside idle power over the window and what runs."""
        return draws(self)

    @cached_property
    def setup_s(self) -> Floats:
        """Time of set-ups per device, summed over its units (D)."""
        runs = self.setups
        return sums(self.device[runs.task], runs.time_s, len(self.instance.devices))

    @cached_property
    def energy_setups_j(self) -> float:
        """Energy above idle of all set-ups."""
        return float(self.setups.energy_j.sum())

    @cached_property
    def busy_s(self) -> Floats:
        """Busy time per device, set-ups included, summed over its units (D)."""
        tasks = sums(self.device, self.lasting_s, len(self.instance.devices))
        return tasks + self.setup_s

    @cached_property
    def task_energy_j(self) -> Floats:
        """Energy above idle of each task (T)."""
        return self.instance.tasks.work * self.instance.options.energy_j[self.plan.option]

    @cached_property
    def energy_options_j(self) -> float:
        """Energy above idle of all tasks."""
        return float(self.task_energy_j.sum())

    @cached_property
    def hop_energy_j(self) -> Floats:
        """Energy of each hop: bytes × energy per byte of its link (H)."""
        hops, instance = self.plan.hops, self.instance
        return instance.tensors.bytes_b[hops.tensor] * instance.links.energy_j_per_b[hops.link]

    @cached_property
    def energy_transfers_j(self) -> float:
        """Energy of all transfers."""
        return float(self.hop_energy_j.sum())

    @cached_property
    def idle_power_w(self) -> float:
        """Idle power of all units and boards on."""
        own = float((self.instance.devices.idle_power_w * self.units_on).sum())
        return own + float((self.instance.boards.idle_power_w * self.boards_on).sum())

    @cached_property
    def energy_idle_j(self) -> float:
        """Idle energy of all units on, over the window; with waking where they sleep."""
        whole = self.idle_power_w * self.window_s
        return whole + math.fsum(self.draws.of(SLEEP, WAKE))

    @cached_property
    def energy_start_up_j(self) -> float:
        """Energy of going on."""
        return math.fsum(self.draws.of(START))

    @cached_property
    def energy_j(self) -> float:
        """Options, set-ups, transfers, idle and going on."""
        parts = (self.energy_options_j, self.energy_transfers_j, self.energy_idle_j)
        return sum(parts) + self.energy_setups_j + self.energy_start_up_j

    @cached_property
    def cost_units(self) -> float:
        """Price of the units and boards provisioned, over the window."""
        own = float((self.instance.devices.price_per_s * self.units_had).sum())
        boards = float((self.instance.boards.price_per_s * self.boards_had).sum())
        return (own + boards) * self.window_s

    @cached_property
    def cost_energy(self) -> float:
        """Price of the electricity, PUE included."""
        return self._paid("cost")

    @cached_property
    def cost_start_up(self) -> float:
        """Money for each time that something goes on."""
        each = idlers(self.instance).start_up_cost
        paid = np.flatnonzero(each).tolist()
        return math.fsum(float(each[row]) * len(self.numbers_used(row)) for row in paid)

    @cached_property
    def cost(self) -> float:
        """Units, electricity, and going on."""
        return self.cost_units + self.cost_energy + self.cost_start_up

    @cached_property
    def carbon_kg(self) -> float:
        """Carbon of the electricity, PUE included."""
        return self._paid("carbon")

    def _paid(self, objective: str) -> float:
        """Return energy × PUE × what a joule costs at its time, or where it is drawn."""
        pue, series = self.instance.limits.pue, series_of(self.instance, objective)
        if series is None:
            return self._paid_at_sites(joule_prices(self.instance, objective))
        _, begins, stops, _, _ = self.drawing
        tasks = self.drawn_j * mean_price(series, begins, at_changes(series, stops))
        left = self.plan.hops.start_s
        come = at_changes(series, left + self.hop_time_s)
        hops = self.hop_energy_j * mean_price(series, left, come)
        runs = self.setups
        setups = runs.energy_j * mean_price(
            series, at_changes(series, runs.start_s), at_changes(series, runs.end_s)
        )
        window = float(integral(series, at_changes(series, np.array([self.window_s])))[0])
        drawn, more = self.draws, self.draws.energy_j
        if len(more):
            begin, end = at_changes(series, drawn.begin_s), at_changes(series, drawn.end_s)
            more = more * mean_price(series, begin, end)
        spent = tasks.sum() + hops.sum() + setups.sum() + more.sum()
        return pue * float(spent + self.idle_power_w * window)

    def priced_noise(self, objective: str) -> float:
        """Return what rounding of times may change where a joule's price changes over time.

        A run keeps its energy, of which it may draw a part at another price: as much as a rounding
        of the latest end is of the run, if not all.
        """
        series = series_of(self.instance, objective)
        if series is None:
            return 0.0
        latest = max(self.window_s, float(self.end_s.max(initial=0.0)))
        drawn = self.draws
        lasting = drawn.end_s - drawn.begin_s
        time = np.concatenate([self.drawing[3], self.hop_time_s, self.setups.time_s, lasting])
        more = np.abs(drawn.energy_j)
        energy = np.concatenate([self.drawn_j, self.hop_energy_j, self.setups.energy_j, more])
        shift = np.full(len(time), TIME_ROUNDING * latest)
        part = np.divide(shift, time, out=np.ones(len(time)), where=time > shift)
        spread = max(series.value) - min(series.value)
        moved = float((energy * part).sum()) + self.idle_power_w * TIME_ROUNDING * latest
        return self.instance.limits.pue * spread * moved

    def _paid_at_sites(self, price: Floats) -> float:
        """Return energy × price, of each device (D); hops draw where they are sent from."""
        if not (price != price[0]).any():
            return self.energy_j * float(price[0])
        instance = self.instance
        device = instance.options.device[self.plan.option]
        sender = instance.links.src[self.plan.hops.link]
        idle = instance.devices.idle_power_w * self.units_on
        drawn = price[device] * self.task_energy_j
        setups = price[device[self.setups.task]] * self.setups.energy_j
        more = price[idlers(instance).device[self.draws.row]] * self.draws.energy_j
        still = price * idle * self.window_s
        at = idlers(instance).device[len(instance.devices) :]
        boards = price[at] * instance.boards.idle_power_w * self.boards_on * self.window_s
        parts = [drawn, price[sender] * self.hop_energy_j, still, boards, setups, more]
        return math.fsum(float(part.sum()) for part in parts)

    @cached_property
    def job_tardiness_s(self) -> Floats:
        """Time by which each job ends after its due date, not weighted (J)."""
        end, due = self.job_end_s, self.instance.jobs.due_s
        # The sum of a start and a time may exceed the due date by its rounding.
        return np.where(end - due <= TIME_ROUNDING * np.abs(due), 0.0, end - due)

    @cached_property
    def tardiness_s(self) -> float:
        """Weighted sum of the jobs' tardiness."""
        return float((self.instance.jobs.weight * self.job_tardiness_s).sum())

    @cached_property
    def task_power_w(self) -> Floats:
        """Power above idle of each task while it runs; work cancels (T)."""
        options, chosen = self.instance.options, self.plan.option
        time = options.time_s[chosen]
        return np.divide(options.energy_j[chosen], time, out=np.zeros_like(time), where=time > 0)

    @cached_property
    def peak_power_w(self) -> float:
        """Largest power at any instant of the window: idle of units on, and running options."""
        if len(self.draws):
            return self.power.peak
        if self.cyclic:
            row, start, end, time = self.runs
            power = self.task_power_w[row]
        else:
            row, start, end, time, rate = self._lasting_pieces()
            power = self.task_power_w[row] * rate
        setups = self.setups
        if len(setups):
            start = np.concatenate([start, setups.start_s])
            end = np.concatenate([end, setups.end_s])
            time = np.concatenate([time, setups.time_s])
            power = np.concatenate([power, setups.power_w])
        above_idle = peak(start, end, time, power, self.slack_s)
        return self.idle_power_w + above_idle

    def _lasting_pieces(self) -> tuple[Ints, Floats, Floats, Floats, Floats]:
        """Return what ``drawing`` lists, without what rounding puts between two rates.

        An end and a start that should meet, or two ends, may miss each other by the tolerance of
        times; what a task draws in between counts for no peak.
        """
        row, start, end, time, rate = self.drawing
        if self.progress is None:
            return self.drawing
        several = np.bincount(row, minlength=len(self.time_s))[row] > 1
        kept = ~several | (time > self.slack_s)
        return row[kept], start[kept], end[kept], time[kept], rate[kept]

    @cached_property
    def power(self) -> Steps:
        """Power over time: idle of units on, less where they sleep, and what runs, wakes, starts.

        What takes no time has no power.
        """
        if self.cyclic:
            row, start, end, _ = self.runs
            watts = self.task_power_w[row]
        else:
            row, start, end, _, rate = self.drawing
            watts = self.task_power_w[row] * rate
        drawn, setups = self.draws, self.setups
        lasting = np.flatnonzero(drawn.end_s > drawn.begin_s)
        begin, ends = drawn.begin_s[lasting], drawn.end_s[lasting]
        more = drawn.energy_j[lasting] / (ends - begin)
        if self.cyclic and len(lasting):
            piece, begin, ends = wound(begin, ends, self.window_s)
            more = more[piece]
        holds = [(0.0, self.window_s, self.idle_power_w)]
        changes = (setups.start_s, setups.end_s, setups.power_w)
        for columns in ((start, end, watts), changes, (begin, ends, more)):
            holds += zip(*(column.tolist() for column in columns), strict=True)
        return steps_of(holds, self.slack_s)

    @cached_property
    def runs(self) -> tuple[Ints, Floats, Floats, Floats]:
        """Task, start, end and time of each run, of a cyclic schedule laid on the circle."""
        if self.cyclic:
            row, start, end = wound(self.plan.start_s, self.end_s, self.window_s)
            return row, start, end, end - start
        return np.arange(len(self.end_s)), self.plan.start_s, self.end_s, self.lasting_s

    @cached_property
    def value(self) -> float:
        """What the jobs that run are worth together."""
        return math.fsum(self.instance.jobs.value.tolist())

    @cached_property
    def job_accuracy(self) -> Floats:
        """Least accuracy among each job's tasks that state one; NaN where none does (J)."""
        stated = self.instance.options.accuracy[self.plan.option]
        least = np.full(len(self.instance.jobs), np.inf)
        np.fmin.at(least, self.instance.tasks.job, stated)
        return np.where(np.isinf(least), np.nan, least)

    @cached_property
    def accuracy(self) -> float:
        """Weighted mean over the jobs that have an accuracy; NaN where none has."""
        return weighted_mean(self.job_accuracy, self.instance.jobs.weight)

    def as_dict(self) -> dict[str, Any]:
        """Return all quantities as plain values, None where one does not apply."""
        numbers = (
            *("energy_j", "energy_options_j", "energy_setups_j"),
            *("energy_transfers_j", "energy_idle_j"),
            *("makespan_s", "window_s", "tardiness_s", "peak_power_w", "idle_power_w"),
            *("cost", "cost_units", "cost_energy", "carbon_kg", "accuracy"),
        )
        worth = ("value",) if "value" in self.instance.objective else ()
        values = {name: float(getattr(self, name)) for name in (*numbers, *worth)}
        if starts_up(self.instance):
            values |= {"energy_start_up_j": self.energy_start_up_j}
            values |= {"cost_start_up": self.cost_start_up}
        table: dict[str, Any] = {n: v if math.isfinite(v) else None for n, v in values.items()}
        if self.progress is not None:
            table["slowed_s"] = self.slowed_s
        return table | {
            "devices": self._device_rows(),
            **({"boards": self._board_rows()} if len(self.instance.boards) else {}),
            "jobs": self._job_rows(),
            "links": self._link_rows(),
            "setups": setup_rows(self.instance, self.plan, self.setups),
            "resources": schedule_use(self.instance, self.plan.option, self.runs, self.slack_s),
        }

    def _device_rows(self) -> list[dict[str, Any]]:
        devices = self.instance.devices
        capacity = devices.slots * self.units_on * self.window_s
        wide = len(devices)
        drawn = self.draws.head(wide)
        slept = np.where(drawn.kind == SLEEP, drawn.end_s - drawn.begin_s, 0.0)
        resting = {"sleep_s": sums(drawn.row, slept, wide)}
        starting = {"energy_start_up_j": sums(drawn.row, drawn.of(START), wide)}
        return records(
            {
                "device": devices.name,
                "had": self.units_had,
                "on": self.units_on,
                "tasks": np.bincount(self.device, minlength=wide),
                "busy_s": self.busy_s,
                "setup_s": self.setup_s,
                "utilization": ratio(self.busy_s, capacity),
                "energy_options_j": sums(self.device, self.task_energy_j, wide),
                "energy_setups_j": sums(self.device[self.setups.task], self.setups.energy_j, wide),
                "energy_idle_j": devices.idle_power_w * self.units_on * self.window_s
                + sums(drawn.row, drawn.of(SLEEP, WAKE), wide),
                "cost_units": devices.price_per_s * self.units_had * self.window_s,
            }
            | (resting if may_sleep(self.instance) else {})
            | (starting if starts_up(self.instance) else {})
        )

    def _board_rows(self) -> list[dict[str, Any]]:
        boards, drawn, first = self.instance.boards, self.draws, len(self.instance.devices)
        wide = first + len(boards)
        slept = np.where(drawn.kind == SLEEP, drawn.end_s - drawn.begin_s, 0.0)
        more = sums(drawn.row, drawn.of(SLEEP, WAKE), wide)[first:]
        return records(
            {
                "board": boards.name,
                "had": self.boards_had,
                "on": self.boards_on,
                "energy_idle_j": boards.idle_power_w * self.boards_on * self.window_s + more,
                "energy_start_up_j": sums(drawn.row, drawn.of(START), wide)[first:],
                "sleep_s": sums(drawn.row, slept, wide)[first:],
                "cost_units": boards.price_per_s * self.boards_had * self.window_s,
            }
        )

    def _job_rows(self) -> list[dict[str, Any]]:
        return records(
            {
                "job": self.instance.jobs.name,
                "end_s": self.job_end_s,
                "tardiness_s": self.job_tardiness_s,
                "accuracy": self.job_accuracy,
            }
        )

    def _link_rows(self) -> list[dict[str, Any]]:
        links, hops, name = self.instance.links, self.plan.hops, self.instance.devices.name
        size = self.instance.tensors.bytes_b[hops.tensor]
        used = sums(hops.link, self.hop_time_s, len(links))
        return records(
            {
                "link": np.arange(len(links)),
                "from": name[links.src],
                "to": name[links.dst],
                "hops": np.bincount(hops.link, minlength=len(links)),
                "bytes_b": sums(hops.link, size, len(links)),
                "busy_s": used,
                "energy_j": sums(hops.link, self.hop_energy_j, len(links)),
            }
        )
