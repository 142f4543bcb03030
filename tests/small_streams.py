"""A second simulator of streams: plain lists, everything looked through at each event.

It shares no code with ``hetopt.simulate.kernels`` and asks the policy's own ``decide`` for each
request, so that both the loop and the states that policies see are held to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.simulate.events import (
    Arrived,
    DeviceDown,
    DeviceUp,
    QueueState,
    Route,
    State,
    SwitchOn,
    TurnAway,
    UnitState,
)
from hetopt.simulate.kernels.records import CHEAPEST
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.world import Setting
from tests.oracles.board_count import boards_of

Item = tuple[int, int]
"""A request, and the row of its route."""


@dataclass(eq=False)
class Execution:
    items: list[Item]
    row: int
    left_s: float
    power_w: float
    share: float
    asks: dict[int, float] = field(default_factory=dict)


@dataclass(eq=False)
class Unit:
    device: int
    number: int
    station: int
    status: str
    executions: list[Execution] = field(default_factory=list)
    ready_s: float = math.inf
    idle_since_s: float = 0.0


@dataclass(eq=False)
class Board:
    kind: int
    number: int
    is_on: bool
    since_s: float = -math.inf

    @property
    def key(self) -> tuple[int, int]:
        return self.kind, self.number


@dataclass(eq=False)
class Batch:
    items: list[Item]
    row: int
    until_s: float


class SmallStreams:
    def __init__(self, instance: Instance, policy: StreamPolicy, setting: Setting) -> None:
        self.instance, self.policy, self.setting = instance, policy, setting
        self.table, fleet = policy.table, policy.fleet
        self.units = [
            Unit(int(d), int(n), int(s), "on" if on else "off")
            for d, n, s, on in zip(
                fleet.device, fleet.number, fleet.unit_station, fleet.on, strict=True
            )
        ]
        had = [len([u for u in self.units if u.device == d]) for d in range(len(instance.devices))]
        self.boards = [
            Board(b, n, not instance.boards.off_when_unused[b])
            for b, _, _, many in boards_of(instance, had, had)
            for n in range(many)
        ]
        self.board_j = np.zeros(len(instance.boards))
        self.board_s = np.zeros(len(instance.boards))
        for board in self.boards:
            board.is_on = board.is_on or self.carries(board)
        count = len(fleet.station_device)
        self.queues: list[list[tuple[list[Item], int]]] = [[] for _ in range(count)]
        self.forming: dict[tuple[int, int, float], Batch] = {}
        self.planned = [
            len([u for u in self.units if u.station == s and u.status == "on"])
            for s in range(count)
        ]
        self.coming_items: list[tuple[float, Item]] = []
        self.route: dict[int, int] = {}
        self.open: dict[Item, int] = {}
        self.ready: dict[Item, float] = {}
        self.undone: dict[int, int] = {}
        self.finish: dict[int, float] = {}
        self.turned_away: set[int] = set()
        self.log: list[tuple[float, int, int, int]] = []
        self.now = 0.0
        self.energy_j = np.zeros(len(instance.devices))
        self.idle_j = np.zeros(len(instance.devices))
        self.over_cap_s = 0.0
        self.wide = setting.requests.work.shape[1]

    # What is known of a row of a route.

    def device(self, row: int) -> int:
        return int(self.instance.options.device[self.table.option[row]])

    def row(self, item: Item) -> int:
        return int(self.table.ptr[self.route[item[0]]]) + item[1]

    def takes(self, item: Item, row: int) -> float:
        requests, drawn = self.setting.requests, self.setting.drawn
        place = int(self.table.position[row])
        work = requests.work[item[0] if len(requests.work) > 1 else 0, place]
        factor = 1.0
        if len(drawn):
            net = self.policy.net.row[row]
            z = float(drawn[item[0], place])
            factor = math.exp(z * float(net["low"] if z < 0 else net["high"]))
        return float(self.table.time_s[row] * work * factor)

    def rate(self, unit: Unit, execution: Execution) -> float:
        if execution.asks:
            return min(self.speed(k) for k in execution.asks)
        if not self.setting.shared[unit.device]:
            return 1.0
        return min(1.0, float(self.instance.devices.slots[unit.device]) / len(unit.executions))

    def speed(self, k: int) -> float:
        """Return how fast a resource that slows lets run what asks for it."""
        running = [e for u in self.units for e in u.executions if k in e.asks]
        resources = self.instance.resources
        speed = min(1.0, float(resources.capacity[k]) / sum(e.asks[k] for e in running))
        return speed * (1.0 - float(resources.loss[k])) if len(running) > 1 else speed

    def asks(self, row: int, takes: float) -> dict[int, float]:
        if takes == 0:
            return {}
        sharing = self.instance.resources.sharing
        uses = self.instance.uses.of(int(self.table.option[row]))
        return {k: float(amount) for k, amount in uses if sharing[k] == "slow" and amount > 0}

    # Boards.

    def board_of(self, unit: Unit) -> Board | None:
        kind = int(self.instance.devices.on_board[unit.device])
        if kind < 0:
            return None
        number = unit.number // int(self.instance.boards.per_board[unit.device])
        (found,) = [b for b in self.boards if b.key == (kind, number)]
        return found

    def carries(self, board: Board) -> bool:
        """Whether a unit on a board is on."""
        return any(
            u.status in ("on", "starting", "draining")
            for u in self.units
            if self.board_of(u) is board
        )

    def boards_follow(self) -> None:
        """Switch boards off on which no unit is on any more, where that may be."""
        for board in self.boards:
            off = self.instance.boards.off_when_unused[board.kind]
            board.is_on = self.carries(board) or (board.is_on and not off)

    def go_on_first(self, units: list[Unit]) -> Unit:
        """Return of the units that could go on the first whose board is on, else the first."""
        boards = [self.board_of(u) for u in units]
        lit = [u for u, b in zip(units, boards, strict=True) if b is None or b.is_on]
        return (lit or units)[0]

    # Time passes.

    def run(self, most: int = 200_000) -> SmallStreams:
        requests = self.setting.requests
        outside = [e for e in self.setting.events if isinstance(e, DeviceDown | DeviceUp)]
        arrivals = list(range(len(requests)))
        for _ in range(most):
            if len(self.finish) + len(self.turned_away) == len(requests):
                break
            inner = self.next_inner()
            times = (
                inner[0] if inner else math.inf,
                outside[0].time_s if outside else math.inf,
                float(requests.time_s[arrivals[0]]) if arrivals else math.inf,
            )
            which = times.index(min(times))
            if math.isinf(times[which]):
                break
            self.pass_until(times[which])
            if which == 0:
                inner[1]()
            elif which == 1:
                self.happens(outside.pop(0))
            else:
                self.arrives(arrivals.pop(0))
        end = max([self.now, *self.finish.values()])
        self.pass_until(end)
        return self

    def pass_until(self, time: float) -> None:
        span = time - self.now
        drawn_w = 0.0
        for unit in self.units:
            rates = [self.rate(unit, execution) for execution in unit.executions]
            for execution, rate in zip(unit.executions, rates, strict=True):
                execution.left_s -= span * rate
                self.energy_j[unit.device] += execution.power_w * rate * span
                drawn_w += execution.power_w * rate
            if unit.status in ("on", "starting", "draining"):
                idle_w = float(self.instance.devices.idle_power_w[unit.device])
                self.idle_j[unit.device] += idle_w * span
                drawn_w += idle_w
        boards = self.instance.boards
        for board in self.boards:
            if not board.is_on:
                continue
            b, start = board.kind, float(boards.start_up_time_s[board.kind])
            self.board_s[b] += span
            self.board_j[b] += float(boards.idle_power_w[b]) * span
            drawn_w += float(boards.idle_power_w[b])
            # Times of starts are sums: what is left of them by rounding is over.
            if start > 0 and time <= (board.since_s + start) * (1 + 1e-12):
                self.board_j[b] += float(boards.start_up_energy_j[b]) / start * span
                drawn_w += float(boards.start_up_energy_j[b]) / start
        if drawn_w > self.instance.limits.power_cap_w * (1.0 + 1e-9):
            self.over_cap_s += span
        self.now = time

    def next_inner(self) -> tuple[float, Any] | None:
        found: list[tuple[float, Any]] = []
        for unit in self.units:
            for execution in unit.executions:
                at = self.now + max(0.0, execution.left_s) / self.rate(unit, execution)
                found.append((at, lambda u=unit, e=execution: self.ends(u, e)))
            if unit.status == "starting":
                found.append((unit.ready_s, lambda u=unit: self.starts_serving(u)))
            hold = float(self.policy.rule.hold_s[unit.device])
            idle = unit.status == "on" and not unit.executions
            off = self.instance.devices.off_when_unused[unit.device]
            if idle and off and self.policy.rule.mode == CHEAPEST:
                found.append((unit.idle_since_s + hold, lambda u=unit: self.switch_off(u)))
        for key, batch in self.forming.items():
            found.append((batch.until_s, lambda k=key: self.closes(k)))
        found += [(e[0], lambda e=e: self.becomes_ready(e)) for e in self.coming_items]
        for board in self.boards:
            up = board.since_s + float(self.instance.boards.start_up_time_s[board.kind])
            if board.is_on and up > self.now:
                # Power is lower from then on.
                found.append((up, lambda: None))
        return min(found, key=lambda f: f[0]) if found else None

    # What happens.

    def arrives(self, i: int) -> None:
        requests = self.setting.requests
        job = int(requests.job[i])
        name = str(self.instance.jobs.name[job])
        actions = self.policy.decide(self.state(), Arrived(self.now, name, str(i)))
        if any(isinstance(a, TurnAway) for a in actions):
            self.log.append((self.now, 0, i, -2))
            self.turned_away.add(i)
            return
        (placed,) = [a for a in actions if isinstance(a, Route)]
        for k in range(len(self.table)):
            if self.table.job[k] == job and self.policy.placements(k) == placed.placements:
                self.route[i] = k
        k = self.route[i]
        self.log.append((self.now, 0, i, k))
        for action in actions:
            if isinstance(action, SwitchOn):
                self.switch_on(self.units[self.policy.unit(action.device, action.unit)])
        rows = range(int(self.table.ptr[k]), int(self.table.ptr[k + 1]))
        if self.table.transfer_j[k] > 0:
            self.energy_j[self.table.transfer_device[k]] += self.table.transfer_j[k]
        self.undone[i] = len(rows)
        for r, row in enumerate(rows):
            self.open[i, r], self.ready[i, r] = int(self.table.before[row]), self.now
        for r, row in enumerate(rows):
            if not self.table.before[row]:
                self.joins((i, r))

    def joins(self, item: Item) -> None:
        row = self.row(item)
        most = int(self.table.batch[row])
        if most <= 1:
            self.waits([item], row)
            return
        time = float(self.table.time_s[row])
        key = int(self.table.station[row]), int(self.table.option[row]), time
        timeout = self.setting.timeout_s
        until = self.now + (float(self.table.time_s[row]) if timeout is None else timeout)
        batch = self.forming.setdefault(key, Batch([], row, until))
        batch.items.append(item)
        if len(batch.items) == most:
            self.closes(key)

    def closes(self, key: tuple[int, int, float]) -> None:
        batch = self.forming.pop(key)
        self.waits(batch.items, batch.row)

    def waits(self, items: list[Item], row: int) -> None:
        station = int(self.table.station[row])
        self.queues[station].append((items, row))
        self.wake(station)
        self.feed(station)

    def wake(self, station: int) -> None:
        mine = [u for u in self.units if u.station == station]
        if not any(u.status in ("on", "starting") for u in mine):
            idle = [u for u in mine if u.status in ("off", "draining")]
            if idle:
                self.switch_on(self.go_on_first(idle))

    def feed(self, station: int) -> None:
        queue = self.queues[station]
        while queue:
            items, row = queue[0]
            share = float(self.table.share[row])
            device = self.device(row)
            slots = float(self.instance.devices.slots[device])
            mine = [u for u in self.units if u.station == station and u.status == "on"]
            if self.setting.shared[device]:
                free = sorted(mine, key=lambda u: len(u.executions))[:1]
            else:
                free = [
                    u for u in mine if sum(e.share for e in u.executions) + share <= slots + 1e-9
                ]
            if not free:
                return
            queue.pop(0)
            takes = max(self.takes(item, row) for item in items)
            full = float(self.table.time_s[row])
            power = float(self.table.energy_j[row]) / full if full > 0 else 0.0
            asks = self.asks(row, takes)
            free[0].executions.append(Execution(items, row, takes, power, share, asks))
            i, r = items[0]
            self.log.append((self.now, 1, i * self.wide + r, self.units.index(free[0])))

    def ends(self, unit: Unit, execution: Execution) -> None:
        unit.executions.remove(execution)
        i, r = execution.items[0]
        self.log.append((self.now, 2, i * self.wide + r, self.units.index(unit)))
        if unit.status == "draining" and not unit.executions:
            unit.status = "off"
            self.boards_follow()
        self.feed(unit.station)
        if not unit.executions:
            unit.idle_since_s = self.now
        for item in execution.items:
            self.done(item)

    def done(self, item: Item) -> None:
        i, _ = item
        row = self.row(item)
        requests = self.setting.requests
        work = requests.work[i if len(requests.work) > 1 else 0, int(self.table.position[row])]
        end = self.now + float(self.table.after_s[row] * work)
        self.finish[i] = max(self.finish.pop(i, 0.0), end) if i in self.finish else end
        self.undone[i] -= 1
        latest = self.latest = getattr(self, "latest", {})
        latest[i] = max(latest.get(i, 0.0), end)
        if self.undone[i]:
            del self.finish[i]
        else:
            self.finish[i] = latest[i]
        for e in range(int(self.table.out_ptr[row]), int(self.table.out_ptr[row + 1])):
            other = i, int(self.table.out_row[e])
            self.ready[other] = max(self.ready[other], end + float(self.table.out_delay_s[e]))
            self.open[other] -= 1
            if not self.open[other]:
                if self.ready[other] <= self.now:
                    self.joins(other)
                else:
                    self.coming_items.append((self.ready[other], other))

    def becomes_ready(self, entry: tuple[float, Item]) -> None:
        self.coming_items.remove(entry)
        self.joins(entry[1])

    # Units.

    def switch_on(self, unit: Unit) -> None:
        if unit.status == "draining":
            unit.status = "on"
            self.feed(unit.station)
            return
        if unit.status != "off":
            return
        options = self.instance.options
        loads = {
            int(options.weights_key[o])
            for o, s in zip(self.table.option, self.table.station, strict=True)
            if s == unit.station and options.weights_b[o] > 0
        }
        start = float(self.setting.start_up.time_s[unit.device])
        start += len(loads) * float(self.instance.devices.load_time_s[unit.device])
        ready = self.now + start
        board = self.board_of(unit)
        if board is not None:
            up = float(self.instance.boards.start_up_time_s[board.kind])
            if not board.is_on:
                board.is_on, board.since_s = True, self.now
                if up == 0:
                    energy = self.instance.boards.start_up_energy_j[board.kind]
                    self.board_j[board.kind] += float(energy)
            ready = max(ready, board.since_s + up)
        unit.status, unit.ready_s = "starting", ready
        if ready == self.now:
            self.starts_serving(unit)

    def starts_serving(self, unit: Unit) -> None:
        unit.status = "on"
        self.feed(unit.station)
        if not unit.executions:
            unit.idle_since_s = self.now

    def switch_off(self, unit: Unit) -> None:
        mine = [u for u in self.units if u.station == unit.station]
        others = [u for u in mine if u is not unit and u.status in ("on", "starting")]
        if unit.station < 0:
            # It serves nobody.
            unit.status = "off"
            self.boards_follow()
            return
        if self.queues[unit.station] and not others:
            unit.idle_since_s = math.inf
            return
        unit.status = "draining" if unit.executions else "off"
        self.boards_follow()

    def happens(self, event: DeviceDown | DeviceUp) -> None:
        name = self.instance.devices.name
        for unit in self.units:
            if name[unit.device] != event.device or event.unit not in (None, unit.number):
                continue
            if unit.station < 0:
                continue
            if isinstance(event, DeviceDown):
                self.fails(unit)
            elif unit.status == "down":
                unit.status = "off"
                mine = [u for u in self.units if u.station == unit.station]
                up = [u for u in mine if u.status in ("on", "starting")]
                short = len(up) < self.planned[unit.station] and self.policy.rule.replaces
                short = short or bool(self.queues[unit.station] and not up)
                if short or not self.instance.devices.off_when_unused[unit.device]:
                    self.switch_on(unit)

    def fails(self, unit: Unit) -> None:
        if unit.status == "down":
            return
        was, lost = unit.status, unit.executions
        unit.executions, unit.status = [], "down"
        # The latest to start stands first on its unit, so it is put back first.
        for execution in reversed(lost):
            self.queues[unit.station].insert(0, (execution.items, execution.row))
        mine = [u for u in self.units if u.station == unit.station]
        if self.policy.rule.replaces and was in ("on", "starting"):
            idle = [u for u in mine if u.status in ("off", "draining")]
            if idle:
                self.switch_on(self.go_on_first(idle))
        self.boards_follow()
        self.feed(unit.station)
        if not any(u.status in ("on", "starting") for u in mine):
            self.goes_elsewhere(unit.station)

    def goes_elsewhere(self, station: int) -> None:
        waiting, self.queues[station] = self.queues[station], []
        for items, row in waiting:
            k = self.route[items[0][0]]
            if self.table.ptr[k + 1] - self.table.ptr[k] == 1:
                for item in items:
                    self.arrives(item[0])
            else:
                self.waits(items, row)

    def state(self) -> State:
        devices, fleet = self.instance.devices, self.policy.fleet
        units = tuple(
            UnitState(
                str(devices.name[u.device]),
                u.number,
                u.status,  # type: ignore[arg-type]
                u.ready_s if u.status == "starting" else None,
                float(len(u.executions))
                if self.setting.shared[u.device]
                else sum(e.share for e in u.executions),
                sum(e.share * float(self.table.time_s[e.row]) for e in u.executions),
                None if u.executions else u.idle_since_s,
            )
            for u in self.units
        )
        queues = []
        for s, queue in enumerate(self.queues):
            waiting = sum(float(self.table.share[r] * self.table.time_s[r]) for _, r in queue)
            if queue:
                job, unit = int(fleet.station_job[s]), int(fleet.station_unit[s])
                queues.append(
                    QueueState(
                        str(devices.name[fleet.station_device[s]]),
                        None if unit < 0 else unit,
                        None if job < 0 else str(self.instance.jobs.name[job]),
                        len(queue),
                        waiting,
                    )
                )
        return State(self.now, units, tuple(queues))


def agree(small: Sequence[tuple[float, int, int, int]], log: Any, places: int = 9) -> str:
    """Return the first difference of two logs, empty where there is none; ties in any order."""

    def ordered(rows: Any) -> list[tuple[float, int, int, int]]:
        found = [(float(t), int(k), int(a), int(b)) for t, k, a, b in rows]
        return sorted(found, key=lambda row: (round(row[0], places), *row[1:]))

    one, two = ordered(small), ordered(log)
    for n, (a, b) in enumerate(zip(one, two, strict=False)):
        if a[1:] != b[1:] or not math.isclose(a[0], b[0], rel_tol=1e-9, abs_tol=10.0**-places):
            return f"event {n}: {a} and {b}"
    return "" if len(one) == len(two) else f"{len(one)} events and {len(two)}"
