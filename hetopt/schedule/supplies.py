"""What is left of renewable capacities over time, and of budgets, while a schedule is built."""

from __future__ import annotations

from hetopt.schedule.demands import integer_demands
from hetopt.schedule.model.problem import Problem
from hetopt.schedule.model.resource_profile import Profile
from hetopt.schedule.model.resources import Supply, budgets, renewables

PARTS = 10**13
"""Parts that a limit is divided into where amounts have no common divisor."""


class Supplies:
    """What is left of renewable capacities over time, and of budgets, as integers.

    A mode is affordable where each budget also covers the least that the tasks still to be placed
    must take of it.
    """

    def __init__(self, problem: Problem) -> None:
        instance = problem.instance
        self._needs: dict[int, list[tuple[Profile, int]]] = {}
        self._spends: dict[int, list[tuple[int, int]]] = {}
        self._spare: list[int] = []
        self._least: list[list[int]] = []
        for supply in renewables(instance) if len(instance.uses) else []:
            amount, capacity = whole(supply)
            profile = Profile(capacity)
            for option, need in amount.items():
                self._needs.setdefault(option, []).append((profile, need))
        for b, supply in enumerate(budgets(instance) if len(instance.uses) else []):
            amount, limit = whole(supply)
            for option, need in amount.items():
                self._spends.setdefault(option, []).append((b, need))
            least = [
                min((amount.get(m.option, 0) for m in modes), default=0) for modes in problem.modes
            ]
            self._least.append(least)
            self._spare.append(limit - sum(least))
        self._possible = all(spare >= 0 for spare in self._spare)

    def needs(self, option: int) -> list[tuple[Profile, int]]:
        """Profiles that a running option counts in, with its amounts."""
        return self._needs.get(option, [])

    def affordable(self, task: int, option: int) -> bool:
        """Whether the budgets still allow this option."""
        return self._possible and all(
            need - self._least[b][task] <= self._spare[b]
            for b, need in self._spends.get(option, ())
        )

    def spend(self, task: int, option: int) -> None:
        """Take what an option uses from the budgets."""
        needed = dict(self._spends.get(option, ()))
        for b, least in enumerate(self._least):
            self._spare[b] -= needed.get(b, 0) - least[task]


def whole(supply: Supply) -> tuple[dict[int, int], int]:
    """Return amounts and limit as integers, rounded so that what fits them fits truly."""
    scaled = integer_demands(list(supply.amount.values()), supply.limit, PARTS, "up")
    return dict(zip(supply.amount, scaled.demand, strict=True)), scaled.capacity
