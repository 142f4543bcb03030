"""Memory of units and pools while a schedule runs, counted as plans count it.

Weights count for the whole window, once a model and variant. So those of all tasks that a unit was
asked for are kept free for them, and a task with new weights begins only where these had room at
all times before, too. Outputs are held from their task's start until their readers there have
ended and the messages for all others have left; copies from their first hop's start until no
reader is left that may come there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.simulate.schedules.shared.messages import Chain, Messages, Unit

SLACK = 1.0 + LIMIT_TOLERANCE
NOWHERE: Unit = (-1, -1)


@dataclass(frozen=True)
class Tasks:
    """Where tasks are and how they stand: the lists that the loop keeps."""

    home: list[Unit]
    status: list[str]
    option: list[int]


@dataclass
class _Space:
    """One unit's memory, or a pool: weights asked for and in use, and what else is held."""

    limit_b: float
    asked_b: float = 0.0
    ran_b: float = 0.0
    held_b: float = 0.0
    peak_b: float = 0.0
    asked: dict[tuple[Unit, int], int] = field(default_factory=dict)
    ran: dict[tuple[Unit, int], int] = field(default_factory=dict)


class Memory:
    """What units with a limit hold."""

    def __init__(self, instance: Instance, tasks: Tasks, messages: Messages) -> None:
        self.tasks, self.messages = tasks, messages
        options, edges = instance.options, instance.edges
        self.working: list[float] = options.memory_b.tolist()
        self.key: list[int] = options.weights_key.tolist()
        self.weights: list[float] = options.weights_b.tolist()
        self.bytes: list[float] = instance.tensors.bytes_b.tolist()
        self.producer: list[int] = instance.tensors.producer.tolist()
        self.readers: list[list[int]] = [[] for _ in self.bytes]
        self.reads: list[list[int]] = [[] for _ in tasks.home]
        self.makes: list[list[int]] = [[] for _ in tasks.home]
        for n, t in enumerate(self.producer):
            self.makes[t].append(n)
        for n, t in zip(edges.tensor.tolist(), edges.dst.tolist(), strict=True):
            if n >= 0:
                self.readers[n].append(t)
                self.reads[t].append(n)
        self.spaces = spaces_of(instance)
        self.outputs: dict[int, Unit] = {}
        self.copies: dict[int, list[Chain]] = {}

    def passed(self) -> None:
        """Let time pass: what is held now was held."""
        for spaces in self.spaces.values():
            for space in spaces:
                space.peak_b = max(space.peak_b, space.held_b)

    # What has room.

    def lets_start(self, t: int, takes_time: bool) -> bool:
        """Whether a task may begin on its unit."""
        unit, option = self.tasks.home[t], self.tasks.option[t]
        more = self._needs(t, takes_time)
        for space in self.spaces.get(unit, ()):
            if space.asked_b + space.held_b + more > space.limit_b * SLACK:
                return False
            known = self.key[option] < 0 or (unit, self.key[option]) in space.ran
            weights = space.ran_b + self.weights[option] + space.peak_b
            if not known and weights > space.limit_b * SLACK:
                return False
        return True

    def _needs(self, t: int, takes_time: bool) -> float:
        outputs = sum(self.bytes[n] for n in self.makes[t])
        return outputs + (self.working[self.tasks.option[t]] if takes_time else 0.0)

    def lets_copy(self, tensor: int, unit: Unit) -> bool:
        """Whether a copy has room on a unit."""
        return all(
            space.asked_b + space.held_b + self.bytes[tensor] <= space.limit_b * SLACK
            for space in self.spaces.get(unit, ())
        )

    def free_b(self, unit: Unit) -> float | None:
        """Return what room weights to come would have; None where there is no limit."""
        spaces = self.spaces.get(unit, ())
        free = [s.limit_b - s.asked_b - max(s.held_b, s.peak_b) for s in spaces]
        return min(free) if free else None

    def told(self, t: int) -> str:
        """Return what keeps a task from its memory."""
        unit = self.tasks.home[t]
        space = min(self.spaces[unit], key=lambda s: s.limit_b - s.asked_b - s.held_b)
        needs = self._needs(t, takes_time=True)
        return (
            f"weights take {space.asked_b:,.0f} B of {space.limit_b:,.0f} B (at most beside others "
            f"so far: {space.peak_b:,.0f} B), {space.held_b:,.0f} B are held, and it needs "
            f"{needs:,.0f} B"
        )

    # What happens.

    def asked(self, t: int, unit: Unit, option: int) -> None:
        """Follow a task that is asked for, on another unit or with another option than before."""
        before = self.tasks.home[t], self.tasks.option[t]
        if before[1] >= 0:
            self._weigh(*before, -1, "asked")
        self._weigh(unit, option, 1, "asked")

    def _weigh(self, unit: Unit, option: int, more: int, what: str) -> None:
        key = self.key[option]
        if key < 0:
            return
        for space in self.spaces.get(unit, ()):
            counts: dict[tuple[Unit, int], int] = getattr(space, what)
            was = counts.pop((unit, key), 0)
            if was + more > 0:
                counts[unit, key] = was + more
            change = (was + more > 0) - (was > 0)
            name = f"{what}_b"
            setattr(space, name, getattr(space, name) + change * self.weights[option])

    def starts(self, t: int, takes_time: bool) -> None:
        """Begin a run."""
        unit = self.tasks.home[t]
        self._weigh(unit, self.tasks.option[t], 1, "ran")
        self._hold(unit, self._needs(t, takes_time))
        self.outputs |= dict.fromkeys(self.makes[t], unit)

    def ends(self, t: int, takes_time: bool) -> None:
        """End a run, the task being done."""
        if takes_time:
            self._hold(self.tasks.home[t], -self.working[self.tasks.option[t]])
        for n in (*self.makes[t], *self.reads[t]):
            self.review(n)

    def lost(self, t: int, takes_time: bool) -> None:
        """End a run that counts for none."""
        unit = self.tasks.home[t]
        self._weigh(unit, self.tasks.option[t], -1, "ran")
        self._hold(unit, -self._needs(t, takes_time))
        for n in self.makes[t]:
            del self.outputs[n]

    def copy_begins(self, chain: Chain) -> None:
        """Hold a copy where the first hop of a message goes."""
        self._hold(chain[2:], self.bytes[chain[0]])
        self.copies.setdefault(chain[0], []).append(chain)

    def _hold(self, unit: Unit, more_b: float) -> None:
        for space in self.spaces.get(unit, ()):
            space.held_b += more_b

    def review(self, n: int) -> None:
        """Let go of what nothing needs any more of a tensor: its output, and copies of it."""
        home, status = self.tasks.home, self.tasks.status
        source = self.outputs.get(n)
        made = source is not None and status[self.producer[n]] == "done"
        if source is not None and made and all(self._has(n, r, source) for r in self.readers[n]):
            self._hold(self.outputs.pop(n), -self.bytes[n])
        kept = []
        for chain in self.copies.get(n, ()):
            unit = chain[2:]
            waits = [home[r] == NOWHERE or home[r] == unit for r in self.readers[n]]
            open_ = [w and status[r] != "done" for w, r in zip(waits, self.readers[n], strict=True)]
            if any(open_) or not self.messages.sent[chain].arrived:
                kept.append(chain)
            else:
                self._hold(unit, -self.bytes[n])
        if n in self.copies:
            self.copies[n] = kept

    def _has(self, n: int, reader: int, source: Unit) -> bool:
        """Whether a reader needs an output no more where it was made."""
        unit = self.tasks.home[reader]
        if unit == NOWHERE:
            return False
        if self.messages.is_local(source, unit):
            return self.tasks.status[reader] == "done"
        return self.messages.has_left(n, source, unit)


def spaces_of(instance: Instance) -> dict[Unit, tuple[_Space, ...]]:
    """Return the limits of each unit's own memory, and of its pool; one object a pool."""
    devices, pools = instance.devices, instance.pools
    shared = [_Space(limit) for limit in pools.memory_b.tolist()]
    found: dict[Unit, tuple[_Space, ...]] = {}
    for d, pool in enumerate(devices.pool.tolist()):
        limit = float(devices.memory_b[d])
        for u in range(int(devices.count_max[d])):
            own = (_Space(limit),) if np.isfinite(limit) else ()
            pooled = (shared[pool],) if pool >= 0 and np.isfinite(shared[pool].limit_b) else ()
            if own or pooled:
                found[d, u] = own + pooled
    return found
