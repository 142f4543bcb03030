"""A schedule under construction: tasks are placed one by one, each at the earliest time it fits.

Nothing placed is ever moved, and everything placed respects every limit of the instance. Outputs
and copies count as held for ever until the last consumer of their tensor is placed, so memory is
never found to be exceeded afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hetopt.instance import Groups, Instance
from hetopt.instance.states.setups import KEEPS
from hetopt.schedule.model.grid import exact
from hetopt.schedule.model.problem import NEVER, Hop, Mode, Problem, option_power
from hetopt.schedule.model.resource_profile import Profile
from hetopt.schedule.model.resources import Supplies, integer_demands
from hetopt.schedule.model.setups import Change, SetupTimes
from hetopt.schedule.model.tick_schedule import TickSchedule
from hetopt.solution import DIRECT, READ, WRITE, SchedulePlan

Unit = tuple[int, int]
_PARTS = 10**13
"""Parts that a power cap is divided into where watts have no common divisor."""


@dataclass(slots=True)
class Chain:
    """Hops of one leg of a transfer with their starts."""

    hops: tuple[Hop, ...]
    starts: list[int]
    source: Unit

    @property
    def arrival(self) -> int:
        """End of the last hop."""
        return self.starts[-1] + self.hops[-1].duration

    @property
    def departed(self) -> int:
        """End of the first hop."""
        return self.starts[0] + self.hops[0].duration


@dataclass(slots=True)
class Trial:
    """Where a task would go: its start and end, what to add, and the chains that it needs."""

    task: int
    mode: Mode
    unit: int
    start: int = NEVER
    end: int = NEVER
    added: list[tuple[Profile, int, int, int]] = field(default_factory=list)
    chains: dict[tuple[int, int, int, int], Chain] = field(default_factory=dict)
    new_key: int = -1
    setup: Change | None = None


class Timetable:
    """Placed tasks and transfers, and what is left of every resource.

    On units with set-ups tasks of a configuration are placed behind each other: one that came
    before others would need, and give them, other set-ups.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        instance = problem.instance
        self.instance = instance
        n = problem.n_tasks
        self.mode: list[Mode | None] = [None] * n
        self.unit = [-1] * n
        self.start = [0] * n
        self.end = [0] * n
        self.chains: dict[tuple[int, int, int, int], Chain] = {}
        self.used: set[Unit] = set()
        self.open_units = [0] * len(problem.units)
        self.makespan = 0
        self._waiting = [len(c) for c in problem.consumers]
        self._slots: dict[Unit, Profile] = {}
        self._groups = [Profile(c) for c in instance.links.group_channels.tolist()]
        self._memory = Memory(instance)
        self._power = Power(problem)
        self._supply = Supplies(problem)
        self._setups = SetupTimes.of(problem)
        self._loaded: dict[Unit, tuple[int, int]] = {}
        self._overlap: list[bool] = instance.devices.overlap.tolist()
        self._off: list[bool] = instance.devices.off_when_unused.tolist()
        self._count_min: list[int] = instance.devices.count_min.tolist()
        self._ready = problem.ready
        self._pin: list[int] = instance.tasks.pin_unit.tolist()
        self._pinned = {
            (mode.device, pin)
            for task, pin in enumerate(self._pin)
            if pin >= 0
            for mode in problem.modes[task]
        }
        self._together = _membership(instance.together, n)
        self._apart = _membership(instance.apart, n)
        self._outputs: list[list[int]] = [[] for _ in range(n)]
        for tensor, producer in enumerate(problem.producer):
            self._outputs[producer].append(tensor)

    def units_for(self, task: int, device: int) -> list[int]:
        """Units of a device that are worth a try; of unused identical ones only the first."""
        if self._pin[task] >= 0:
            units = [self._pin[task]]
        else:
            units, fresh = [], False
            for unit in range(self.problem.units[device]):
                known = (device, unit) in self.used or (device, unit) in self._pinned
                if known or not fresh:
                    units.append(unit)
                fresh = fresh or not known
        for mates in self._together[task]:
            homes = {self._home(m) for m in mates if self.mode[m] is not None}
            units = [u for u in units if all(home == (device, u) for home in sorted(homes))]
        for rivals in self._apart[task]:
            homes = {self._home(r) for r in rivals if r != task and self.mode[r] is not None}
            units = [u for u in units if (device, u) not in homes]
        return units

    def trial(self, task: int, mode: Mode, unit: int, not_before: int = 0) -> Trial | None:
        """Earliest placement of a task on a unit, or None; changes nothing."""
        trial = Trial(task, mode, unit)
        if self._power.hopeless or not self._supply.affordable(task, mode.option):
            return None
        fits = self._transfers(trial) and self._residents(trial)
        trial.start = max(trial.start, not_before, self._ready[mode.device])
        fits = fits and self._timed(trial)
        for profile, start, end, amount in reversed(trial.added):
            profile.add(start, end, -amount)
        return trial if fits else None

    def commit(self, trial: Trial) -> None:
        """Place a task as tried; nothing may have been placed since the trial."""
        problem, task, mode = self.problem, trial.task, trial.mode
        here = (mode.device, trial.unit)
        for profile, start, end, amount in trial.added:
            profile.add(start, end, amount)
        self.chains.update(trial.chains)
        self.mode[task], self.unit[task] = mode, trial.unit
        self.start[task], self.end[task] = trial.start, trial.end
        self.makespan = max(self.makespan, trial.end)
        if here not in self.used:
            self.used.add(here)
            self.open_units[mode.device] += 1
        own = self._setups.configuration[mode.option]
        if own != KEEPS:
            self._loaded[here] = (own, trial.end)
        if trial.setup is not None:
            begin = trial.start - trial.setup.ticks
            self._slot(here).add(begin, trial.start, 1)
            self._power.profile.add(begin, trial.start, self._power.of_setup[trial.setup.watts])
        if mode.duration:
            self._slot(here).add(trial.start, trial.end, 1)
            self._power.profile.add(trial.start, trial.end, self._power.of[mode.option])
            for profile, amount in self._supply.needs(mode.option):
                profile.add(trial.start, trial.end, amount)
        self._supply.spend(task, mode.option)
        self._memory.run(here, mode, trial)
        for tensor in self._outputs[task]:
            self._memory.hold(here, self._memory.bytes[tensor], trial.start, NEVER)
        for e in problem.entering[task]:
            tensor = problem.edges[e][2]
            if tensor >= 0:
                self._waiting[tensor] -= 1
                if not self._waiting[tensor]:
                    self._release(tensor)

    def plan(self) -> SchedulePlan:
        """Return the plan columns; every task must be placed."""
        starts = {key: chain.starts for key, chain in self.chains.items()}
        modes = [mode for mode in self.mode if mode is not None]
        return TickSchedule(self.problem, modes, self.unit, self.start, starts).plan()

    def _home(self, task: int) -> Unit:
        mode = self.mode[task]
        return (mode.device if mode is not None else -1, self.unit[task])

    def _slot(self, unit: Unit) -> Profile:
        if unit not in self._slots:
            self._slots[unit] = Profile(self.problem.slots[unit[0]])
            if self._ready[unit[0]]:
                self._slots[unit].add(0, self._ready[unit[0]], self.problem.slots[unit[0]])
        return self._slots[unit]

    def _add(self, trial: Trial, profile: Profile, start: int, end: int, amount: int) -> None:
        profile.add(start, end, amount)
        trial.added.append((profile, start, end, amount))

    def _transfers(self, trial: Trial) -> bool:
        """Schedule the transfers that the task needs; sets the time at which all have arrived."""
        problem, here = self.problem, (trial.mode.device, trial.unit)
        ready = problem.release[trial.task]
        for e in problem.entering[trial.task]:
            before, _, tensor = problem.edges[e]
            ready = max(ready, self.end[before])
            source = self._home(before)
            if tensor < 0 or source == here:
                continue
            legs = problem.legs(tensor, source[0], here[0])
            if legs is None:
                return False
            at = self.end[before]
            for leg, hops in legs:
                if not hops:
                    continue
                to = (self.instance.host, -1) if leg == WRITE else here
                key = (tensor, leg, *to)
                chain = self.chains.get(key) or trial.chains.get(key)
                if chain is None:
                    chain = self._send(trial, tensor, leg, hops, source, at)
                    if chain is None:
                        return False
                    trial.chains[key] = chain
                at = chain.arrival
            ready = max(ready, at)
        trial.start = ready
        return True

    def _send(
        self, trial: Trial, tensor: int, leg: int, hops: tuple[Hop, ...], source: Unit, at: int
    ) -> Chain | None:
        """Schedule the hops of one leg, each as early as its channel, slots and memory allow."""
        here = (trial.mode.device, trial.unit)
        size = self._memory.bytes[tensor]
        starts = []
        for k, hop in enumerate(hops):
            held: list[Profile] = []
            if hop.group >= 0:
                held.append(self._groups[hop.group])
            if k == 0 and leg != READ and not self._overlap[source[0]]:
                held.append(self._slot(source))
            if k == len(hops) - 1 and leg != WRITE and not self._overlap[here[0]]:
                held.append(self._slot(here))
            copies = self._memory.profiles(here) if k == 0 and leg != WRITE else []
            start = at
            while True:
                moved = start
                for profile in held:
                    moved = profile.fit(moved, hop.duration, 1)
                for profile in copies:
                    moved = profile.fit_tail(moved, size)
                if moved >= NEVER:
                    return None
                if moved == start:
                    break
                start = moved
            for profile in held:
                self._add(trial, profile, start, start + hop.duration, 1)
            for profile in copies:
                self._add(trial, profile, start, NEVER, size)
            starts.append(start)
            at = start + hop.duration
        return Chain(hops, starts, source)

    def _residents(self, trial: Trial) -> bool:
        """Book what the unit needs for the whole window: weights, and idle power if it is new."""
        here, option = (trial.mode.device, trial.unit), trial.mode.option
        key, size = self._memory.weights(here, option)
        for profile in self._memory.profiles(here) if key >= 0 else []:
            if profile.fit_tail(0, size):
                return False
            self._add(trial, profile, 0, NEVER, size)
        trial.new_key = key
        device = trial.mode.device
        if here not in self.used and (
            self._off[device] or self.open_units[device] >= self._count_min[device]
        ):
            idle = self._power.idle[device]
            if self._power.profile.fit_tail(0, idle):
                return False
            self._add(trial, self._power.profile, 0, NEVER, idle)
        return True

    def _timed(self, trial: Trial) -> bool:
        """Find the start at which slot, power, working memory and outputs all fit."""
        mode, here = trial.mode, (trial.mode.device, trial.unit)
        length = mode.duration
        latest = self.problem.deadline[trial.task] - length
        power = self._power.of[mode.option]
        out = sum(self._memory.bytes[n] for n in self._outputs[trial.task])
        work = self._memory.working[mode.option] if length else 0
        memory = self._memory.profiles(here)
        start, before, watts = max(trial.start, self._set_up(trial)), 0, 0
        if trial.setup is not None:
            before, watts = trial.setup.ticks, self._power.of_setup[trial.setup.watts]
        while start <= latest:
            moved = start
            if before:
                moved = self._power.profile.fit(moved - before, before, watts) + before
            if length:
                moved = self._slot(here).fit(moved - before, before + length, 1) + before
                moved = self._power.profile.fit(moved, length, power)
                for profile, amount in self._supply.needs(mode.option):
                    moved = profile.fit(moved, length, amount)
            for profile in memory:
                moved = profile.fit(moved, length, work + out)
                moved = profile.fit_tail(moved, out)
            if moved == start:
                trial.start, trial.end = start, start + length
                return True
            start = moved
        return False

    def _set_up(self, trial: Trial) -> int:
        """Find the set-up that the task needs; return the earliest start that it leaves."""
        own = self._setups.configuration[trial.mode.option]
        if own == KEEPS:
            return 0
        device = trial.mode.device
        known = self._loaded.get((device, trial.unit), (self._setups.first(device), 0))
        change = self._setups.devices[device][known[0]][own]
        trial.setup = change if change.ticks or change.joules else None
        return known[1] + change.ticks

    def _release(self, tensor: int) -> None:
        """Give back what is held of a tensor, now that all its consumers are placed."""
        if not self._memory.limited:
            return
        problem, size = self.problem, self._memory.bytes[tensor]
        producer = problem.producer[tensor]
        home = self._home(producer)
        until = self.end[producer]
        last: dict[Unit, int] = {}
        for consumer in problem.consumers[tensor]:
            there = self._home(consumer)
            if there == home or problem.zero_copy(home[0], there[0]):
                until = max(until, self.end[consumer])
            else:
                last[there] = max(last.get(there, 0), self.end[consumer])
        for leg in (DIRECT, WRITE, READ):
            for to in [(self.instance.host, -1)] if leg == WRITE else list(last):
                chain = self.chains.get((tensor, leg, *to))
                if chain is None:
                    continue
                if leg != READ or problem.network.near_host(home[0]):
                    until = max(until, chain.departed)
                if leg != WRITE:
                    self._memory.hold(to, -size, last[to], NEVER)
        self._memory.hold(home, -size, until, NEVER)


class Memory:
    """Bytes in use per unit and per pool, as integers of a common unit."""

    def __init__(self, instance: Instance) -> None:
        devices, pools, options = instance.devices, instance.pools, instance.options
        sizes = [instance.tensors.bytes_b, options.memory_b, options.weights_b]
        flat = [exact(v) for v in np.concatenate(sizes).tolist()]
        finite = np.concatenate([devices.memory_b, pools.memory_b])
        known = [exact(v) for v in finite[np.isfinite(finite)].tolist()]
        self.limited = bool(known)
        ceiling = max(known, default=Fraction(1))
        scaled = integer_demands(flat, ceiling, 1 << 80, "up")
        n, m = len(instance.tensors), len(options)
        self.bytes = scaled.demand[:n]
        self.working = scaled.demand[n : n + m]
        self._weights = scaled.demand[n + m :]
        self._key: list[int] = options.weights_key.tolist()
        self._capacity = [
            int(exact(c) / scaled.unit) if np.isfinite(c) else -1 for c in devices.memory_b.tolist()
        ]
        self._pool: list[int] = devices.pool.tolist()
        self._pools = [
            Profile(int(exact(c) / scaled.unit)) if np.isfinite(c) else None
            for c in pools.memory_b.tolist()
        ]
        self._units: dict[Unit, list[Profile]] = {}
        self._resident: dict[Unit, set[int]] = {}

    def profiles(self, unit: Unit) -> list[Profile]:
        """Profiles that something on this unit counts in: its own and its pool's, where limited."""
        if not self.limited:
            return []
        if unit not in self._units:
            found = []
            if self._capacity[unit[0]] >= 0:
                found.append(Profile(self._capacity[unit[0]]))
            pool = self._pools[self._pool[unit[0]]] if self._pool[unit[0]] >= 0 else None
            if pool is not None:
                found.append(pool)
            self._units[unit] = found
        return self._units[unit]

    def weights(self, unit: Unit, option: int) -> tuple[int, int]:
        """Key and size of the weights that the unit would have to load, -1 and 0 where none."""
        key = self._key[option]
        if key < 0 or not self.profiles(unit) or key in self._resident.get(unit, ()):
            return -1, 0
        return key, self._weights[option]

    def run(self, unit: Unit, mode: Mode, trial: Trial) -> None:
        """Book the working memory of a placed task; its weights are booked already."""
        if not self.limited:
            return
        if trial.new_key >= 0:
            self._resident.setdefault(unit, set()).add(trial.new_key)
        if mode.duration:
            self.hold(unit, self.working[mode.option], trial.start, trial.end)

    def hold(self, unit: Unit, amount: int, start: int, end: int) -> None:
        """Book bytes (negative: give them back) on a unit and its pool."""
        for profile in self.profiles(unit):
            profile.add(start, end, amount)


class Power:
    """Watts in use over time under the power cap.

    It is ``hopeless`` where what is always on draws more than the cap.
    """

    def __init__(self, problem: Problem) -> None:
        instance = problem.instance
        devices, cap = instance.devices, instance.limits.power_cap_w
        changes = SetupTimes.of(problem).all_watts
        if np.isfinite(cap):
            watts = [option_power(instance, o) for o in range(len(instance.options))]
            idle = [exact(v) for v in devices.idle_power_w.tolist()]
            scaled = integer_demands([*watts, *idle, *changes], exact(cap), _PARTS, "up")
            self.of = scaled.demand[: len(watts)]
            self.idle = scaled.demand[len(watts) : len(watts) + len(idle)]
            demands = scaled.demand[len(watts) + len(idle) :]
            self.of_setup = dict(zip(changes, demands, strict=True))
            self.profile = Profile(scaled.capacity)
        else:
            self.of = [0] * len(instance.options)
            self.idle = [0] * len(devices)
            self.of_setup = dict.fromkeys(changes, 0)
            self.profile = Profile(NEVER)
        always = sum(
            idle * count
            for idle, count, off in zip(
                self.idle,
                devices.count_min.tolist(),
                devices.off_when_unused.tolist(),
                strict=True,
            )
            if not off
        )
        self.profile.add(0, NEVER, always)
        self.hopeless = always > self.profile.capacity


def _membership(groups: Groups, n: int) -> list[list[list[int]]]:
    member: list[list[list[int]]] = [[] for _ in range(n)]
    for group in groups:
        tasks = group.tolist()
        for task in tasks:
            member[task].append(tasks)
    return member
