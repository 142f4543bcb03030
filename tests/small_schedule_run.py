"""A second simulator of schedules: everything is looked through at each moment.

It shares no code with ``hetopt.simulate.schedules.loop`` and asks the policy's own ``decide``, so
that both the loop and the states that policies see are held to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class Message:
    """One tensor on its way to one unit."""

    tensor: int
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
        self.sent_in_order: dict[int, int] = {}
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
        total = 0.0
        for d, watts in enumerate(self.i.devices.idle_power_w.tolist()):
            mine = len([u for u in units if u[0] == d])
            if not self.i.devices.off_when_unused[d]:
                mine = max(mine, int(self.i.devices.count_min[d]))
            total += mine * watts
        return total

    def drawn(self) -> float:
        return sum(self.watts(t) for t in self.running() if self.takes(t) > 0)

    def fits(self, t: Task) -> bool:
        assert t.unit is not None
        if self.status(t) != "ready" or t.not_before > self.now or t.unit in self.down:
            return False
        on = [r for r in self.running() if r.unit == t.unit]
        if len(on) >= self.i.devices.slots[t.unit[0]]:
            return False
        ahead = [
            q for q in self.tasks if q.unit == t.unit and q.start is None and q.asked < t.asked
        ]
        if ahead:
            return False
        waiting = [q for q in self.tasks if q.unit is not None and q.start is None]
        if self.policy.ordered and min(waiting, key=lambda q: q.asked) is not t:
            return False
        for source, tensor in self.before(t):
            if tensor < 0 or source.unit == t.unit:
                continue
            assert source.unit is not None
            if self.net.zero_copy(source.unit[0], t.unit[0]):
                continue
            if not any(m.there for m in self.messages if (m.tensor, m.unit) == (tensor, t.unit)):
                return False
        slack = 1 + 1e-9
        after = self.idle(t.unit)
        if after > self.idle() and any(
            after > slack * max(cap - above, idle) for cap, above, idle in self.past_power()
        ):
            return False
        takes = self.takes(t)
        if self.drawn() + (self.watts(t) if takes > 0 else 0.0) + after > self.cap * slack:
            return False
        for k, need in self.i.uses.of(t.option):
            held = sum(
                a
                for r in self.running()
                if self.takes(r) > 0
                for j, a in self.i.uses.of(r.option)
                if j == k
            )
            if takes > 0 and held + need > self.i.resources.capacity[k] * slack:
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
                self.now = time
            asked = self.asked_for
            self.alarms = [a for a in self.alarms if a[3] is not what]
            self.happens(what)
            if what[0] != "tick":
                quiet = False
            elif all(a[3][0] == "tick" for a in self.alarms) and not self.running():
                if quiet and self.asked_for == asked:
                    break
                quiet = True
        return self

    asked_for = 0

    def hop_time(self, m: Message, k: int) -> float:
        links, link = self.i.links, m.path[k]
        size = self.i.tensors.bytes_b[m.tensor]
        return float(links.latency_s[link] + size / links.bandwidth_b_per_s[link])

    def happens(self, what: tuple[str, Any]) -> None:
        kind, data = what
        event: Any = None
        if kind == "end":
            data.end = self.now
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
                data.there = True
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
        if event is not None and any(t.end is None for t in self.tasks):
            self.ask(event)
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
                lost.sort(key=lambda t: t.made)
                first = min((t.asked for t in self.tasks if t.unit == (d, u)), default=0)
                for k, t in enumerate(lost):
                    t.start, t.due = None, None
                    t.asked = min(t.asked, first + k)
                    self.lost += 1

    def ask(self, event: Any) -> None:
        units = []
        for d, name in enumerate(self.i.devices.name.tolist()):
            for u in range(int(self.i.devices.count_max[d])):
                on = [t for t in self.running() if t.unit == (d, u)]
                expected = sum(
                    float(self.i.tasks.work[t.number] * self.i.options.time_s[t.option]) for t in on
                )
                status = "down" if (d, u) in self.down else "on"
                units.append(UnitState(name, u, status, running=float(len(on)), running_s=expected))
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
            t.unit = (d, action.unit)
            t.option = next(
                o
                for o in self.i.task_options(t.number).tolist()
                if self.i.options.device[o] == d and self.i.options.label[o] == action.option
            )
            t.not_before = action.not_before_s or 0.0
            if t.not_before > self.now:
                self.alarms.append((t.not_before, 1, self.next_number(), ("time", None)))
            t.asked = self.next_number()
            for source, tensor in self.before(t):
                if source.end is not None:
                    self.send(tensor, source, t.unit)

    def send(self, tensor: int, source: Task, unit: Unit) -> None:
        known = any((m.tensor, m.unit) == (tensor, unit) for m in self.messages)
        assert source.unit is not None
        if tensor < 0 or source.unit == unit or known:
            return
        size = float(self.i.tensors.bytes_b[tensor])
        path = self.net.path(source.unit[0], unit[0], size)
        assert path is not None
        self.messages.append(Message(tensor, unit, path, asked=self.next_number(), there=not path))

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
                order = (self.policy.messages or {}).get(group)
                hop = (m.tensor, *m.unit, k)
                if order is not None and hop in order:
                    at = self.sent_in_order.get(group, 0)
                    if at >= len(order) or order[at] != hop:
                        continue
                    self.sent_in_order[group] = at + 1
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
            if self.fits(t):
                t.start, t.made = self.now, self.next_number()
                t.due = self.now + self.takes(t)
                assert t.unit is not None
                self.used.add(t.unit)
                began = True
        return began
