"""What the search over placements reads and writes, as records of arrays."""

from __future__ import annotations

from typing import Any, NamedTuple


class Table(NamedTuple):
    """What does not change during a search.

    C clusters, D devices, K weights keys, N tensors, P paths, R rows, U units, W ways of all
    clusters, M units and pools. Arrays named as others with ``_ptr`` say where these begin for
    each; in compiled loops all are flat.

    ============ ============ ======================================================================
    array        shape        what
    ============ ============ ======================================================================
    sizes        4            entries DEVICES, GROUPS, JOBS, HOST
    device       U            device of a unit
    free         D × D        1: no transfer is needed between these devices
    pool         D            pool whose memory is limited, or -1
    fixed        R            what is taken of each row by nothing that moves
    taken        M            memory that is in use all the time, as a share of the limit
    per_unit     D            share of a unit's memory per byte; ``per_pool`` of a pool's
    pinned       C            unit that a cluster is pinned to, -1: none
    way_ptr      C × D + 1    ways of a cluster on a device
    way_load     W            share of a unit's time
    key_ptr      W + 1        weights keys of a way, in ``key_id``; their bytes in ``key_size``
    more_ptr     W + 1        further rows of a way, in ``more_row``; their shares ``more_share``
    apart_ptr    C + 1        groups that must be apart of a cluster, in ``apart_id``
    ten_ptr      C + 1        tensors that a cluster makes or reads, in ``ten_id``
    maker        N            cluster that makes a tensor
    read_ptr     N + 1        clusters that read it, in ``reader``
    staged       N            1: it goes through the host
    volume       N            bytes per second
    out, inn     N × D × D    share of the first and of the last unit's time that a transfer takes
    route        N × D × D    path; -1: no path, 0: nothing to pay on links
    hop_ptr      P + 1        rows of the links of a path, in ``hop_row``; share per byte
                              ``hop_share``
    near_ptr     C + 1        clusters joined by a tensor, in ``near``
    next_ptr     C + 1        edges between stages: clusters after it in ``next_id``, jobs in
                              ``next_job``; ``last_ptr``, ``last_id``, ``last_job``: before it
    ============ ============ ======================================================================
    """

    sizes: Any
    device: Any
    free: Any
    pool: Any
    fixed: Any
    taken: Any
    per_unit: Any
    per_pool: Any
    pinned: Any
    way_ptr: Any
    way_load: Any
    key_ptr: Any
    key_id: Any
    key_size: Any
    more_ptr: Any
    more_row: Any
    more_share: Any
    apart_ptr: Any
    apart_id: Any
    ten_ptr: Any
    ten_id: Any
    maker: Any
    read_ptr: Any
    reader: Any
    staged: Any
    volume: Any
    out: Any
    inn: Any
    route: Any
    hop_ptr: Any
    hop_row: Any
    hop_share: Any
    near_ptr: Any
    near: Any
    next_ptr: Any
    next_id: Any
    next_job: Any
    last_ptr: Any
    last_id: Any
    last_job: Any


class State(NamedTuple):
    """A placement and its sums; all but ``ints`` and ``reals`` are views of these.

    ===== ========= ================================================================================
    array size      what
    ===== ========= ================================================================================
    place C         unit of each cluster
    way   C         its way
    pos   J × U     position of each unit in the order of a job's stages
    count K × U     clusters on a unit that hold a weights key there
    crowd G × U     clusters on a unit of each group that must be apart
    load  R         what a request takes of each row, as a share: units first
    held  M         memory used, as a share of the limit: units first, then pools
    ===== ========= ================================================================================
    """

    ints: Any
    reals: Any
    place: Any
    way: Any
    pos: Any
    count: Any
    crowd: Any
    load: Any
    held: Any


class Room(NamedTuple):
    """What one search marks and lists things in.

    ============ ==== ==============================================================================
    array        size what
    ============ ==== ==============================================================================
    mark, stamp  U, 1 units that a tensor has been sent to already, and the mark of this one
    inside, turn C, 1 clusters on the list of those that move, and the mark of this move
    moved, many  C, 1 that list, and its length
    goal, manner C    where each goes, and its way there; after the move where it was
    swapped      2    units that change positions; -1: none
    touched      N    tensors of those that move; ``seen`` marks them
    ============ ==== ==============================================================================
    """

    mark: Any
    stamp: Any
    inside: Any
    turn: Any
    moved: Any
    many: Any
    goal: Any
    manner: Any
    swapped: Any
    touched: Any
    seen: Any
