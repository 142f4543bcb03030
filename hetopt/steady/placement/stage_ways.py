r"""What clusters take as part of a stage of a pipeline: fronts of load and weights, for bounds.

Of a cluster on a device the ways are the choices of an option for each of its tasks. A way counts
with its load and with the weights that a unit must hold for it, and a way stays in the front unless
another takes no more of both. Everything here errs on the side of less, so that what a search over
stages finds is never more than what a placement takes:

* a weights key that every way needs is listed apart: a stage counts it once, however many of its
  clusters need it, which is exact;
* of all other keys, one that another task could need on that device too counts as 0: it might be
  there already;
* a front of more than ``MOST_WAYS`` ways is thinned out: of two neighbours one is made, with the
  load of the faster and the weights of the leaner (:func:`thinned`);
* working memory, memory of pools and resources are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.instance.grouping import list_ptr
from hetopt.steady.model.capacity import unit_capacity
from hetopt.steady.placement.clusters import Clusters
from hetopt.steady.routes.route import usable_options

MOST_WAYS = 32
"""Ways of a cluster, or of a stage, up to which each is kept."""

Front = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class StageWays:
    """Ways of C clusters on D devices; a row c × D + d for each cell.

    Attributes
    ----------
    base, allowed
        Least load (a share of a unit's time), and whether the cluster can run there (C × D).
    ptr, more, weights
        Ways of each cell by rising load: what each takes beyond ``base``, and its weights as a
        share of a unit's memory, those of the keys below left out.
    key_ptr, key_id, key_size
        Keys that every way of a cell needs, with their sizes as shares of a unit's memory.
    """

    base: Floats
    allowed: Ints
    ptr: Ints
    more: Floats
    weights: Floats
    key_ptr: Ints
    key_id: Ints
    key_size: Floats


def stage_ways(instance: Instance, clusters: Clusters, per_unit: Floats) -> StageWays:
    """Return the ways of all clusters.

    Parameters
    ----------
    per_unit
        Share of a unit's memory that a byte of weights takes, 0 where it is unlimited (length D).
    """
    options, rate = instance.options, instance.jobs.rate_per_s
    capacity, wide = unit_capacity(instance), len(instance.devices)
    usable = [usable_options(instance, t) for t in range(len(instance.tasks))]
    users: dict[tuple[int, int], set[int]] = {}
    for t, able in enumerate(usable):
        for o in able:
            if options.weights_key[o] >= 0:
                where = int(options.device[o]), int(options.weights_key[o])
                users.setdefault(where, set()).add(t)
    base = np.zeros((len(clusters), wide))
    allowed = np.zeros((len(clusters), wide), dtype=np.int64)
    fronts: list[Front] = []
    keys: list[list[tuple[int, float]]] = []
    for c, members in enumerate(clusters.members):
        for d in range(wide):
            front: Front = [(0.0, 0.0)]
            needed: dict[int, float] = {}
            here = [[o for o in usable[t] if options.device[o] == d] for t in members]
            if all(here) and capacity[d] > 0:
                allowed[c, d] = 1
                for t, able in zip(members, here, strict=True):
                    always = set.intersection(*({int(options.weights_key[o])} for o in able)) - {-1}
                    needed |= {k: _size(instance, able, k) * float(per_unit[d]) for k in always}
                    per_s = float(rate[instance.tasks.job[t]]) * float(instance.tasks.work[t])
                    each: Front = []
                    for o in able:
                        key, own = int(options.weights_key[o]), 0.0
                        if key >= 0 and key not in always and users[d, key] == {t}:
                            own = float(options.weights_b[o]) * float(per_unit[d])
                        busy = float(options.time_s[o]) / float(options.batch[o])
                        each.append((per_s * busy / float(capacity[d]), own))
                    front = thinned(front_of((a + x, b + y) for a, b in front for x, y in each))
                base[c, d] = front[0][0]
                front = [(load - front[0][0], weights) for load, weights in front]
            fronts.append(front)
            keys.append(sorted(needed.items()))
    flat = np.array([way for front in fronts for way in front], dtype=np.float64).reshape(-1, 2)
    return StageWays(
        base=base,
        allowed=allowed,
        ptr=list_ptr(fronts),
        more=flat[:, 0].copy(),
        weights=flat[:, 1].copy(),
        key_ptr=list_ptr(keys),
        key_id=np.array([k for cell in keys for k, _ in cell], dtype=np.int64),
        key_size=np.array([size for cell in keys for _, size in cell], dtype=np.float64),
    )


def front_of(points: object) -> Front:
    """Return the points that no other point is as good as, by rising load."""
    front: Front = []
    for load, weights in sorted(points):  # type: ignore[call-overload]  # pairs of floats and tuples
        if not front or weights < front[-1][1]:
            front.append((load, weights))
    return front


def thinned(front: Front, most: int = MOST_WAYS) -> Front:
    """Return a front of at most so many points below the given one."""
    while len(front) > most:
        last = len(front) - 1
        front = [(front[i][0], front[min(i + 1, last)][1]) for i in range(0, len(front), 2)]
    return front


def _size(instance: Instance, able: list[int], key: int) -> float:
    options = instance.options
    return next(float(options.weights_b[o]) for o in able if options.weights_key[o] == key)
