"""Idle energy of a schedule: units and boards that are on, over its window (docs/quantities.md).

What sleep saves of it, and what waking and going on draw, comes gap by gap from
:mod:`hetopt.evaluate.over_time.idle_sleep_start_up`.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from hetopt.evaluate.over_time.idle_sleep_start_up import SLEEP, START, WAKE, Draws, draws
from hetopt.evaluate.over_time.times import ScheduleTimes
from hetopt.instance import Floats
from hetopt.instance.grouping import sums


class IdleEnergy(ScheduleTimes):
    """What units and boards that are on draw beside what runs, each computed when asked for."""

    @cached_property
    def draws(self) -> Draws:
        """What is drawn beside idle power over the window and what runs."""
        return draws(self)

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
    def idle_j(self) -> Floats:
        """Idle energy of each device, then of each kind of board, as `energy_idle_j` (D + B)."""
        devices, boards, drawn = self.instance.devices, self.instance.boards, self.draws
        power = np.concatenate([devices.idle_power_w, boards.idle_power_w])
        on = np.concatenate([self.units_on, self.boards_on])
        more = sums(drawn.row, drawn.of(SLEEP, WAKE), len(power))
        return np.asarray(power * on * self.window_s + more)
