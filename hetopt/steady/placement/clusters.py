"""Tasks that any placement of ``routing: single`` puts on one unit, and the order of stages.

``together`` groups share a unit. Where a job is ``contiguous``, the units can be put in an order
along which no edge between its forward tasks goes back; clusters on a cycle of such edges share a
unit then, so that the edges between clusters have no cycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Bools, Instance, Ints
from hetopt.instance.grouping import ptr_of


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters in the order of their first tasks.

    Attributes
    ----------
    of_task
        Cluster of each task.
    members
        Tasks of each cluster, ascending.
    jobs
        Number of jobs of the instance.
    next_ptr, next_id, next_job
        Clusters that come after each cluster, and in which job, where stages are in order.
    last_ptr, last_id, last_job
        Clusters that come before it.
    """

    of_task: Ints
    members: list[list[int]]
    jobs: int
    next_ptr: Ints
    next_id: Ints
    next_job: Ints
    last_ptr: Ints
    last_id: Ints
    last_job: Ints

    def __len__(self) -> int:
        return len(self.members)


def clusters_of(instance: Instance, *, pipeline: bool = False) -> Clusters:
    """Return the clusters of an instance.

    Parameters
    ----------
    pipeline
        Every job counts as contiguous, and clusters of backward tasks alone stand in the order
        too, along the reverse of their edges: a gradient comes back the way its input went.
    """
    root = np.arange(len(instance.tasks))
    for group in instance.together:
        for task in group[1:].tolist():
            _unite(root, int(group[0]), task)
    if pipeline:
        src, dst = _pipeline_edges(instance, root)
    else:
        ordered = ordered_edges(instance)
        src, dst = instance.edges.src[ordered], instance.edges.dst[ordered]
    if len(src):
        _unite_cycles(root, src, dst)
    top = np.array([_find(root, t) for t in range(len(root))], dtype=np.int64)
    first, of_task = np.unique(top, return_inverse=True)
    members: list[list[int]] = [[] for _ in range(len(first))]
    for t, c in enumerate(of_task.tolist()):
        members[c].append(t)
    a, b, j = of_task[src], of_task[dst], instance.tasks.job[src]
    keep = a != b
    pairs = np.unique(np.stack([a[keep], b[keep], j[keep]], axis=1), axis=0)
    after = _csr(pairs[:, 0], pairs[:, 1], pairs[:, 2], len(first))
    before = _csr(pairs[:, 1], pairs[:, 0], pairs[:, 2], len(first))
    return Clusters(of_task.astype(np.int64), members, len(instance.jobs), *after, *before)


def ordered_edges(instance: Instance) -> Bools:
    """Whether each edge joins two forward tasks of a contiguous job (length E)."""
    contiguous = instance.jobs.contiguous[instance.tasks.job]
    forward = contiguous & ~instance.tasks.backward
    src, dst = instance.edges.src, instance.edges.dst
    same = instance.tasks.job[src] == instance.tasks.job[dst]
    return np.asarray(same & forward[src] & forward[dst])


def backward_alone(instance: Instance, clusters: Clusters) -> Bools:
    """Whether each cluster has no forward task (length C)."""
    forward = np.bincount(clusters.of_task, ~instance.tasks.backward, len(clusters))
    return np.asarray(forward == 0)


def _pipeline_edges(instance: Instance, root: Ints) -> tuple[Ints, Ints]:
    """Edges between forward tasks, and reversed ones from or to backward tasks alone."""
    src, dst = instance.edges.src, instance.edges.dst
    top = np.array([_find(root, t) for t in range(len(root))], dtype=np.int64)
    alone = np.bincount(top, ~instance.tasks.backward, len(top))[top] == 0
    same = instance.tasks.job[src] == instance.tasks.job[dst]
    back = instance.tasks.backward
    forward = same & ~back[src] & ~back[dst]
    mirrored = same & back[src] & back[dst] & (alone[src] | alone[dst])
    return (
        np.concatenate([src[forward], dst[mirrored]]),
        np.concatenate([dst[forward], src[mirrored]]),
    )


def _csr(key: Ints, other: Ints, job: Ints, count: int) -> tuple[Ints, Ints, Ints]:
    order = np.argsort(key, kind="stable")
    ptr = ptr_of(np.bincount(key, minlength=count))
    return ptr, other[order].astype(np.int64), job[order].astype(np.int64)


def _unite_cycles(root: Ints, src: Ints, dst: Ints) -> None:
    """Unite the clusters of each strongly connected component."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    top = np.array([_find(root, t) for t in range(len(root))])
    ones = np.ones(len(src))
    graph = coo_matrix((ones, (top[src], top[dst])), shape=(len(root), len(root)))
    _, label = connected_components(graph, directed=True, connection="strong")
    first: dict[int, int] = {}
    for t in range(len(root)):
        if top[t] == t:
            _unite(root, first.setdefault(int(label[t]), t), t)


def _find(root: Ints, t: int) -> int:
    while root[t] != t:
        root[t] = root[root[t]]
        t = int(root[t])
    return t


def _unite(root: Ints, a: int, b: int) -> None:
    """Unite two sets; the smaller index stays the root."""
    a, b = _find(root, a), _find(root, b)
    root[max(a, b)] = min(a, b)
