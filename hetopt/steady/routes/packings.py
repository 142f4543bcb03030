"""Kinds of unit: what one unit of a device may serve, given its memory and exclusiveness.

With memory limits aggregate load per device is not enough: loads 1.5 and 0.5 of two models on two
units that hold one model each cannot be served (docs/quantities.md). Instead of deciding the
contents of every single unit, which leaves identical units interchangeable, the model counts units
per *kind*: a set of weights that fits in one unit together with the working memory of what it runs.
Only packings that cannot take another model matter, unless a pool's memory is shared, where a
smaller packing leaves room for other units.

On an ``exclusive`` device a kind belongs to one job. A unit that a pin names is a kind of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.steady.model.capacity import memory_limited, weights_matter
from hetopt.steady.routes.route import Route

MAX_KINDS = 5_000
"""Kinds of unit per device up to which they are listed: as many integers as a MIP bears."""

FEW_KINDS = 300
"""Packings per device of which a plan is made where there are too many to list."""

ROUNDING = 1e-12
"""Relative room for the rounding of a sum of bytes."""

Keys = frozenset[int]


class TooManyPackingsError(InputError):
    """More sets of weights fit into a unit than are listed."""


@dataclass(frozen=True, slots=True)
class UnitKind:
    """What the units of one kind may serve.

    Attributes
    ----------
    routes
        Routes whose tasks on ``device`` such a unit may run, ascending.
    keys
        Weights that it holds, ascending.
    memory_b
        Memory that it takes: weights, and ``slots`` × the largest working memory.
    unit
        The one unit that may be of this kind (a pin names it), -1 for any.
    job
        The one job that it serves where the device is exclusive, -1 for any.
    """

    device: int
    routes: tuple[int, ...]
    keys: tuple[int, ...] = ()
    memory_b: float = 0.0
    unit: int = -1
    job: int = -1


@dataclass(frozen=True, slots=True)
class _Need:
    """What serving a route takes of a unit."""

    keys: Keys
    working_b: float


def unit_kinds(instance: Instance, routes: Sequence[Route], *, few: bool = False) -> list[UnitKind]:
    """List the kinds of unit of every device that some route uses, in a fixed order.

    Parameters
    ----------
    few
        Where there are too many, list some of them, with each route's weights alone among them.

    Raises
    ------
    TooManyPackingsError
        Where a device has more than ``MAX_KINDS`` of them.
    """
    limited = memory_limited(instance)
    users: dict[int, list[int]] = {}
    for r, route in enumerate(routes):
        for device in route.busy_s:
            users.setdefault(device, []).append(r)
    kinds: list[UnitKind] = []
    for device in sorted(users):
        own: list[UnitKind] = []
        exclusive = bool(instance.devices.exclusive[device])
        by_job: dict[int, list[int]] = {}
        for r in users[device]:
            by_job.setdefault(routes[r].job if exclusive else -1, []).append(r)
        for job, members in sorted(by_job.items()):
            if limited[device]:
                packed = _packed(instance, device, members, routes, few)
                own.extend(replace(kind, job=job) for kind in packed)
            else:
                own.append(UnitKind(device, tuple(members), job=job))
        kinds.extend(_with_pins(device, own, routes))
    return kinds


def _packed(
    instance: Instance, device: int, members: Sequence[int], routes: Sequence[Route], few: bool
) -> list[UnitKind]:
    """Kinds of unit of a device with a memory limit, for some of its routes."""
    devices = instance.devices
    room = float(devices.memory_b[device])
    pool = int(devices.pool[device])
    pooled = pool >= 0 and bool(np.isfinite(instance.pools.memory_b[pool]))
    if pooled:
        room = min(room, float(instance.pools.memory_b[pool]))
    # What is loaded as a period begins depends on all that a unit holds, so a smaller set may be
    # the better one, and a part of what a route needs worth keeping.
    weighed = bool(weights_matter(instance)[device])
    every = pooled or weighed
    needs = {
        r: _Need(frozenset(routes[r].keys.get(device, ())), routes[r].working_b.get(device, 0.0))
        for r in members
    }
    size = _key_sizes(instance)
    slots = int(devices.slots[device])
    found: list[tuple[Keys, float]] = []
    for working in sorted({n.working_b for n in needs.values()}):
        space = room * (1 + ROUNDING) - slots * working
        if space < 0:
            continue
        wanted = sorted({tuple(sorted(n.keys)) for n in needs.values() if n.working_b <= working})
        if weighed:
            # Also what needs more working memory to be served may be held.
            held = {(key,) for need in needs.values() for key in need.keys}
            wanted = sorted({*wanted, *held})
        lists = _Packer([frozenset(w) for w in wanted], size, space, str(devices.name[device]))
        try:
            packs = lists.all() if every else lists.maximal()
        except TooManyPackingsError:
            if not few:
                raise
            packs = lists.some(every)
        found.extend((pack, working) for pack in packs)
    if not pooled:
        found = _undominated(found, same=weighed)
    kinds = []
    for keys, working in found:
        serves = tuple(
            r for r in members if needs[r].keys <= keys and needs[r].working_b <= working
        )
        if serves:
            taken = sum(size[k] for k in keys) + slots * working
            kinds.append(UnitKind(device, serves, tuple(sorted(keys)), taken))
    return kinds


class _Packer:
    """Unions of needed key sets that fit into a space."""

    def __init__(
        self, wanted: list[Keys], size: dict[int, float], space: float, device: str
    ) -> None:
        self.size, self.space, self.device = size, space, device
        fitting = [w for w in wanted if self._fits(w)]
        self.wanted = sorted(fitting, key=lambda w: (-self._weight(w), sorted(w)))
        self.found: dict[Keys, None] = {}

    def maximal(self) -> list[Keys]:
        """Unions that no further wanted set fits beside."""
        tails: list[Keys] = [frozenset()]
        for wanted in reversed(self.wanted):
            tails.append(tails[-1] | wanted)
        tails.reverse()
        self._grow(0, frozenset(), [], tails)
        return list(self.found)

    def all(self) -> list[Keys]:
        """All unions that fit, for pools, where a smaller one leaves room for others."""
        unions: dict[Keys, None] = {}
        for wanted in self.wanted:
            grown = [wanted, *(u | wanted for u in unions if self._fits(u | wanted))]
            unions.update(dict.fromkeys(grown))
            self._check(len(unions))
        return list(unions)

    def some(self, pooled: bool) -> list[Keys]:
        """Each wanted set alone, and sets filled up from there, in orders that differ."""
        count = len(self.wanted)
        unions: dict[Keys, None] = {}
        for k in range(FEW_KINDS):
            first, step = k % count, 1 + k // count
            held = self.wanted[first]
            if pooled or k < count:
                unions[held] = None
            for i in range(1, count):
                more = held | self.wanted[(first + i * step) % count]
                if self._fits(more):
                    held = more
            unions[held] = None
        return list(unions)

    def _grow(self, i: int, held: Keys, left_out: list[Keys], tails: list[Keys]) -> None:
        whole = held | tails[i]
        if any(self._fits(whole | out) for out in left_out):
            return
        if self._fits(whole):
            self.found[whole] = None
            self._check(len(self.found))
            return
        wanted = self.wanted[i]
        if wanted <= held:
            self._grow(i + 1, held, left_out, tails)
            return
        if self._fits(held | wanted):
            self._grow(i + 1, held | wanted, left_out, tails)
        self._grow(i + 1, held, [*left_out, wanted], tails)

    def _weight(self, keys: Keys) -> float:
        return sum(self.size[k] for k in keys)

    def _fits(self, keys: Keys) -> bool:
        return self._weight(keys) <= self.space

    def _check(self, count: int) -> None:
        if count > MAX_KINDS:
            raise TooManyPackingsError(
                f"More than {MAX_KINDS} sets of weights fit into a unit of {self.device}, too many "
                "to decide how many units hold which; forbid some models there or pin them."
            )


def _undominated(
    found: list[tuple[Keys, float]], *, same: bool = False
) -> list[tuple[Keys, float]]:
    """Drop packings that another one contains, with at least as much working memory.

    ``same``: only those that another one is, but for the working memory.
    """
    kept: list[tuple[Keys, float]] = []
    for keys, working in sorted(found, key=lambda f: (-f[1], -len(f[0]), sorted(f[0]))):
        if not any(
            (keys == other if same else keys <= other) and working <= more for other, more in kept
        ):
            kept.append((keys, working))
    return kept


def _with_pins(device: int, kinds: list[UnitKind], routes: Sequence[Route]) -> list[UnitKind]:
    """Give units that pins name kinds of their own; unnamed units serve no pinned route."""
    named = sorted(
        {routes[r].pinned[device] for k in kinds for r in k.routes if device in routes[r].pinned}
    )
    if not named:
        return kinds
    result = []
    for unit in [-1, *named]:
        for kind in kinds:
            serves = tuple(r for r in kind.routes if routes[r].pinned.get(device, unit) == unit)
            if serves:
                result.append(replace(kind, routes=serves, unit=unit))
    return result


def _key_sizes(instance: Instance) -> dict[int, float]:
    keys, sizes = instance.options.weights_key, instance.options.weights_b
    return {int(k): float(s) for k, s in zip(keys, sizes, strict=True) if k >= 0}
