"""A level of the instance without slowing, for one in which resources slow what runs."""

from __future__ import annotations

from hetopt.schedule.cpsat.objective_level import Level
from hetopt.schedule.list_scheduling.limited.decoder import within_limits
from hetopt.schedule.model.tick_schedule import TickSchedule
from hetopt.verify import verify


class RelaxedLevel(Level):
    """One level of the relaxed instance (:mod:`hetopt.schedule.model.without_slowdown`).

    Its bounds are bounds of the incumbent's instance; its plans are timed anew before they count.
    """

    def take(self, schedule: TickSchedule) -> bool:
        """Time a model's plan anew and offer it; return whether the gap is closed."""
        search = self.search
        plan = within_limits(search.instance, schedule.plan())
        if plan is not None and verify(search.instance, plan).ok:
            search.offer(plan, self.by)
        return search.closed(self.level)

    def contradicted(self, value: float) -> bool:
        """Say that a point found below a proven value contradicts its bound: it always does.

        The bound was said of the model in which the point was found: the relaxed instance, on the
        same grid. There the point's objective is below ``value``, which the bound reaches, by more
        than the tolerance: one of two answers about one model is wrong. What decoding makes of the
        point is a plan of another instance. It may well be no better than ``value``, or better by
        less than the tolerance, and neither takes the contradiction away.
        """
        return True
