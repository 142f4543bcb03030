"""Power of a schedule over time, and its peak (docs/quantities.md)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.evaluate.cyclic import wound
from hetopt.evaluate.over_time.energy import Energy
from hetopt.evaluate.over_time.steps import Steps, steps_of
from hetopt.evaluate.resources import peak
from hetopt.instance import Floats, Ints


class PeakPower(Energy):
    """Powers of one schedule, each computed when it is first asked for; in W."""

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
