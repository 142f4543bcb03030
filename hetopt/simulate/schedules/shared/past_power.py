"""Power over time beside what sleeps and goes on, which depends on what begins later.

A unit that is used is on, and has gone on, from the begin of the window; and whether it slept
through a gap, and woke at its end, is known when the gap ends. So what begins now may change what
was drawn before: idle power since 0, the start-up, and the wake that leads up to now. It begins
only where the cap had room for that at all those times, and has for what it draws from now on.

A gap that has not ended counts as idle, which is no less than sleep, unless it is known that it
will be slept through: where a plan whose times are kept says when it can end at the earliest. So
what is counted is never less than what is drawn; units that are down count as if they were not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.evaluate.over_time.idle_sleep_start_up import holding
from hetopt.evaluate.schedule import ScheduleQuantities
from hetopt.instance import Instance
from hetopt.instance.states.idle_sleep_start_up import home, idlers
from hetopt.solution import SchedulePlan

Place = tuple[int, int]
"""Kind of what idles, and number."""
Draw = tuple[float, float, float]
"""From when until when how much is drawn more (W)."""
SLACK = 1.0 + LIMIT_TOLERANCE


@dataclass
class Gap:
    """A gap of a unit or board since its last work: from when on, and from when sleep may count."""

    begin_s: float
    unsettled_s: float
    asleep: bool = False


@dataclass
class Steps:
    """Power above idle and the cap over time, in pieces; the last one has no end."""

    times: list[float]
    watts: list[float]
    caps: list[float]

    def split(self, time: float) -> int:
        """Let a piece begin at a time, and return its number."""
        i = bisect_left(self.times, time)
        if i == len(self.times) or self.times[i] != time:
            self.times.insert(i, time)
            self.watts.insert(i, self.watts[i - 1])
            self.caps.insert(i, self.caps[i - 1])
        return i

    def add(self, draw: Draw) -> None:
        """Draw more for some time."""
        begin, end, watts = draw
        if end <= begin or watts == 0:
            return
        first = self.split(begin)
        last = len(self.times) if math.isinf(end) else self.split(end)
        for i in range(first, last):
            self.watts[i] += watts

    def over(self, begin: float, end: float, watts: float) -> float | None:
        """Return when it was last above the cap in some time with so much more; None: never."""
        last = len(self.times) if math.isinf(end) else bisect_left(self.times, end)
        for i in range(last - 1, bisect_right(self.times, begin) - 2, -1):
            if self.watts[i] + watts > self.caps[i] * SLACK:
                return self.times[i + 1] if i + 1 < len(self.times) else math.inf
        return None


@dataclass
class PastPower:
    """What was drawn so far, and what follows of what begins now.

    Parameters
    ----------
    plan
        Where its times are kept: nothing that it has begins sooner. None: nothing is known.
    """

    instance: Instance
    plan: SchedulePlan | None
    steps: Steps = field(init=False)
    looks: set[float] = field(default_factory=set)
    """When what was refused may be tried again, if nothing else happens before."""

    def __post_init__(self) -> None:
        self._rows = idlers(self.instance)
        self.steps = Steps([0.0], [0.0], [self.instance.limits.power_cap_w])
        self._gaps: dict[Place, Gap] = {}
        self._before: dict[Place, Gap] = {}
        self._busy: dict[Place, int] = {}
        self._pending: dict[Place, dict[Hashable, float]] = {}
        if self.plan is not None:
            self._foresee(self.plan)

    def _foresee(self, plan: SchedulePlan) -> None:
        """Note when each task and hop takes its place, and what never works though it is on."""
        instance, rows = self.instance, self._rows
        q = ScheduleQuantities(instance, plan)
        device, unit, begin, end = holding(q)
        columns = (device, unit, begin, end)
        held = zip(*(column.tolist() for column in columns), strict=True)
        for key, (d, u, first, last) in enumerate(held):
            if last > first:
                # What holds a slot is told apart by when it does: equal times are equal.
                for place in home(instance, d, u):
                    self._pending.setdefault(place, {})[key] = first
        for row in np.flatnonzero(rows.sleeps & rows.always_on).tolist():
            used = q.numbers_used(row)
            spare = [n for n in range(int(rows.count_min[row])) if n not in used]
            # Beside those used so many are on that work never.
            idle = spare[: max(0, int(rows.count_min[row]) - len(used))]
            for number in [*used, *idle]:
                self._begin_gap((row, int(number)), 0.0)

    def forget_plan(self) -> None:
        """Let times no longer be kept: nothing is known of what begins when."""
        self.plan = None

    def cap_changes(self, now: float, cap_w: float) -> None:
        """Let another cap hold from now on."""
        first = self.steps.split(now)
        for i in range(first, len(self.steps.caps)):
            self.steps.caps[i] = cap_w

    # What begins.

    def fits(
        self,
        now: float,
        idle_w: float,
        more_w: float,
        watts: float,
        opened: Sequence[Place],
        taken: Sequence[Place],
    ) -> bool:
        """Whether something may begin now.

        Parameters
        ----------
        idle_w, more_w
            Idle power of all that is on, and of what goes on for it.
        watts
            What it draws above idle from now on.
        opened, taken
            What goes on for it; and where it takes a slot.
        """
        draws = self._draws(now, watts, opened, taken)
        if more_w > 0:
            draws.append((0.0, math.inf, more_w))
        points = sorted({p for begin, end, _ in draws for p in (begin, end) if p < math.inf})
        slack = LIMIT_TOLERANCE * now
        for i, begin in enumerate(points):
            end = points[i + 1] if i + 1 < len(points) else math.inf
            more = sum(w for a, b, w in draws if a <= begin and b >= end)
            if more <= 0 or end - begin <= 2 * slack:
                continue
            over = self.steps.over(begin + slack, end - slack, idle_w + more)
            if over is not None:
                self._look_again(now, over, taken)
                return False
        return True

    def begins(
        self, now: float, watts: float, opened: Sequence[Place], taken: Sequence[Place]
    ) -> None:
        """Begin: what follows of it is drawn, also in the past."""
        for draw in self._draws(now, watts, opened, taken):
            self.steps.add(draw)
        for place in opened:
            if place not in taken and self._surely_sleeps(place, self._gap(place).begin_s, now):
                gap = self._gap(place)
                self._gaps[place] = Gap(gap.begin_s, gap.unsettled_s, asleep=True)
        for place in taken:
            if not self._busy.get(place):
                self._before[place] = self._gap(place)
                self._gaps.pop(place, None)
            self._busy[place] = self._busy.get(place, 0) + 1
            self._no_longer_pending(place, now)

    def ends(self, now: float, watts: float, taken: Sequence[Place]) -> None:
        """End what drew so much above idle, and took a slot."""
        self.steps.add((now, math.inf, -watts))
        for place in taken:
            self._busy[place] -= 1
            if not self._busy[place]:
                self._begin_gap(place, now)

    def is_lost(self, now: float, watts: float, taken: Sequence[Place]) -> None:
        """End what was lost: the gap in which it ran is one gap, whose begin is that before it."""
        self.steps.add((now, math.inf, -watts))
        for place in taken:
            self._busy[place] -= 1
            if not self._busy[place]:
                before = self._before.get(place)
                begin = now if before is None else before.begin_s
                self._gaps[place] = Gap(begin, now)

    def _draws(
        self, now: float, watts: float, opened: Sequence[Place], taken: Sequence[Place]
    ) -> list[Draw]:
        rows = self._rows
        found: list[Draw] = [(now, math.inf, watts)] if watts else []
        for row, _ in opened:
            energy, time = float(rows.start_up_energy_j[row]), float(rows.start_up_time_s[row])
            if rows.goes_on[row] and energy > 0 and time > 0:
                found.append((0.0, time, energy / time))
        for place in opened:
            # What takes no time opens a unit and takes no slot of it.
            begin = self._gap(place).begin_s
            if place not in taken and self._surely_sleeps(place, begin, now):
                found.append((begin, math.inf, -self._saved_w(place)))
        for place in taken:
            if rows.sleeps[place[0]] and not self._busy.get(place):
                found += self._ended(place, now)
        return found

    # Gaps.

    def _gap(self, place: Place) -> Gap:
        low = float(self._rows.start_up_time_s[place[0]])
        return self._gaps.get(place, Gap(low, low))

    def _begin_gap(self, place: Place, now: float) -> None:
        """Begin a gap; it is slept through for certain where a plan says that it lasts."""
        surely = self._surely_sleeps(place, now, now)
        self._gaps[place] = Gap(now, now, surely)
        if surely:
            self.steps.add((now, math.inf, -self._saved_w(place)))

    def _surely_sleeps(self, place: Place, begin: float, now: float) -> bool:
        """Whether a gap that begins at a time is slept through whatever begins when it may."""
        if self.plan is None or not self._rows.sleeps[place[0]]:
            return False
        ahead = self._pending.get(place)
        until = min(ahead.values()) if ahead else math.inf
        return math.isinf(until) or self._sleeps(place, begin, until, now)

    def _no_longer_pending(self, place: Place, now: float) -> None:
        """Take the first of what is to hold a place off the list: what begins is none before it."""
        ahead = self._pending.get(place)
        if ahead:
            del ahead[max(ahead, key=lambda k: (ahead[k] <= now * SLACK, ahead[k]))]

    def _saved_w(self, place: Place) -> float:
        return float(self._rows.idle_power_w[place[0]] - self._rows.sleep_power_w[place[0]])

    def _sleeps(self, place: Place, begin: float, end: float, now: float) -> bool:
        """Whether a gap is slept through that ends in work (as ``evaluate`` has it)."""
        rows, row, lasts = self._rows, place[0], end - begin
        slack = LIMIT_TOLERANCE * max(now, end)
        if lasts <= slack or lasts < rows.wake_time_s[row] - slack:
            return False
        saved = self._saved_w(place) * lasts
        least = LIMIT_TOLERANCE * float(rows.idle_power_w[row]) * lasts
        return bool(saved - rows.wake_energy_j[row] > least)

    def _ended(self, place: Place, now: float) -> list[Draw]:
        """Return what is drawn otherwise than was counted where a gap ends now."""
        gap, rows, row = self._gap(place), self._rows, place[0]
        saved, slept = self._saved_w(place), self._sleeps(place, gap.begin_s, now, now)
        found: list[Draw] = []
        if gap.asleep:
            found.append((now, math.inf, saved))
            if not slept:
                found.append((gap.unsettled_s, now, saved))
        elif slept and now > gap.unsettled_s:
            found.append((gap.unsettled_s, now, -saved))
        takes, energy = float(rows.wake_time_s[row]), float(rows.wake_energy_j[row])
        if slept and takes > 0 and energy > 0:
            begin = max(gap.begin_s, now - takes)
            found.append((begin, now, energy / (now - begin)))
        return found

    def _look_again(self, now: float, over: float, taken: Sequence[Place]) -> None:
        """Note when what was refused may fit: as wakes lead over other times, or gaps are long."""
        rows = self._rows
        for place in taken:
            row, saved = place[0], self._saved_w(place)
            if not rows.sleeps[row] or self._busy.get(place):
                continue
            takes = float(rows.wake_time_s[row])
            pays = float(rows.wake_energy_j[row]) / saved if saved > 0 else 0.0
            long_enough = self._gap(place).begin_s + max(takes, pays) * (1 + 4 * LIMIT_TOLERANCE)
            for time in (over + takes * (1 + 4 * LIMIT_TOLERANCE), long_enough):
                if now < time < math.inf:
                    self.looks.add(time)
        if now < over < math.inf:
            self.looks.add(over)
