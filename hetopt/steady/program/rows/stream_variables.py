"""The variables of the program of streams: shares and flows of routes, units that serve, on, had.

Families of rows are functions of them, in the modules beside this one
(:mod:`hetopt.steady.program.formulation` names them all).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pulp

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import NO_MAXIMUM, Instance
from hetopt.steady.model.capacity import least_load, memory_limited, scales_links, unit_capacity
from hetopt.steady.program.question import Joint, Question
from hetopt.steady.program.rows.boards import BoardUnits, Counted
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes


class StreamVariables:
    """The variables of one instance, or of one scenario of it, and the way to add rows over them.

    Parameters
    ----------
    shrink, most, joint
        As for :class:`hetopt.steady.program.formulation.SteadyModel`.

    Attributes
    ----------
    share, flow, count, slices
        y by route; f by route and kind of unit, where several kinds serve; n by kind; c by route.
    work, on, had, spared
        v, u, h and s by device: variables, or numbers where nothing sees how many there are.
    serving
        Kinds of unit that serve a route on a device.
    """

    boards: BoardUnits

    def __init__(
        self,
        instance: Instance,
        routes: Routes,
        kinds: list[UnitKind],
        *,
        shrink: float = 0.0,
        most: float | None = None,
        joint: Joint | None = None,
    ) -> None:
        self.instance, self.routes, self.kinds = instance, routes.routes, kinds
        self.of_job = routes.of_job
        self.prefix = joint.prefix if joint else ""
        self.price_at = joint.price if joint else ""
        self.blank = joint.blank if joint else frozenset[int]()
        self.kept = joint.kept if joint else frozenset[int]()
        self.question = joint.question if joint else Question.of(instance)
        self.keep = 1.0 - shrink
        self.most = most if self.question.throughput else 1.0
        self.incomplete = False
        self.capacity = unit_capacity(instance)
        self.least = least_load(instance)
        self.limited = memory_limited(instance)
        counted = Counted.of(instance, self.question)
        self.carries = counted.units_on(instance), counted.units_had(instance)
        self.rate = [float(r) for r in instance.jobs.rate_per_s]
        self.unit = joint.unit if joint else self.throughput_unit()
        self.problem: Any = joint.problem if joint else pulp.LpProblem("steady", pulp.LpMinimize)
        self.theta: Any = joint.theta if joint else None
        self.kinds_of: dict[int, list[int]] = {}
        for k, kind in enumerate(kinds):
            self.kinds_of.setdefault(kind.device, []).append(k)
        self.share: list[Any] = []
        self.flow: dict[tuple[int, int], Any] = {}
        self.count: list[Any] = []
        self.slices: dict[int, Any] = {}
        self.work: dict[int, Any] = {}
        self.on: dict[int, Any] = {}
        self.had: dict[int, Any] = {}
        self.spared: dict[int, Any] = {}
        self.serving: dict[tuple[int, int], list[int]] = {}
        self._variables()

    def route_rate(self, route: int) -> float:
        """Return the requests per second of a route whose share is 1."""
        return self.rate[self.routes[route].job] * self.unit

    def part(self, route: int, kind: int) -> Any:
        """Return the variable of the part of a route that units of a kind serve."""
        return self.flow.get((route, kind), self.share[route])

    def plain(self, device: int) -> bool:
        """Whether one count of units says all about a device: any unit on serves anything.

        Not where a pool's memory is limited: a unit that is on without serving takes none of it.
        Nor where loading weights counts, which a unit that is on without them spares.
        """
        kinds = self.kinds_of.get(device, [])
        pool = int(self.instance.devices.pool[device])
        pooled = pool >= 0 and bool(np.isfinite(self.instance.pools.memory_b[pool]))
        single = len(kinds) == 1 and self.kinds[kinds[0]].unit < 0
        return single and not pooled and device not in self.blank

    def throughput_unit(self) -> float:
        """θ that keeps about one unit busy, so that the scaled θ counts busy units; else 1."""
        if not self.question.throughput:
            return 1.0
        needed = 0.0
        for job, mine in enumerate(self.of_job):
            least = [
                sum(b / max(self.capacity[d], 1e-12) for d, b in self.routes[r].busy_s.items())
                for r in mine
            ]
            # A job without a route serves nothing, as its row of demand says.
            needed += self.rate[job] * min(least, default=0.0)
        return 1.0 / needed if needed > 0 else 1.0

    def variable(
        self, name: str, low: float, high: float | None = None, category: str = "Continuous"
    ) -> Any:
        """Add a variable."""
        return self.problem.add_variable(f"{self.prefix}{name}", low, high, category)

    def add_row(self, constraint: Any, name: str) -> None:
        """Add a row; one without variables is kept only where it cannot hold."""
        name = f"{self.prefix}{name}"
        if not len(constraint):
            if not constraint.valid(LIMIT_TOLERANCE):
                self.problem.addConstraint(self.variable(f"never_{name}", 0, 0) >= 1, name)
            return
        self.problem.addConstraint(constraint, name)

    def _variables(self) -> None:
        self.share = [self.variable(f"y_{r}", 0) for r in range(len(self.routes))]
        if not self.routes:
            # Where nothing need be served there may be no route, and solvers want a variable.
            self.add_row(self.variable("nothing", 0, 0) <= 0, "nothing")
        if not self.question.throughput:
            self.theta = 1.0
        elif self.theta is None:
            self.theta = self.variable("theta", 0)
        self.theta_fixed = 0.0 if self.question.throughput else 1.0
        for device in range(len(self.instance.devices)):
            self._unit_variables(device)
        for k, kind in enumerate(self.kinds):
            if self.plain(kind.device):
                self.count.append(self.work[kind.device])
            else:
                most = 1 if kind.unit >= 0 else self.count_max(kind.device)
                self.count.append(self.variable(f"n_{k}", 0, most, "Integer"))
        for k, kind in enumerate(self.kinds):
            for r in kind.routes:
                self.serving.setdefault((r, kind.device), []).append(k)
        for (r, _), serving in self.serving.items():
            if len(serving) > 1:
                self.flow.update({(r, k): self.variable(f"f_{r}_{k}", 0) for k in serving})

    def _unit_variables(self, device: int) -> None:
        """Units that serve, on and had; constants where nothing sees how many there are."""
        devices = self.instance.devices
        least, most = int(devices.count_min[device]), self.count_max(device)
        spare = int(devices.spare[device]) if device in self.kinds_of else 0
        always = not devices.off_when_unused[device]
        shares = set(self.instance.kind_shares.of.tolist())
        price = devices.price_per_s[device] > 0
        on_counts = (self.question.power and devices.idle_power_w[device] > 0) or "units" in shares
        on_counts = on_counts or self.question.switching or bool(self.carries[0][device])
        had_counts = price and (self.question.price or "price" in shares)
        had_counts = had_counts or bool(self.carries[1][device])
        fixed = least == most
        shared = "units" in shares or (bool(price) and "price" in shares)
        kept = device in self.kept and not self.least[device] > 0
        unused = device not in self.kinds_of and not kept
        if unused and not scales_links(self.instance, device) and not shared:
            self.on[device] = self.work[device] = least if always else 0
            self.had[device] = least
            return
        # More units on than needed do no harm, unless each of them must be busy.
        free = not on_counts and (fixed or not had_counts) and not self.least[device] > 0
        if most is not None and (free or (always and fixed)):
            self.on[device] = self.had[device] = most
            self.work[device] = max(0, most - spare)
            if spare and scales_links(self.instance, device):
                self.spared[device] = self.variable(f"s_{device}", 0, 1, "Integer")
            return
        # Where kinds are counted, u settles at their sum: it may be continuous.
        counted = not self.plain(device) and not scales_links(self.instance, device)
        # Not where starts count too, of which only so many may be made.
        whole = shares or self.question.switching
        category = "Continuous" if counted and not whole else "Integer"
        units = "Integer" if shares else "Continuous"
        low = least if always and not spare else 0
        # For a share of units on, or to save starts, a device that serves nothing may have all of
        # its units on.
        idle = "units" in shares or self.question.switching
        serving = most if most is None or idle else max(0, most - spare)
        self.work[device] = self.variable(f"u_{device}", low, serving, category)
        self.on[device] = self.work[device]
        self.had[device] = self.work[device] if always else least
        if spare:
            self.spared[device] = self.variable(f"s_{device}", 0, 1, "Integer")
        # Continuous: it settles at the larger of what is needed and the minimum, an integer.
        if always and spare:
            self.had[device] = self.variable(f"h_{device}", least, most, units)
            self.on[device] = self.had[device]
        elif had_counts and not always and not fixed:
            self.had[device] = self.variable(f"h_{device}", least, most, units)

    def count_max(self, device: int) -> int | None:
        """Return the most units of a device, None where there is no maximum."""
        most = int(self.instance.devices.count_max[device])
        return None if most == NO_MAXIMUM else most
