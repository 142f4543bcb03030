"""Optimum of a tiny steady instance: units and packings enumerated, rates by a linear program.

Written from the instance's columns and the definitions of docs/quantities.md alone. ``split``: for
every number of units on, and every packing of weights (and jobs, on exclusive devices) on units, an
LP over rates of routes on units. ``single``: every placement of every task on units.

Serving more than is demanded never helps: scaling a job's rates down keeps its accuracy and takes
less of everything. So a job is served exactly, or exactly θ times its demand.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from hetopt.instance import Instance, is_maximised
from tests.oracles.board_count import boards_of
from tests.oracles.exact_lp import exact_minimum
from tests.oracles.paths import Paths, exact
from tests.oracles.places import allowed_at, joule
from tests.oracles.schedule_oracle import TooHardError

HELD = 1e-9
"""Relative slack at which earlier levels of a list are held."""
MOST_PROGRAMS = 4000
MOST_EXACT = 60
MOST_COLUMNS = 16
MOST_PLACEMENTS = 40_000
MOST_UNITS = 12


@dataclass
class Cost:
    """What one request costs: busy time per place, bytes per link, energy, latency, accuracy."""

    busy: dict[tuple[int, int], float]
    link_b: dict[int, float]
    energy_j: float
    latency_s: Fraction
    accuracy: float
    paid: dict[str, float]
    uses: dict[tuple[str, int], float] = field(default_factory=dict)


@dataclass
class Server:
    """A unit, or units that act as one: the device, its capacity, and what it may serve."""

    device: int
    capacity: float
    jobs: frozenset[int]
    keys: frozenset[int] | None = None
    working_b: float = math.inf
    use_b: float = 0.0
    unit: int = -1
    least: float = 0.0


@dataclass(frozen=True)
class Fleet:
    """Per device: units on, had, and working; and whether the device may serve requests."""

    on: tuple[int, ...]
    had: tuple[int, ...]
    work: tuple[int, ...]
    serves: tuple[bool, ...]


@dataclass
class Choice:
    """Units on, had and working, and the servers they make."""

    fleet: Fleet
    servers: list[Server] = field(default_factory=list)


def steady_optimum(
    instance: Instance, slack: float = 0.0, *, exact: bool = False
) -> tuple[float, ...] | None:
    """Return the lexicographic optimum of the instance's objectives, None where infeasible.

    Parameters
    ----------
    slack
        Relative room of every limit, or less room where negative.
    exact
        Whether linear programs are solved in fractions: where numbers span many orders of
        magnitude, a tolerance decides what a solver in floats says.
    """
    data = _Data(instance)
    data.slack, data.exact = slack, exact
    if instance.routing == "single":
        return _Single(data).optimum()
    return _Split(data).optimum()


def most_units(instance: Instance, device: int) -> int:
    """Units beyond which more of a device are of no use."""
    return _Data(instance).most_units(device)


class _Data:
    """Tasks, options, limits and the cost of a route."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.slack, self.exact = 0.0, False
        self.paths = Paths(instance)
        self.wide = len(instance.devices)
        self.n_jobs = len(instance.jobs)
        self.members = [
            [t for t in range(len(instance.tasks)) if instance.tasks.job[t] == j]
            for j in range(self.n_jobs)
        ]
        self.rate = [float(r) for r in instance.jobs.rate_per_s]
        self.stated = [
            any(
                not math.isnan(instance.options.accuracy[o])
                for t in self.members[j]
                for o in self.options(t)
            )
            for j in range(self.n_jobs)
        ]
        devices = instance.devices
        self.unit_capacity = [
            float(
                exact(devices.max_utilization[d])
                * (1 - exact(devices.reserved[d]))
                * int(devices.slots[d])
            )
            for d in range(self.wide)
        ]
        self.unit_least = [
            float(
                exact(devices.min_load[d])
                * (1 - exact(devices.reserved[d]))
                * int(devices.slots[d])
            )
            for d in range(self.wide)
        ]
        self.named = [
            math.isfinite(devices.memory_b[d])
            or (devices.pool[d] >= 0 and math.isfinite(instance.pools.memory_b[devices.pool[d]]))
            for d in range(self.wide)
        ]
        self.throughput = "throughput" in instance.objective
        self.worth = "value" in instance.objective
        self.least_share = [
            float(instance.jobs.min_share[j]) if self.worth else 1.0 for j in range(self.n_jobs)
        ]

    def options(self, t: int) -> list[int]:
        inst = self.instance
        r = int(inst.tasks.profile[t])
        pairs = zip(inst.tasks.forbid_task, inst.tasks.forbid_device, strict=True)
        banned = {int(d) for x, d in pairs if x == t}
        pin = int(inst.tasks.pin_device[t])
        return [
            o
            for o in range(int(inst.profiles.ptr[r]), int(inst.profiles.ptr[r + 1]))
            if int(inst.options.device[o]) not in banned
            and allowed_at(inst, t, int(inst.options.device[o]))
            and pin in (-1, int(inst.options.device[o]))
        ]

    def cost(self, chosen: dict[int, int], where: dict[int, tuple[int, int]]) -> Cost | None:
        """Cost of a request of one job; None where a message has no path."""
        inst = self.instance
        options, devices = inst.options, inst.devices
        busy: dict[tuple[int, int], Fraction] = {}
        link_b: dict[int, Fraction] = {}
        uses: dict[tuple[str, int], Fraction] = {}
        drawn: dict[int, Fraction] = {}
        latency: dict[int, Fraction] = {}
        for t, o in chosen.items():
            work, batch = exact(inst.tasks.work[t]), int(options.batch[o])
            time = work * exact(options.time_s[o])
            busy[where[t]] = busy.get(where[t], Fraction(0)) + time / batch
            d = int(options.device[o])
            joules = work * exact(options.energy_j[o]) / batch
            drawn[d] = drawn.get(d, Fraction(0)) + joules
            for i in range(int(inst.uses.ptr[o]), int(inst.uses.ptr[o + 1])):
                k, amount = int(inst.uses.resource[i]), exact(inst.uses.amount[i])
                for kind, once in (("capacity", time / batch), ("budget", Fraction(1, batch))):
                    uses[kind, k] = uses.get((kind, k), Fraction(0)) + amount * once
            if math.isnan(options.latency_s[o]):
                latency[t] = time * (2 if batch >= 2 else 1)
            else:
                latency[t] = exact(options.latency_s[o])
        delay: dict[tuple[int, int], Fraction] = {}
        legs: dict[tuple, Fraction | None] = {}

        def leg(tensor: int, src, dst) -> Fraction | None:
            """Time of one transfer, counted once per tensor and ends."""
            if (tensor, src, dst) in legs:
                return legs[tensor, src, dst]
            size = exact(inst.tensors.bytes_b[tensor])
            a = inst.host if src == "host" else src[0]
            b = inst.host if dst == "host" else dst[0]
            path = self.paths.find(a, b, size)
            total = None if path is None else Fraction(0)
            if path:
                times = [self.paths.time(k, size) for k in path]
                total = sum(times, Fraction(0))
                for k in path:
                    link_b[k] = link_b.get(k, Fraction(0)) + size
                    sender = int(inst.links.src[k])
                    joules = self.paths.energy(k, size)
                    drawn[sender] = drawn.get(sender, Fraction(0)) + joules
                for place, time in ((src, times[0]), (dst, times[-1])):
                    if place != "host" and not devices.overlap[place[0]]:
                        busy[place] = busy.get(place, Fraction(0)) + time
            legs[tensor, src, dst] = total
            return total

        for a, b, tensor in zip(inst.edges.src, inst.edges.dst, inst.edges.tensor, strict=True):
            if a not in chosen:
                continue
            src, dst = where[int(a)], where[int(b)]
            delay[int(a), int(b)] = max(delay.get((int(a), int(b)), Fraction(0)), Fraction(0))
            if tensor < 0 or src == dst or self.paths.zero_copy(src[0], dst[0]):
                continue
            if not inst.tensors.staged[tensor]:
                steps = [(src, dst)]
            else:
                steps = [(src, "host")] if src[0] != inst.host else []
                steps += [("host", dst)] if dst[0] != inst.host else []
            taken = [leg(int(tensor), *step) for step in steps]
            if any(t is None for t in taken):
                return None
            delay[int(a), int(b)] = max(delay[int(a), int(b)], sum(taken, Fraction(0)))
        accuracies = [float(options.accuracy[o]) for o in chosen.values()]
        accuracies = [a for a in accuracies if not math.isnan(a)]
        return Cost(
            busy={u: float(v) for u, v in busy.items()},
            link_b={k: float(v) for k, v in link_b.items()},
            energy_j=float(sum(drawn.values())),
            paid={
                name: float(sum(joule(inst, d, name) * j for d, j in drawn.items()))
                for name in ("cost", "carbon")
            },
            latency_s=_longest(latency, delay),
            accuracy=min(accuracies, default=math.nan),
            uses={key: float(v) for key, v in uses.items()},
        )

    def allowed(self, j: int, cost: Cost) -> bool:
        """Whether the job's latency and accuracy limits let a route be used."""
        jobs = self.instance.jobs
        slo = float(jobs.latency_slo_s[j])
        if math.isfinite(slo) and cost.latency_s > exact(slo):
            return False
        return math.isnan(cost.accuracy) or cost.accuracy >= jobs.min_accuracy[j] - 1e-12

    def supplies(self) -> Iterator[tuple[tuple[str, int], float]]:
        """Return every finite limit of a resource."""
        resources = self.instance.resources
        for kind, limits in (("capacity", resources.capacity), ("budget", resources.budget)):
            for k, limit in enumerate(limits.tolist()):
                if math.isfinite(limit):
                    yield (kind, k), limit

    def idle_w(self, on, had) -> float:
        idle, each = self.instance.devices.idle_power_w, self.instance.boards.idle_power_w
        units = sum(exact(idle[d]) * on[d] for d in range(self.wide))
        return float(
            units + sum(exact(each[b]) * lit for b, _, lit, _ in boards_of(self.instance, on, had))
        )

    def idle_paid(self, on, had, name: str) -> float:
        """What idle power costs or emits per second."""
        idle, inst = self.instance.devices.idle_power_w, self.instance
        units = sum(exact(idle[d]) * on[d] * joule(inst, d, name) for d in range(self.wide))
        boards = sum(
            exact(inst.boards.idle_power_w[b]) * lit * joule(inst, d, name)
            for b, d, lit, _ in boards_of(inst, on, had)
        )
        return float(units + boards)

    def rent_per_s(self, had) -> float:
        price, each = self.instance.devices.price_per_s, self.instance.boards.price_per_s
        units = sum(exact(price[d]) * had[d] for d in range(self.wide))
        return float(
            units + sum(exact(each[b]) * n for b, _, _, n in boards_of(self.instance, had, had))
        )

    def most_units(self, d: int) -> int:
        """Units beyond which more of a device are of no use."""
        devices, limits = self.instance.devices, self.instance.limits
        if devices.count_max[d] >= 0:
            return int(devices.count_max[d])
        least = int(devices.count_min[d])
        bounds = []
        if devices.idle_power_w[d] > 0 and math.isfinite(limits.power_cap_w):
            bounds.append(limits.power_cap_w / devices.idle_power_w[d])
        if devices.price_per_s[d] > 0 and math.isfinite(limits.budget_per_s):
            bounds.append(limits.budget_per_s / devices.price_per_s[d])
        if not self.throughput:
            total = 0
            for j in range(self.n_jobs):
                worst = 0.0
                for chosen in self.routes(j):
                    where = {
                        t: (int(self.instance.options.device[o]), 0) for t, o in chosen.items()
                    }
                    cost = self.cost(chosen, where)
                    if cost is not None:
                        worst = max(worst, cost.busy.get((d, 0), 0.0))
                total += max(1, math.ceil(self.rate[j] * worst / self.unit_capacity[d] + 1e-9))
            bounds.append(total)
        if not bounds:
            # Nothing says how many units would be of no use.
            raise TooHardError
        most = max(least, math.floor(min(bounds) + 1e-9))
        if most > MOST_UNITS:
            raise TooHardError
        return most

    def fleets(self, d: int) -> Iterator[tuple[int, int, int, bool]]:
        """Return (on, had, working, serves) of a device, had as low as the rest allows."""
        devices = self.instance.devices
        least, most, spare = (
            int(devices.count_min[d]),
            self.most_units(d),
            int(devices.spare[d]),
        )
        always = not devices.off_when_unused[d]
        buys = (self.instance.kind_shares.of == "price").any()
        for on in range(least if always else 0, most + 1):
            highest = on if always else most if buys else max(least, on)
            for had in range(max(least, on), highest + 1):
                yield on, had, on, spare == 0
        if spare == 0:
            return
        # The most units are those with a use, of a device without a maximum, and spares beside.
        top = most + (spare if devices.count_max[d] < 0 else 0)
        for work in range(1, top - spare + 1):
            needed = max(least, work + spare)
            for had in range(needed, (top if buys or always else needed) + 1):
                if always:
                    yield had, had, had - spare, True
                else:
                    yield work, had, work, True

    def shares_hold(self, on, had) -> bool:
        """Whether the share of every limited kind is within its limits."""
        devices, shares = self.instance.devices, self.instance.kind_shares
        for s in range(len(shares)):
            paid = shares.of[s] == "price"
            part = [
                exact(devices.price_per_s[d]) * had[d] if paid else Fraction(on[d])
                for d in range(self.wide)
            ]
            mine = sum(
                p for p, kind in zip(part, devices.kind, strict=True) if kind == shares.kind[s]
            )
            whole = sum(part)
            if not exact(shares.least[s]) * whole <= mine <= exact(shares.most[s]) * whole:
                return False
        return True

    def routes(self, j: int) -> Iterator[dict[int, int]]:
        """Return every choice of one option per task of a job that its groups allow (split)."""
        inst = self.instance
        for combination in itertools.product(*(self.options(t) for t in self.members[j])):
            chosen = dict(zip(self.members[j], combination, strict=True))
            device = {t: int(inst.options.device[o]) for t, o in chosen.items()}
            if any(len({device[t] for t in g if t in device}) > 1 for g in inst.together):
                continue
            apart = [[device[t] for t in g if t in device] for g in inst.apart]
            if all(len(set(g)) == len(g) for g in apart):
                yield chosen


class _Split:
    """Rates divided among routes."""

    def __init__(self, data: _Data) -> None:
        self.data = data
        inst = data.instance
        self.routes: list[tuple[int, dict[int, int], Cost]] = []
        for j in range(data.n_jobs):
            for chosen in data.routes(j):
                where = {t: (int(inst.options.device[o]), 0) for t, o in chosen.items()}
                cost = data.cost(chosen, where)
                if cost is not None and data.allowed(j, cost):
                    self.routes.append((j, chosen, cost))
        self.programs = 0

    def optimum(self) -> tuple[float, ...] | None:
        data = self.data
        names = data.instance.objective
        must = {j for j in range(data.n_jobs) if data.least_share[j] > 0}
        if not must <= {j for j, _, _ in self.routes}:
            # A job that nothing can serve makes the work infeasible, also at a throughput of 0.
            return None
        fleets = self._fleets()
        held: list[float] = []
        for _ in names:
            value = self._level(fleets, held)
            if value is None:
                return None
            held.append(value)
        return tuple(held)

    def _fleets(self) -> list[Fleet]:
        """All fleets worth trying, the cheapest first."""
        data = self.data
        limits = data.instance.limits
        result = []
        for combination in itertools.product(*(set(data.fleets(d)) for d in range(data.wide))):
            fleet = Fleet(*zip(*combination, strict=True))
            idle = data.idle_w(fleet.on, fleet.had)
            cost = data.rent_per_s(fleet.had) + data.idle_paid(fleet.on, fleet.had, "cost")
            if any(
                data.unit_least[d] and fleet.work[d] and not fleet.serves[d]
                for d in range(data.wide)
            ):
                continue
            fits = idle <= limits.power_cap_w * (1 + 1e-12) and cost <= limits.budget_per_s + 1e-12
            if fits and data.shares_hold(fleet.on, fleet.had):
                result.append(fleet)
        return sorted(
            result,
            key=lambda f: (
                data.idle_w(f.on, f.had) + data.rent_per_s(f.had),
                f.on,
                f.had,
                f.serves,
            ),
        )

    def _level(self, fleets: list[Fleet], held: list[float]) -> float | None:
        """Best value of the next objective with the earlier ones held."""
        name = self.data.instance.objective[len(held)]
        sign = -1.0 if is_maximised(name) else 1.0
        best = math.inf
        for fleet in fleets:
            loose = Choice(fleet, self._loose(fleet))
            # Without packings it is a relaxation: nothing to gain below it.
            value = self._solve(loose, held)
            if value is None or sign * value >= best - 1e-12 * max(1.0, abs(best)):
                continue
            if not any(self.data.named) and not self.data.instance.devices.exclusive.any():
                best = sign * value
                continue
            for servers in self._packings(fleet):
                value = self._solve(Choice(fleet, servers), held)
                if value is not None:
                    best = min(best, sign * value)
        return None if math.isinf(best) else sign * best

    def _loose(self, fleet: Fleet) -> list[Server]:
        everyone = frozenset(range(self.data.n_jobs))
        return [
            Server(d, n * self.data.unit_capacity[d], everyone, least=n * self.data.unit_least[d])
            for d, n in enumerate(fleet.work)
            if n > 0 and fleet.serves[d]
        ]

    def _packings(self, fleet: Fleet) -> Iterator[list[Server]]:
        """Return every way to give units on to jobs and weights."""
        per_device = [
            self._device_packings(d, n if fleet.serves[d] else 0) for d, n in enumerate(fleet.work)
        ]
        pools = self.data.instance.pools
        pool_of = self.data.instance.devices.pool
        for combination in itertools.product(*per_device):
            servers = [s for group in combination for s in group]
            use = [0.0] * len(pools)
            for s in servers:
                if pool_of[s.device] >= 0:
                    use[pool_of[s.device]] += s.use_b
            if all(u <= pools.memory_b[p] + 1e-9 for p, u in enumerate(use)):
                yield servers

    def _device_packings(self, d: int, n: int) -> list[list[Server]]:
        data = self.data
        devices, options = data.instance.devices, data.instance.options
        jobs = range(data.n_jobs)
        everyone = frozenset(jobs)
        capacity, low = data.unit_capacity[d], data.unit_least[d]
        if n == 0:
            return [[]]
        if not data.named[d]:
            if not devices.exclusive[d]:
                return [[Server(d, n * capacity, everyone, least=n * low)]]
            return [
                [
                    Server(d, k * capacity, frozenset([j]), least=k * low)
                    for j, k in enumerate(parts)
                    if k
                ]
                for parts in itertools.product(range(n + 1), repeat=data.n_jobs)
                if sum(parts) == n
            ]
        served = {
            o
            for _, chosen, _ in self.routes
            for o in chosen.values()
            if int(options.device[o]) == d
        }
        sizes = {
            int(options.weights_key[o]): float(options.weights_b[o])
            for o in served
            if options.weights_key[o] >= 0
        }
        slots = int(devices.slots[d])
        kinds = [Server(d, capacity, frozenset(), frozenset(), -1.0, 0.0)]
        owners = [frozenset([j]) for j in jobs] if devices.exclusive[d] else [everyone]
        for count in range(len(sizes) + 1):
            for keys in itertools.combinations(sorted(sizes), count):
                for working in sorted({float(options.memory_b[o]) for o in served}):
                    use = sum(sizes[k] for k in keys) + slots * working
                    if use <= devices.memory_b[d] + 1e-9:
                        kinds += [
                            Server(d, capacity, owner, frozenset(keys), working, use)
                            for owner in owners
                        ]
        if devices.pool[d] < 0:
            kinds = [a for a in kinds if not any(_covers(b, a) for b in kinds)]
        pinned = ((data.instance.tasks.pin_device == d) & (data.instance.tasks.pin_unit >= 0)).any()
        if len(kinds) ** n > 3 * MOST_PROGRAMS:
            raise TooHardError
        ways = (
            itertools.product(kinds, repeat=n)
            if pinned
            else itertools.combinations_with_replacement(kinds, n)
        )
        return [
            [
                Server(s.device, s.capacity, s.jobs, s.keys, s.working_b, s.use_b, u, low)
                for u, s in enumerate(way)
            ]
            for way in ways
        ]

    def _solve(self, choice: Choice, held: list[float]) -> float | None:
        """LP over rates (requests/s); returns the value of the next objective."""
        self.programs += 1
        data = self.data
        if self.programs > (MOST_EXACT if data.exact else MOST_PROGRAMS):
            raise TooHardError
        inst, limits = data.instance, data.instance.limits
        columns = list(self._columns(choice.servers))
        n = len(columns)
        level = inst.objective[len(held)]
        fleet = choice.fleet
        idle, rent = data.idle_w(fleet.on, fleet.had), data.rent_per_s(fleet.had)
        # Columns are scaled to shares of the job's demand; the last variable is θ.
        scale = np.array([data.rate[j] for j, _, _ in columns])
        upper, limit = [], []

        def row(values, bound: float) -> None:
            upper.append([*values, 0.0])
            limit.append(bound + data.slack * abs(bound))

        for k, server in enumerate(choice.servers):
            busy = [
                c.busy.get((server.device, 0), 0.0) if k in used else 0.0 for _, c, used in columns
            ]
            row(scale * busy / server.capacity if n else [], 1.0)
            if server.least > 0:
                low = server.least / server.capacity
                row(-scale * busy / server.capacity if n else [], -low)
        for shares, channels in self._links(columns, choice.fleet.work):
            if any(math.isinf(s) for s in shares):
                # A link without capacity: what uses it is cut off.
                bad = [1.0 if math.isinf(s) else 0.0 for s in shares]
                row(bad, 0.0)
                continue
            row(scale * np.array(shares) if n else [], channels)
        for key, supply in data.supplies():
            taken = np.array([c.uses.get(key, 0.0) for _, c, _ in columns])
            row(scale * taken / supply if n else [], 1.0)
        dynamic = np.array([c.energy_j for _, c, _ in columns]) * scale
        paid = {
            name: np.array([c.paid[name] for _, c, _ in columns]) * scale
            for name in ("cost", "carbon")
        }
        still = {name: data.idle_paid(fleet.on, fleet.had, name) for name in paid}
        if math.isfinite(limits.power_cap_w):
            row(dynamic, limits.power_cap_w - idle)
        if math.isfinite(limits.budget_per_s):
            row(paid["cost"], limits.budget_per_s - rent - still["cost"])
        accuracy = np.zeros(n)
        total = sum(float(inst.jobs.weight[j]) for j in range(data.n_jobs) if data.stated[j])
        for i, (j, cost, _) in enumerate(columns):
            if data.stated[j] and total > 0:
                accuracy[i] = float(inst.jobs.weight[j]) / total * cost.accuracy
        terms = {
            "throughput": (np.zeros(n), sum(data.rate), 0.0),
            "power": (dynamic, 0.0, idle),
            "cost": (paid["cost"], 0.0, rent + still["cost"]),
            "carbon": (paid["carbon"], 0.0, still["carbon"]),
            "accuracy": (accuracy, 0.0, 0.0),
        }
        worth = [float(inst.jobs.value[j]) for j, _, _ in columns]
        terms["value"] = (scale * np.array(worth) if n else np.zeros(0), 0.0, 0.0)
        theta = (0.0, None) if data.throughput else (1.0, 1.0)
        for name, value in zip(inst.objective, held, strict=False):
            weights, per_theta, constant = terms[name]
            slack = HELD * max(abs(value), 1e-300)
            sign = -1.0 if is_maximised(name) else 1.0
            if name == "throughput":
                low = max(0.0, (value - slack) / per_theta)
                theta = (low, low) if level == "accuracy" else (low, None)
                continue
            # Where nothing has a route there is no weight to scale by.
            size = float(np.abs(weights).max(initial=0.0)) or 1.0
            bound = sign * (value - constant) + slack
            row(sign * weights / size, bound / size)
        if level == "accuracy" and theta[1] is not None and theta[0] > 0:
            terms["accuracy"] = (accuracy / theta[0], 0.0, 0.0)
        served = np.zeros((data.n_jobs, n + 1))
        for i, (j, _, _) in enumerate(columns):
            served[j, i] = 1.0
        served[:, n] = -1.0
        if data.worth:
            for j in range(data.n_jobs):
                row(served[j, :n], 1.0)
                row(-served[j, :n], -data.least_share[j])
            served = np.zeros((0, n + 1))
        weights, per_theta, constant = terms[level]
        sign = -1.0 if is_maximised(level) else 1.0
        size = max(1e-300, float(np.abs(weights).max(initial=0.0)), per_theta)
        cost = sign * np.append(weights, per_theta) / size
        slices = self._slices([c for _, c, _ in columns])
        if data.exact:
            if slices or n > MOST_COLUMNS:
                raise TooHardError
            x = _in_fractions(cost, upper, limit, served, theta)
        else:
            x = _minimum(cost, upper, limit, served, theta, slices)
        return None if x is None else float(weights @ x[:n] + per_theta * x[n] + constant)

    def _slices(self, columns: list[Cost]) -> list[tuple[list[int], int]]:
        """Return the columns of each route of a job with slices, and the number of them."""
        slices = self.data.instance.jobs.slices
        return [
            ([i for i, cost in enumerate(columns) if cost is mine], int(slices[j]))
            for j, _, mine in self.routes
            if slices[j] > 0
        ]

    def _columns(self, servers: list[Server]) -> Iterator[tuple[int, Cost, frozenset[int]]]:
        """Return every route on every choice of servers that may serve it."""
        inst = self.data.instance
        options = inst.options
        for j, chosen, cost in self.routes:
            by_device: dict[int, list[int]] = {}
            for t, o in chosen.items():
                by_device.setdefault(int(options.device[o]), []).append(t)
            ways = []
            for d, tasks in by_device.items():
                able = []
                for k, server in enumerate(servers):
                    if server.device != d or j not in server.jobs:
                        continue
                    keys = {int(options.weights_key[chosen[t]]) for t in tasks} - {-1}
                    working = max(float(options.memory_b[chosen[t]]) for t in tasks)
                    pins = {int(inst.tasks.pin_unit[t]) for t in tasks} - {-1}
                    fits = server.keys is None or (
                        keys <= server.keys and working <= server.working_b
                    )
                    if fits and (server.unit < 0 or pins <= {server.unit}):
                        able.append(k)
                ways.append(able)
            for combination in itertools.product(*ways):
                yield j, cost, frozenset(combination)

    def _links(self, columns, on) -> Iterator[tuple[list[float], float]]:
        links = self.data.instance.links
        groups: dict[tuple[int, int], list[int]] = {}
        for k in range(len(links)):
            g = int(links.channel_group[k])
            groups.setdefault((g, -1) if g >= 0 else (-1, k), []).append(k)
        for (g, _), members in groups.items():
            shares = []
            for _, cost, _ in columns:
                share = 0.0
                for k in members:
                    share += _share(links, k, cost.link_b.get(k, 0.0), on)
                shares.append(share)
            if any(shares):
                yield shares, float(links.group_channels[g]) if g >= 0 else 1.0


def _minimum(cost, upper, limit, served, theta, slices) -> np.ndarray | None:
    """Minimise over shares and θ; sums of the columns of ``slices`` are whole numbers of parts."""
    from scipy.optimize import linprog

    n, k = len(cost), len(slices)
    wide = np.zeros((k, n + k))
    for i, (members, parts) in enumerate(slices):
        wide[i, members] = parts
        wide[i, n + i] = -1.0

    def solve(bounds, integrality):
        found = linprog(
            np.append(cost, np.zeros(k)),
            A_ub=np.pad(np.array(upper), ((0, 0), (0, k))) if upper else None,
            b_ub=np.array(limit) if limit else None,
            A_eq=np.vstack([np.pad(served, ((0, 0), (0, k))), wide]),
            b_eq=np.zeros(len(served) + k),
            bounds=bounds,
            integrality=integrality,
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if found.status == 3:
            raise TooHardError
        return found.x if found.status == 0 else None

    free = [(0.0, None)] * (n - 1) + [theta]
    if not k:
        return solve(free, None)
    whole = solve(free + [(0.0, parts) for _, parts in slices], [0] * n + [1] * k)
    if whole is None:
        return None
    # An integer program is solved to coarse tolerances, a linear one to fine ones.
    x = solve(free + [(round(v), round(v)) for v in whole[n:]], None)
    return None if x is None else x[:n]


def _in_fractions(cost, upper, limit, served, theta) -> np.ndarray | None:
    """Minimise over shares and θ without tolerances."""
    n = len(cost)
    low, high = theta
    last = [0.0] * (n - 1)
    more, right = [[*last, -1.0]], [-low]
    if high is not None:
        more, right = [*more, [*last, 1.0]], [*right, high]
    try:
        x = exact_minimum(
            cost, [*upper, *more], [*limit, *right], served.tolist(), [0.0] * len(served)
        )
    except ArithmeticError:
        raise TooHardError from None
    return None if x is None else np.array(x)


class _Single:
    """One placement per job, every task on a unit."""

    def __init__(self, data: _Data) -> None:
        self.data = data

    def optimum(self) -> tuple[float, ...] | None:
        data = self.data
        sign = [-1.0 if is_maximised(n) else 1.0 for n in data.instance.objective]
        best: tuple[float, ...] | None = None
        for values in self._values():
            scored = tuple(s * v for s, v in zip(sign, values, strict=True))
            if best is None or _less(scored, best):
                best = scored
        return None if best is None else tuple(s * v for s, v in zip(sign, best, strict=True))

    def _values(self) -> Iterator[tuple[float, ...]]:
        data, inst = self.data, self.data.instance
        devices = inst.devices
        n = len(inst.tasks)
        choices = []
        for t in range(n):
            own = []
            for o in data.options(t):
                d = int(inst.options.device[o])
                most = (
                    min(data.most_units(d), n)
                    if devices.count_max[d] < 0
                    else int(devices.count_max[d])
                )
                pin = int(inst.tasks.pin_unit[t])
                most -= int(devices.spare[d]) if devices.count_max[d] >= 0 else 0
                pinned = pin + 1 if devices.spare[d] == 0 else 0
                own += [(o, d, u) for u in range(max(most, pinned)) if pin in (-1, u)]
            choices.append(own)
        if math.prod(len(c) for c in choices) > MOST_PLACEMENTS:
            raise TooHardError
        pins = zip(inst.tasks.pin_device, inst.tasks.pin_unit, strict=True)
        fixed = {int(d) for d, u in pins if u >= 0}
        for combination in itertools.product(*choices):
            fresh: dict[int, int] = {}
            canonical = True
            for _, d, u in combination:
                canonical = canonical and (d in fixed or u <= fresh.get(d, 0))
                fresh[d] = max(fresh.get(d, 0), u + 1)
            if canonical:
                yield from self._placed(combination, fresh)

    def _placed(self, combination, fresh) -> Iterator[tuple[float, ...]]:
        """Values of one placement, for every number of units on that it allows."""
        data, inst = self.data, self.data.instance
        devices, options = inst.devices, inst.options
        chosen = {t: c[0] for t, c in enumerate(combination)}
        where = {t: (c[1], c[2]) for t, c in enumerate(combination)}
        if any(len({where[int(t)] for t in g}) > 1 for g in inst.together):
            return
        if any(len({where[int(t)] for t in g}) < len(g) for g in inst.apart):
            return
        if not all(self._in_order(j, where) for j in np.flatnonzero(inst.jobs.contiguous)):
            return
        serves: dict[tuple[int, int], set[int]] = {}
        weights: dict[tuple[int, int], dict[int, float]] = {}
        working: dict[tuple[int, int], float] = {}
        for t, u in where.items():
            serves.setdefault(u, set()).add(int(inst.tasks.job[t]))
            own = weights.setdefault(u, {})
            if options.weights_key[chosen[t]] >= 0:
                own[int(options.weights_key[chosen[t]])] = float(options.weights_b[chosen[t]])
            working[u] = max(working.get(u, 0.0), float(options.memory_b[chosen[t]]))
        if any(devices.exclusive[u[0]] and len(js) > 1 for u, js in serves.items()):
            return
        pool = [0.0] * len(inst.pools)
        for u, sizes in weights.items():
            use = sum(sizes.values()) + int(devices.slots[u[0]]) * working[u]
            if use > devices.memory_b[u[0]] + 1e-9:
                return
            if devices.pool[u[0]] >= 0:
                pool[devices.pool[u[0]]] += use
        if any(use > inst.pools.memory_b[p] + 1e-9 for p, use in enumerate(pool)):
            return
        costs = []
        for j in range(data.n_jobs):
            cost = data.cost({t: chosen[t] for t in data.members[j]}, where)
            if cost is None or not data.allowed(j, cost):
                return
            costs.append(cost)
        ranges = []
        for d in range(data.wide):
            low, spare = fresh.get(d, 0), int(devices.spare[d]) if d in fresh else 0
            if not devices.off_when_unused[d]:
                low = max(low, int(devices.count_min[d]) - spare)
            most = data.most_units(d) - (spare if devices.count_max[d] >= 0 else 0)
            ranges.append(range(low, (max(low, most) if inst.links.per_unit.any() else low) + 1))
        for work in itertools.product(*ranges):
            had = []
            for d, n in enumerate(work):
                spare = int(devices.spare[d]) if d in fresh else 0
                had.append(max(int(devices.count_min[d]), n + spare))
            on = [n if devices.off_when_unused[d] else had[d] for d, n in enumerate(work)]
            values = self._evaluated(costs, on, had, work)
            if values is not None:
                yield values

    def _in_order(self, job: int, where: dict[int, tuple[int, int]]) -> bool:
        """Whether the units can be put in an order along which no edge of a job goes back."""
        inst = self.data.instance
        edges = {
            (where[int(a)], where[int(b)])
            for a, b in zip(inst.edges.src, inst.edges.dst, strict=True)
            if inst.tasks.job[a] == job
        }
        left = {unit for edge in edges for unit in edge}
        while left:
            free = {u for u in left if not any(b == u and a != u and a in left for a, b in edges)}
            if not free:
                return False
            left -= free
        return True

    def _evaluated(self, costs: list[Cost], on, had, work) -> tuple[float, ...] | None:
        data, inst = self.data, self.data.instance
        limits, devices = inst.limits, inst.devices
        if any(0 <= devices.count_max[d] < had[d] for d in range(data.wide)):
            return None
        idle, rent = data.idle_w(on, had), data.rent_per_s(had)
        still = {name: data.idle_paid(on, had, name) for name in ("cost", "carbon")}
        paid = dict.fromkeys(still, 0.0)
        load: dict[tuple[int, int], float] = {}
        shares: dict[tuple[int, int], float] = {}
        dynamic = 0.0
        for j, cost in enumerate(costs):
            for u, busy in cost.busy.items():
                load[u] = load.get(u, 0.0) + data.rate[j] * busy
            for k, size in cost.link_b.items():
                g = int(inst.links.channel_group[k])
                key = (g, -1) if g >= 0 else (-1, k)
                shares[key] = shares.get(key, 0.0) + data.rate[j] * _share(
                    inst.links, k, size, work
                )
            dynamic += data.rate[j] * cost.energy_j
            for name in paid:
                paid[name] += data.rate[j] * cost.paid[name]
        ratios = [data.unit_capacity[u[0]] / busy for u, busy in load.items() if busy > 0]
        for (g, _), share in shares.items():
            if share > 0:
                channels = float(inst.links.group_channels[g]) if g >= 0 else 1.0
                ratios.append(channels / share)
        if idle > limits.power_cap_w * (1 + 1e-12) or (
            rent + still["cost"] > limits.budget_per_s * (1 + 1e-12)
        ):
            return None
        for key, supply in data.supplies():
            taken = sum(data.rate[j] * c.uses.get(key, 0.0) for j, c in enumerate(costs))
            if taken > 0:
                ratios.append(supply / taken)
        if dynamic > 0 and math.isfinite(limits.power_cap_w):
            ratios.append((limits.power_cap_w - idle) / dynamic)
        if paid["cost"] > 0 and math.isfinite(limits.budget_per_s):
            ratios.append((limits.budget_per_s - rent - still["cost"]) / paid["cost"])
        theta = 1.0
        if data.throughput:
            if not ratios:
                raise TooHardError
            theta = min(ratios) * (1 + data.slack)
        elif min(ratios, default=math.inf) < 1 - (data.slack or 1e-9):
            return None
        for d, n in enumerate(work):
            low = data.unit_least[d] * (1 - (data.slack or 1e-9))
            if low > 0 and any(theta * load.get((d, u), 0.0) < low for u in range(n)):
                return None
        power = idle + theta * dynamic
        stated = [j for j in range(data.n_jobs) if data.stated[j]]
        weight = sum(float(inst.jobs.weight[j]) for j in stated)
        mean = sum(float(inst.jobs.weight[j]) * costs[j].accuracy for j in stated)
        values = {
            "throughput": theta * sum(data.rate),
            "power": power,
            "cost": rent + still["cost"] + theta * paid["cost"],
            "carbon": still["carbon"] + theta * paid["carbon"],
            "accuracy": mean / weight if weight else math.nan,
        }
        return tuple(values[name] for name in inst.objective)


def _share(links, k: int, size_b: float, on) -> float:
    """Part of the link's bandwidth that so many bytes per second take."""
    if size_b == 0 or math.isinf(links.bandwidth_b_per_s[k]):
        return 0.0
    units = on[int(links.src[k])] if links.per_unit[k] else 1
    return size_b / (float(links.bandwidth_b_per_s[k]) * units) if units else math.inf


def _covers(big: Server, small: Server) -> bool:
    """Whether a unit may serve all that another may, and more."""
    wider = big.jobs >= small.jobs and big.keys >= small.keys and big.working_b >= small.working_b
    return wider and (big.jobs, big.keys, big.working_b) != (
        small.jobs,
        small.keys,
        small.working_b,
    )


def _longest(latency: dict[int, Fraction], delay: dict[tuple[int, int], Fraction]) -> Fraction:
    ends: dict[int, Fraction] = {}

    def end(t: int) -> Fraction:
        if t not in ends:
            before = [end(a) + d for (a, b), d in delay.items() if b == t]
            ends[t] = latency[t] + max(before, default=Fraction(0))
        return ends[t]

    return max(end(t) for t in latency)


def _less(a, b) -> bool:
    for x, y in zip(a, b, strict=True):
        slack = HELD * max(1e-300, abs(y))
        if x < y - slack:
            return True
        if x > y + slack:
            return False
    return False
