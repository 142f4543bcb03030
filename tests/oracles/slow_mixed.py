"""Resources that slow beside every other feature: what several methods say must fit together."""

from __future__ import annotations

from hetopt.instance import Instance
from tests.oracles.together import judge_together, slowed
from tests.random_schedules import random_schedule
from tests.setup_schedules import setup_schedule
from tests.unusual_schedules import unusual_schedule


def judge_mixed(seed: int, time_limit: float) -> tuple[str, list[str]]:
    """Ask several methods about the instance of a seed; return what does not fit together."""
    if seed % 3 == 1:
        instance: Instance | None = setup_schedule(seed)[0]
    else:
        instance = (random_schedule if seed % 3 else unusual_schedule)(seed)[0]
    instance = slowed(instance, seed) if instance is not None and len(instance.uses) else None
    if instance is None:
        return "too hard", []
    return judge_together(instance, seed, time_limit)
