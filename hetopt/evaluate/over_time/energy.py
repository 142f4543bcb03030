"""Energy of a schedule: options, set-ups, transfers, and what idles (docs/quantities.md)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from hetopt.evaluate.over_time.idle_energy import IdleEnergy
from hetopt.instance import Floats, Ints
from hetopt.instance.grouping import sums


class Energy(IdleEnergy):
    """Energies of one schedule, each computed when it is first asked for; in J."""

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
    def task_energy_j(self) -> Floats:
        """Energy above idle of each task (T)."""
        return self.instance.tasks.work * self.instance.options.energy_j[self.plan.option]

    @cached_property
    def energy_options_j(self) -> float:
        """Energy above idle of all tasks."""
        return float(self.task_energy_j.sum())

    @cached_property
    def energy_setups_j(self) -> float:
        """Energy above idle of all set-ups."""
        return float(self.setups.energy_j.sum())

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
    def energy_j(self) -> float:
        """Options, set-ups, transfers, idle and going on."""
        parts = (self.energy_options_j, self.energy_transfers_j, self.energy_idle_j)
        return sum(parts) + self.energy_setups_j + self.energy_start_up_j
