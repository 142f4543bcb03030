"""A second simulator of schedules: everything is looked through at each moment.

It shares no code with ``hetopt.simulate.schedules.loop`` and asks the policy's own ``decide``, so
that both the loop and the states that policies see are held to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.paths import Network
from hetopt.simulate.events import (
    Arrived,
    CapChanged,
    DeviceDown,
    DeviceUp,
    Finished,
    Start,
    State,
    TaskState,
    Tick,
    UnitState,
    Wait,
)
from hetopt.simulate.schedules.world import Setting

Unit = tuple[int, int]


@dataclass
class Task:
    number: int
    name: str
    job: int
    option: int = -1
    unit: Unit | None = None
    asked: int = -1
    not_before: float = 0.0
    start: float | None = None
    end: float | None = None
    due: float | None = None
    made: int = -1
    left: float = 0.0
    speed: float = 0.0
    since: float = 0.0
    order: int = -1
    setup: tuple[float, float, float] | None = None


@dataclass
class Message:
    """One tensor on its way to one unit, or (leg 1) to the host."""

    tensor: int
    leg: int
    source: Unit
    unit: Unit
    path: tuple[int, ...]
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    asked: int = 0
    there: bool = False
    made: int = -1


class SmallSchedule:
    def __init__(self, instance: Instance, policy: Any, setting: Setting) -> None:
        self.i, self.policy, self.setting = instance, policy, setting
        self.real = setting.realised.instance
        self.net = Network(instance)
        self.tasks = [
            Task(t, str(n), int(instance.tasks.job[t])) for t, n in enumerate(instance.tasks.name)
        ]
        self.messages: list[Message] = []
        self.down: set[Unit] = set()
        self.used: set[Unit] = set()
        self.cap = instance.limits.power_cap_w
        self.past: list[tuple[float, float]] = []
        self.now = 0.0
        self.counter = 0
        self.alarms: list[tuple[float, int, int, Any]] = []
        self.released: set[int] = set()
        self.pending: list[tuple[int, Unit]] = []
        self.begun: set[tuple[int, ...]] = set()
        self.peaks: dict[tuple[str, int, int], float] = {}
        self.left_outputs: set[int] = set()
        self.left_copies: set[int] = set()
        self.lost = 0

    def next_number(self) -> int:
        self.counter += 1
        return self.counter

    # What is so.

    def takes(self, t: Task) -> float:
        at = self.setting.realised.option(self.i, t.number, t.option)
        return float(self.real.tasks.work[t.number] * self.real.options.time_s[at])

    def watts(self, t: Task) -> float:
        at = self.setting.realised.option(self.i, t.number, t.option)
        time = float(self.real.options.time_s[at])
        return float(self.real.options.energy_j[at]) / time if time > 0 else 0.0

    def running(self) -> list[Task]:
        return [t for t in self.tasks if t.start is not None and t.end is None]

    def before(self, t: Task) -> list[tuple[Task, int]]:
        edges = self.i.edges
        return [
            (self.tasks[int(s)], int(n))
            for s, d, n in zip(edges.src, edges.dst, edges.tensor, strict=True)
            if int(d) == t.number
        ]

    def status(self, t: Task) -> str:
        if t.end is not None:
            return "done"
        if t.start is not None:
            return "running"
        inputs = all(s.end is not None for s, _ in self.before(t))
        return "ready" if inputs and t.job in self.released else "waiting"

    def idle(self, more: Unit | None = None) -> float:
        units = self.used | ({more} if more else set())
        devices, boards = self.i.devices, self.i.boards
        total, on_boards = 0.0, set()
        carried = {
            int(b)
            for b, off, least in zip(
                devices.on_board, devices.off_when_unused, devices.count_min, strict=True
            )
            if b >= 0 and not off and least
        }
        for d, watts in enumerate(devices.idle_power_w.tolist()):
            mine = len([u for u in units if u[0] == d])
            if not devices.off_when_unused[d]:
                mine = max(mine, int(devices.count_min[d]))
            total += mine * watts
        for d, u in units:
            if devices.on_board[d] >= 0:
                on_boards.add((int(devices.on_board[d]), u // int(boards.per_board[d])))
        for b in range(len(boards)):
            mine = len([x for x in on_boards if x[0] == b])
            if not boards.off_when_unused[b] or b in carried:
                mine = max(mine, int(boards.count_min[b]))
            total += mine * float(boards.idle_power_w[b])
        return total

    def ready(self, d: int) -> float:
        """When a unit of a device has gone on, board included."""
        devices, boards = self.i.devices, self.i.boards
        found = float(devices.start_up_time_s[d]) if devices.off_when_unused[d] else 0.0
        b = int(devices.on_board[d])
        if b < 0 or not boards.off_when_unused[b]:
            return found
        for e in range(len(devices)):
            always = not devices.off_when_unused[e] and devices.count_min[e]
            if devices.on_board[e] == b and always:
                return found
        return max(found, float(boards.start_up_time_s[b]))

    # Memory.

    def spaces(self, unit: Unit) -> list[tuple[str, int, int]]:
        """What limits the memory of a unit: its own, and its pool."""
        pool, found = int(self.i.devices.pool[unit[0]]), []
        if np.isfinite(self.i.devices.memory_b[unit[0]]):
            found.append(("unit", *unit))
        if pool >= 0 and np.isfinite(self.i.pools.memory_b[pool]):
            found.append(("pool", pool, 0))
        return found

    def limit(self, space: tuple[str, int, int]) -> float:
        pools = self.i.pools.memory_b
        return float(pools[space[1]] if space[0] == "pool" else self.i.devices.memory_b[space[1]])

    def weights(self, space: tuple[str, int, int], tasks: list[Task]) -> float:
        options = self.i.options
        keys = {
            (t.unit, int(options.weights_key[t.option])): float(options.weights_b[t.option])
            for t in tasks
            if t.unit is not None and space in self.spaces(t.unit)
            if options.weights_key[t.option] >= 0
        }
        return sum(keys.values())

    def readers(self, tensor: int) -> list[Task]:
        edges = self.i.edges
        rows = zip(edges.dst.tolist(), edges.tensor.tolist(), strict=True)
        return [self.tasks[t] for t, n in rows if n == tensor]

    def held(self, space: tuple[str, int, int]) -> float:
        total = 0.0
        for t in self.running():
            if self.takes(t) > 0 and space in self.spaces(t.unit):
                total += float(self.i.options.memory_b[t.option])
        for n, p in enumerate(self.i.tensors.producer.tolist()):
            maker = self.tasks[p]
            made = maker.start is not None and n not in self.left_outputs
            if made and space in self.spaces(maker.unit):
                total += float(self.i.tensors.bytes_b[n])
        for m in self.messages:
            comes = m.starts and m.leg != 1 and id(m) not in self.left_copies
            if comes and space in self.spaces(m.unit):
                total += float(self.i.tensors.bytes_b[m.tensor])
        return total

    def let_go(self) -> None:
        """Note which outputs and copies nothing needs any more: they are gone for good."""
        for n, p in enumerate(self.i.tensors.producer.tolist()):
            maker = self.tasks[p]
            if maker.end is not None and all(self.has(n, maker, r) for r in self.readers(n)):
                self.left_outputs.add(n)
        for m in self.messages:
            open_ = [
                r
                for r in self.readers(m.tensor)
                if r.end is None and (r.unit is None or r.unit == m.unit)
            ]
            if m.there and not open_:
                self.left_copies.add(id(m))

    def has(self, n: int, maker: Task, reader: Task) -> bool:
        if reader.unit is None:
            return False
        if self.local(maker.unit, reader.unit):
            return reader.end is not None
        staged = bool(self.i.tensors.staged[n])
        if staged and self.near(maker.unit) and self.near(reader.unit):
            return True
        writes = staged and not self.near(maker.unit)
        for m in self.messages:
            there = m.leg == 1 if writes else m.leg != 1 and m.unit == reader.unit
            if m.tensor == n and there and (m.ends or m.there):
                return True
        return False

    def has_memory(self, t: Task) -> bool:
        options = self.i.options
        need = sum(
            float(b)
            for b, p in zip(self.i.tensors.bytes_b, self.i.tensors.producer, strict=True)
            if p == t.number
        )
        if self.takes(t) > 0:
            need += float(options.memory_b[t.option])
        for space in self.spaces(t.unit):
            limit = self.limit(space) * (1 + 1e-9)
            if self.weights(space, self.tasks) + self.held(space) + need > limit:
                return False
            ran = [r for r in self.tasks if r.start is not None]
            peak = self.peaks.get(space, 0.0)
            fresh = self.weights(space, [*ran, t]) > self.weights(space, ran)
            if fresh and self.weights(space, [*ran, t]) + peak > limit:
                return False
        return True

    def free_b(self, unit: Unit) -> float | None:
        found = [
            self.limit(s) - self.weights(s, self.tasks) - max(self.held(s), self.peaks.get(s, 0.0))
            for s in self.spaces(unit)
        ]
        return min(found) if found else None

    def has_slot(self, unit: Unit) -> bool:
        taken = len([r for r in self.running() if r.unit == unit])
        taken += len([q for q in self.tasks if q.unit == unit and q.setup and q.start is None])
        for m in self.messages:
            if len(m.starts) > len(m.ends):
                taken += self.takes_slots(m, len(m.starts) - 1).count(unit)
        return taken < int(self.i.devices.slots[unit[0]])

    def takes_slots(self, m: Message, k: int) -> list[Unit]:
        """Units whose slots hop k of a message takes."""
        found = []
        if k == 0 and m.leg != 2 and not self.i.devices.overlap[m.source[0]]:
            found.append(m.source)
        if k == len(m.path) - 1 and m.leg != 1 and not self.i.devices.overlap[m.unit[0]]:
            found.append(m.unit)
        return found

    def is_due(self, item: tuple[int, ...]) -> bool:
        """Whether all that the policy's order has before an item has begun."""
        order = self.policy.order
        if order is None:
            return True
        for items in order.lanes.values():
            if item in items and set(items[: items.index(item)]) - self.begun:
                return False
        return True

    def local(self, one: Unit, other: Unit) -> bool:
        return one == other or self.net.zero_copy(one[0], other[0])

    def near(self, unit: Unit) -> bool:
        return self.net.near_host(unit[0])

    def brings(self, m: Message, tensor: int, unit: Unit) -> bool:
        """Whether a message is that with which a tensor comes to a unit."""
        if m.tensor != tensor:
            return False
        if self.i.tensors.staged[tensor] and self.near(unit):
            return m.leg == 1
        return m.leg != 1 and m.unit == unit

    def speeds(self) -> list[tuple[Task, float]]:
        """Those of running tasks that use what slows, first begun first."""
        slow = self.i.resources.slow
        uses = {
            t.number: [(k, a) for k, a in self.i.uses.of(t.option) if slow[k]]
            for t in self.running()
            if self.takes(t) > 0
        }
        shared = [t for t in self.running() if uses.get(t.number)]
        shared.sort(key=lambda t: t.order)
        found = []
        for t in shared:
            least = []
            for k, _ in uses[t.number]:
                wanted = [a for s in shared for j, a in uses[s.number] if j == k]
                part = min(1.0, float(self.i.resources.capacity[k]) / sum(wanted))
                least.append(part * (1.0 - self.i.resources.loss[k] if len(wanted) > 1 else 1.0))
            found.append((t, float(min(least))))
        return found

    def retime(self) -> None:
        """Carry what slows each other on to now, and set new ends."""
        shared = self.speeds()
        for t, _ in shared:
            t.left -= t.speed * (self.now - t.since)
            t.since = self.now
        for t, speed in shared:
            if speed != t.speed:
                t.speed, t.made = speed, self.next_number()
                t.due = self.now + max(0.0, t.left) / speed

    def drawn(self) -> float:
        kept = sum(t.setup[2] for t in self.tasks if t.setup and t.start is None)
        return kept + sum(self.watts(t) for t in self.running() if self.takes(t) > 0)

    def configuration(self, t: Task) -> str:
        return str(self.i.options.configuration[t.option])

    def wanted(self, t: Task) -> tuple[float, float]:
        """Time and energy of the set-up that a task needs on its unit."""
        devices, setups, new = self.i.devices, self.i.setups, self.configuration(t)
        d = t.unit[0]
        ran = [
            q
            for q in self.tasks
            if q.unit == t.unit and q.end is not None and self.configuration(q)
        ]
        ran.sort(key=lambda q: q.start)
        old = self.configuration(ran[-1]) if ran else str(devices.initial_configuration[d])
        if not new or old in ("", new):
            return 0.0, 0.0
        for k in range(len(setups)):
            pair = (int(setups.device[k]), str(setups.source[k]), str(setups.target[k]))
            if pair == (d, old, new):
                return float(setups.time_s[k]), float(setups.energy_j[k])
        return float(devices.setup_time_s[d]), float(devices.setup_energy_j[d])

    def fits(self, t: Task, ahead: float = 0.0) -> bool:
        assert t.unit is not None
        if self.status(t) != "ready" or t.not_before > self.now + ahead or t.unit in self.down:
            return False
        if t.setup is not None:
            if t.setup[1] > self.now:
                return False
        elif (self.takes(t) > 0 and not self.has_slot(t.unit)) or (
            ahead == 0 and self.wanted(t) != (0.0, 0.0)
        ):
            return False
        ahead = [
            q for q in self.tasks if q.unit == t.unit and q.start is None and q.asked < t.asked
        ]
        if ahead:
            return False
        if not self.is_due((t.number,)) or self.now < self.ready(t.unit[0]):
            return False
        for source, tensor in self.before(t):
            assert source.unit is not None
            if tensor < 0 or self.local(source.unit, t.unit):
                continue
            if not any(m.there for m in self.messages if self.brings(m, tensor, t.unit)) and not (
                self.i.tensors.staged[tensor] and self.near(source.unit) and self.near(t.unit)
            ):
                return False
        if not self.has_memory(t):
            return False
        slack = 1 + 1e-9
        after = self.idle(t.unit)
        if after > self.idle() and any(
            after > slack * max(cap - above, idle) for cap, above, idle in self.past_power()
        ):
            return False
        takes = self.takes(t)
        kept = t.setup[2] if t.setup else 0.0
        more = (self.watts(t) if takes > 0 else 0.0) - kept
        if self.drawn() + more + after > self.cap * slack:
            return False
        for k, need in self.i.uses.of(t.option):
            held = sum(
                a
                for r in self.running()
                if self.takes(r) > 0
                for j, a in self.i.uses.of(r.option)
                if j == k
            )
            forbids = takes > 0 and not self.i.resources.slow[k]
            if forbids and held + need > self.i.resources.capacity[k] * slack:
                return False
            spent = sum(
                a
                for r in self.tasks
                if r.start is not None
                for j, a in self.i.uses.of(r.option)
                if j == k
            )
            if spent + need > self.i.resources.budget[k] * slack:
                return False
        return True

    def past_power(self) -> list[tuple[float, float, float]]:
        return self._past

    _past: list[tuple[float, float, float]]

    # Time passes.

    def run(self) -> SmallSchedule:
        self._past = []
        for j, release in enumerate(self.i.jobs.release_s.tolist()):
            self.alarms.append((release, 2, self.next_number(), ("release", j)))
        for at in sorted({self.ready(d) for d in range(len(self.i.devices))}):
            self.wake(at)
        for event in self.setting.events:
            self.alarms.append((event.time_s, 3, self.next_number(), ("outside", event)))
        if self.policy.delta_s is not None:
            self.alarms.append((self.policy.delta_s, 4, self.next_number(), ("tick", True)))
        quiet = False
        while any(t.end is None for t in self.tasks):
            events = list(self.alarms)
            events += [(t.due, 0, t.made, ("end", t)) for t in self.running()]
            for m in self.messages:
                if len(m.starts) > len(m.ends):
                    at = m.starts[-1] + self.hop_time(m, len(m.starts) - 1)
                    events.append((at, 1, m.made, ("hop", m)))
            if not events:
                break
            time, _, _, what = min(events, key=lambda e: e[:3])
            if time > self.now:
                self._past.append((self.cap, self.drawn(), self.idle()))
                for unit in [(d, u) for d in range(len(self.i.devices)) for u in range(9)]:
                    for space in self.spaces(unit):
                        self.peaks[space] = max(self.peaks.get(space, 0.0), self.held(space))
                self.now = time
            asked = self.asked_for
            self.alarms = [a for a in self.alarms if a[3] is not what]
            self.happens(what)
            if what[0] != "tick":
                quiet = False
            elif all(a[3][0] == "tick" for a in self.alarms) and not self.moves():
                if quiet and self.asked_for == asked:
                    break
                quiet = True
        return self

    asked_for = 0

    def moves(self) -> bool:
        return bool(self.running()) or any(len(m.starts) > len(m.ends) for m in self.messages)

    def wake(self, at: float) -> None:
        if at > self.now and not any(a[0] == at and a[3][0] == "time" for a in self.alarms):
            self.alarms.append((at, 1, self.next_number(), ("time", object())))

    def hop_time(self, m: Message, k: int) -> float:
        links, link = self.i.links, m.path[k]
        size = self.i.tensors.bytes_b[m.tensor]
        return float(links.latency_s[link] + size / links.bandwidth_b_per_s[link])

    def happens(self, what: tuple[str, Any]) -> None:
        kind, data = what
        event: Any = None
        if kind == "end":
            data.end = self.now
            self.retime()
            for t in self.tasks:
                for source, tensor in self.before(t):
                    if source is data and t.unit is not None:
                        self.send(tensor, data, t.unit)
            event = Finished(
                self.now,
                data.name,
                str(self.i.devices.name[data.unit[0]]),
                data.unit[1],
                str(self.i.options.label[data.option]),
                duration_s=self.now - data.start,
            )
        elif kind == "hop":
            data.ends.append(self.now)
            if len(data.ends) == len(data.path):
                self.arrives(data)
            else:
                data.asked = self.next_number()
        elif kind == "release":
            self.released.add(data)
            event = Arrived(self.now, str(self.i.jobs.name[data]))
        elif kind == "outside":
            event = data
            self.outside(data)
        elif kind == "tick":
            event = Tick(self.now)
            if data:
                at = self.now + self.policy.delta_s
                self.alarms.append((at, 4, self.next_number(), ("tick", True)))
        self.let_go()
        if event is not None and any(t.end is None for t in self.tasks):
            self.ask(event)
            self.let_go()
        self.give_up()
        while self.go():
            pass

    def outside(self, event: Any) -> None:
        if isinstance(event, CapChanged):
            self.cap = math.inf if event.power_cap_w is None else event.power_cap_w
            return
        d = self.i.devices.name.tolist().index(event.device)
        for u in range(int(self.i.devices.count_max[d])):
            if event.unit not in (None, u):
                continue
            if isinstance(event, DeviceUp):
                self.down.discard((d, u))
            elif isinstance(event, DeviceDown) and (d, u) not in self.down:
                self.down.add((d, u))
                lost = [t for t in self.running() if t.unit == (d, u)]
                lost.sort(key=lambda t: t.order)
                first = min((t.asked for t in self.tasks if t.unit == (d, u)), default=0)
                for t in self.tasks:
                    if t.unit == (d, u) and t.end is None:
                        t.setup = None
                for k, t in enumerate(lost):
                    t.start, t.due = None, None
                    t.asked = min(t.asked, first + k)
                    self.lost += 1
                self.retime()

    def ask(self, event: Any) -> None:
        units = []
        for d, name in enumerate(self.i.devices.name.tolist()):
            for u in range(int(self.i.devices.count_max[d])):
                on = [t for t in self.running() if t.unit == (d, u)]
                expected = sum(
                    float(self.i.tasks.work[t.number] * self.i.options.time_s[t.option]) for t in on
                )
                status = "down" if (d, u) in self.down else "on"
                units.append(
                    UnitState(
                        name,
                        u,
                        status,
                        running=float(len(on)),
                        running_s=expected,
                        free_b=self.free_b((d, u)),
                    )
                )
        tasks = tuple(
            TaskState(
                t.name,
                self.status(t),  # type: ignore[arg-type]
                "" if t.unit is None else str(self.i.devices.name[t.unit[0]]),
                None if t.unit is None else t.unit[1],
                "" if t.unit is None else str(self.i.options.label[t.option]),
                t.start,
                t.end,
            )
            for t in self.tasks
        )
        cap = None if math.isinf(self.cap) else self.cap
        state = State(self.now, tuple(units), (), (), tasks, cap)
        for action in self.policy.decide(state, event):
            if isinstance(action, Wait):
                assert action.until_s is None
                continue
            assert isinstance(action, Start)
            self.asked_for += 1
            t = next(t for t in self.tasks if t.name == action.task)
            d = self.i.devices.name.tolist().index(action.device)
            if t.setup is not None and t.unit != (d, action.unit):
                t.setup = None
            t.unit = (d, action.unit)
            t.option = next(
                o
                for o in self.i.task_options(t.number).tolist()
                if self.i.options.device[o] == d and self.i.options.label[o] == action.option
            )
            t.not_before = action.not_before_s or 0.0
            self.wake(t.not_before)
            t.asked = self.next_number()
            for source, tensor in self.before(t):
                if source.end is not None:
                    self.send(tensor, source, t.unit)

    def send(self, tensor: int, source: Task, unit: Unit) -> None:
        assert source.unit is not None
        if tensor < 0 or self.local(source.unit, unit):
            return
        if not self.i.tensors.staged[tensor]:
            self.post(tensor, 0, source.unit, unit)
            return
        host = (self.i.host, -1)
        if not self.near(source.unit):
            self.post(tensor, 1, source.unit, host)
        if self.near(unit):
            return
        write = [m for m in self.messages if m.tensor == tensor and m.leg == 1]
        if all(m.there for m in write):
            self.post(tensor, 2, host, unit)
        elif (tensor, unit) not in self.pending:
            self.pending.append((tensor, unit))

    def post(self, tensor: int, leg: int, source: Unit, unit: Unit) -> None:
        if any((m.tensor, m.leg, m.unit) == (tensor, leg, unit) for m in self.messages):
            return
        path = self.net.path(source[0], unit[0], float(self.i.tensors.bytes_b[tensor]))
        assert path is not None
        message = Message(tensor, leg, source, unit, path, asked=self.next_number())
        self.messages.append(message)
        if not path:
            self.arrives(message)

    def arrives(self, message: Message) -> None:
        message.there = True
        if message.leg == 1:
            reads = [p for p in self.pending if p[0] == message.tensor]
            self.pending = [p for p in self.pending if p not in reads]
            for tensor, unit in reads:
                self.post(tensor, 2, (self.i.host, -1), unit)

    def hop_may_begin(self, m: Message, k: int) -> bool:
        hop = (m.tensor, m.leg, *m.unit, k)
        begin = self.policy.order.times.get(hop, 0.0) if self.policy.order else 0.0
        if begin > self.now:
            self.wake(begin)
            return False
        if not self.is_due(hop):
            return False
        if k == 0 and m.leg != 1:
            for space in self.spaces(m.unit):
                used = self.weights(space, self.tasks) + self.held(space)
                size = float(self.i.tensors.bytes_b[m.tensor])
                if used + size > self.limit(space) * (1 + 1e-9):
                    return False
        return all(
            self.has_slot(unit) and self.ready(unit[0]) <= self.now
            for unit in self.takes_slots(m, k)
        )

    def give_up(self) -> None:
        """Forget set-ups of tasks that are not the next of their units any more."""
        for t in self.tasks:
            if t.setup is None or t.start is not None or t.unit is None:
                continue
            queue = [q for q in self.tasks if q.unit == t.unit and q.start is None]
            if min(queue, key=lambda q: q.asked) is not t:
                t.setup = None

    def sets_up(self, t: Task) -> bool:
        takes, joules = self.wanted(t)
        if (takes, joules) == (0.0, 0.0) or t.setup is not None:
            return False
        watts = joules / takes if takes > 0 else 0.0
        if t.not_before - takes > self.now:
            self.wake(t.not_before - takes)
            return False
        if self.policy.order is None:
            if not self.fits(t, max(takes, 1e-300)):
                return False
            watts = max(watts, self.watts(t) if self.takes(t) > 0 else 0.0)
        if not self.is_due((t.number, -1)) or self.ready(t.unit[0]) > self.now:
            return False
        after, slack = self.idle(t.unit), 1 + 1e-9
        if after > self.idle() and any(
            after > slack * max(cap - above, idle) for cap, above, idle in self.past_power()
        ):
            return False
        if not self.has_slot(t.unit) or self.drawn() + watts + after > self.cap * slack:
            return False
        self.begun.add((t.number, -1))
        self.used.add(t.unit)
        t.setup = (self.now, self.now + takes, watts)
        self.wake(self.now + takes)
        return True

    def go(self) -> bool:
        """Start hops, then tasks; return whether anything began."""
        began = False
        waiting = [m for m in self.messages if not m.there and len(m.starts) == len(m.ends)]
        for m in sorted(waiting, key=lambda m: m.asked):
            k = len(m.starts)
            group = int(self.i.links.channel_group[m.path[k]])
            if group >= 0:
                busy = [
                    o
                    for o in self.messages
                    if len(o.starts) > len(o.ends)
                    and self.i.links.channel_group[o.path[len(o.starts) - 1]] == group
                ]
                if len(busy) >= self.i.links.group_channels[group]:
                    continue
            if not self.hop_may_begin(m, k):
                continue
            self.begun.add((m.tensor, m.leg, *m.unit, k))
            m.starts.append(self.now)
            m.made = self.next_number()
            began = True
        asked = [t for t in self.tasks if t.unit is not None and t.start is None]
        candidates = [t for t in sorted(asked, key=lambda t: t.asked) if t.unit not in self.down]
        heads: dict[Unit, Task] = {}
        for t in candidates:
            assert t.unit is not None
            heads.setdefault(t.unit, t)
        for t in heads.values():
            if self.sets_up(t):
                began = True
            if self.fits(t):
                t.start, t.made = self.now, self.next_number()
                t.order, t.since = t.made, self.now
                t.left, t.speed, t.due = self.takes(t), 0.0, self.now + self.takes(t)
                self.begun.add((t.number,))
                self.retime()
                assert t.unit is not None
                self.used.add(t.unit)
                began = True
        return began
