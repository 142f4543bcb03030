r"""Simulated annealing over placements of streams' tasks: the loop of `search.annealing`.

A state puts every cluster (tasks that must share a unit) on a unit, in one of its ways to run
there. What a request takes of every row (a unit's time, a link, a resource), divided by the row's
limit, is kept up to date; the largest of them is 1 / θ. A move takes

- one cluster, or a connected region of clusters grown at random from one, to the unit of a
  neighbour or to any unit, from one unit or from wherever they are, or
- two clusters on different units, which change places, or
- all clusters of two units, which change places (where stages are in order).

The cost that is annealed is a norm of the rows, Σ loadᵖ to the power 1/p with p growing over the
run: it sees all large rows and the traffic between units, where the maximum alone would be blind
to most moves. Memory beyond a limit, pairs without a path and tasks that must be apart cost extra.

Where stages are contiguous, ``pos`` orders the units of each job, and along every edge between
its stages positions do not fall: a cluster that moves on takes with it what follows it and would
lie behind, and the other way round, so that every state keeps the order.

What the arrays hold stands in `search.records`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.runtime.jit import inner, jit
from hetopt.runtime.random_kernels import draw
from hetopt.steady.placement.search.records import Room, State, Table

SWAP_STAGES, SWAP, ALONE, FROM_ANYWHERE = 0.01, 0.15, 0.45, 0.9
"""Shares of moves, each from the one before on: stages change places, two clusters do, one cluster
moves, a region within a unit does; the rest are regions from anywhere."""
NEAR_UNIT, OTHER_UNIT, WIDER, SAME_WAY, ANY_WAY = 0.875, 0.75, 0.667, 0.75, 0.5
"""How often the new unit is a neighbour's, another one is drawn where it is the old one, a region
may be twice as large, a way stays on another unit of a device, a way is not the first one."""
PENALTY = 3.0
"""Cost of exceeding memory by its whole size, of a pair without a path, of a crowd of two."""
FRESH = 4096
"""Moves after which sums are made anew, as rounding adds up."""
DEVICES, GROUPS, JOBS, HOST = range(4)
"""Entries of ``sizes``."""


@inner
def copy(to: Any, of: Any) -> Any:
    """Copy floats (Numba compiles a loop far sooner than an assignment to a slice)."""
    for i in range(len(to)):
        to[i] = of[i]


@inner
def copy_ints(to: Any, of: Any) -> Any:
    """Copy integers."""
    for i in range(len(to)):
        to[i] = of[i]


@inner
def largest(load: Any) -> Any:
    """Largest of the rows, at least 0."""
    most = 0.0
    for r in range(len(load)):
        most = max(most, load[r])
    return most


@inner
def uniform(seed: Any) -> Any:
    """Next number in (0, 1)."""
    return (draw(len(seed) << 30, seed) + 0.5) / (len(seed) << 30)


@inner
def pay(n: Any, sign: Any, table: Table, state: State, mark: Any, stamp: Any) -> Any:
    """Add (or take back) what tensor n takes; return the pairs without a path."""
    sizes, device, free = (
        table.sizes,
        table.device,
        table.free,
    )
    read_ptr, reader = table.read_ptr, table.reader
    staged, route = table.staged, table.route
    hop_ptr, hop_row = table.hop_ptr, table.hop_row
    out, inn = table.out, table.inn
    volume, hop_share = table.volume, table.hop_share
    place, load = state.place, state.load
    wide, host = sizes[DEVICES], sizes[HOST]
    here = place[table.maker[n]]
    src = device[here]
    mark[here] = stamp
    bad = 0
    wrote = False
    for i in range(read_ptr[n], read_ptr[n + 1]):
        there = place[reader[i]]
        if mark[there] == stamp:
            continue
        mark[there] = stamp
        dst = device[there]
        if free[src * wide + dst] > 0:
            continue
        # A leg from unit to unit; where it is staged, one to the host and one from there.
        for leg in range(2):
            a, b = src, dst
            if staged[n] > 0:
                if leg == 0:
                    b = host
                    if wrote or src == host:
                        continue
                    wrote = True
                else:
                    a = host
                    if dst == host:
                        continue
            elif leg == 1:
                continue
            cell = (n * wide + a) * wide + b
            if staged[n] == 0 or leg == 0:
                load[here] += sign * out[cell]
            if staged[n] == 0 or leg == 1:
                load[there] += sign * inn[cell]
            path = route[cell]
            if path < 0:
                bad += 1
                continue
            for h in range(hop_ptr[path], hop_ptr[path + 1]):
                load[hop_row[h]] += sign * volume[n] * hop_share[h]
    return bad


@inner
def settle(c: Any, sign: Any, table: Table, state: State) -> Any:
    """Add (or take back) what a cluster takes where it is, transfers aside."""
    device = table.device
    pools = table.pool
    key_ptr = table.key_ptr
    key_id = table.key_id
    more_ptr = table.more_ptr
    more_row = table.more_row
    apart_ptr = table.apart_ptr
    apart_id = table.apart_id
    per_unit = table.per_unit
    per_pool = table.per_pool
    way_load = table.way_load
    key_size = table.key_size
    more_share = table.more_share
    place = state.place
    way = state.way
    count = state.count
    crowd = state.crowd
    load = state.load
    held = state.held
    units = len(device)
    u, w = place[c], way[c]
    d = device[u]
    load[u] += sign * way_load[w]
    for i in range(more_ptr[w], more_ptr[w + 1]):
        load[more_row[i]] += sign * more_share[i]
    pool = pools[d]
    for i in range(key_ptr[w], key_ptr[w + 1]):
        k = key_id[i]
        before = count[k * units + u]
        count[k * units + u] = before + (1 if sign > 0 else -1)
        if (before == 0 and sign > 0) or (before == 1 and sign < 0):
            held[u] += sign * key_size[i] * per_unit[d]
            if pool >= 0:
                held[len(device) + pool] += sign * key_size[i] * per_pool[pool]
    for i in range(apart_ptr[c], apart_ptr[c + 1]):
        crowd[apart_id[i] * units + u] += 1 if sign > 0 else -1


@inner
def excess(table: Table, state: State, bad: Any) -> Any:
    """How far limits other than rates are broken."""
    sizes = table.sizes
    device = table.device
    crowd = state.crowd
    held = state.held
    units = len(device)
    over = float(bad)
    for m in range(len(held)):
        if held[m] > 1.0 + 1e-12:
            over += held[m] - 1.0 + 1e-3
    for group in range(sizes[GROUPS]):
        for u in range(len(device)):
            if crowd[group * units + u] > 1:
                over += crowd[group * units + u] - 1
    return over


@inner
def norm(load: Any, most: Any, doublings: Any) -> Any:
    """(Σ load^p)^(1/p) with p = 2^doublings, where ``most`` is the largest load."""
    if most <= 0.0:
        return 0.0
    total = 0.0
    for r in range(len(load)):
        x = load[r] / most
        for _ in range(doublings):
            x *= x
        total += x
    return most * total ** (1.0 / (1 << doublings))


@inner
def join(c: Any, room: Room) -> Any:
    """Put a cluster on the list of those that move; False where it is full."""
    inside = room.inside
    turn = room.turn
    moved = room.moved
    many = room.many
    if inside[c] == turn[0]:
        return True
    if many[0] >= len(moved):
        return False
    inside[c] = turn[0]
    moved[many[0]] = c
    many[0] += 1
    return True


@inner
def grow(
    first: Any, most: Any, anywhere: Any, table: Table, state: State, room: Room, seed: Any
) -> Any:
    """List a connected region of up to ``most`` clusters, of one unit or from anywhere."""
    near_ptr = table.near_ptr
    beside = table.near
    place = state.place
    moved = room.moved
    many = room.many
    join(first, room)
    tries = 0
    while many[0] < most and tries < 3 * most:
        tries += 1
        c = moved[draw(many[0], seed)]
        size = near_ptr[c + 1] - near_ptr[c]
        if size == 0:
            continue
        other = beside[near_ptr[c] + draw(size, seed)]
        if anywhere or place[other] == place[first]:
            join(other, room)


@inner
def close(u: Any, table: Table, state: State, room: Room) -> Any:
    """Add what must move to unit u with the region, so that stages stay in order."""
    next_ptr = table.next_ptr
    next_id = table.next_id
    next_job = table.next_job
    last_ptr = table.last_ptr
    last_id = table.last_id
    last_job = table.last_job
    place = state.place
    pos = state.pos
    moved = room.moved
    many = room.many
    units = len(table.device)
    at = 0
    while at < many[0]:
        c = moved[at]
        at += 1
        for i in range(next_ptr[c], next_ptr[c + 1]):
            other, job = next_id[i], next_job[i]
            behind = pos[job * units + place[other]] < pos[job * units + u]
            if behind and not join(other, room):
                return False
        for i in range(last_ptr[c], last_ptr[c + 1]):
            other, job = last_id[i], last_job[i]
            ahead = pos[job * units + place[other]] > pos[job * units + u]
            if ahead and not join(other, room):
                return False
    return True


@inner
def aim(table: Table, state: State, room: Room, seed: Any) -> Any:
    """Choose a way for each cluster that moves; False where one has none on its new unit."""
    sizes, device = table.sizes, table.device
    pinned, way_ptr = table.pinned, table.way_ptr
    place, way = state.place, state.way
    moved, goal, manner = (
        room.moved,
        room.goal,
        room.manner,
    )
    changed = False
    for i in range(room.many[0]):
        c, u = moved[i], goal[i]
        cell = c * sizes[DEVICES] + device[u]
        many = way_ptr[cell + 1] - way_ptr[cell]
        if many == 0 or (pinned[c] >= 0 and pinned[c] != u):
            return False
        manner[i] = way_ptr[cell]
        if many > 1:
            if device[place[c]] == device[u] and uniform(seed) < SAME_WAY:
                manner[i] = way[c]
            elif uniform(seed) < ANY_WAY:
                manner[i] = way_ptr[cell] + draw(many, seed)
        changed = changed or u != place[c] or manner[i] != way[c]
    return changed


@inner
def propose(table: Table, state: State, room: Room, ordered: Any, widest: Any, seed: Any) -> Any:
    """List what moves and where to; False where the move is not allowed."""
    sizes, device = table.sizes, table.device
    near_ptr, beside = table.near_ptr, table.near
    place = state.place
    many, moved, goal = (
        room.many,
        room.moved,
        room.goal,
    )
    swapped = room.swapped
    room.turn[0] += 1
    many[0] = 0
    swapped[0] = -1
    clusters, units = len(place), len(device)
    first = draw(clusters, seed)
    kind = uniform(seed)
    target = draw(units, seed)
    near = near_ptr[first + 1] - near_ptr[first]
    if near > 0 and uniform(seed) < NEAR_UNIT:
        target = place[beside[near_ptr[first] + draw(near, seed)]]
    if target == place[first] and uniform(seed) < OTHER_UNIT:
        target = draw(units, seed)
    if ordered and kind < SWAP_STAGES and sizes[JOBS] == 1:
        a, b = place[first], target
        for c in range(clusters):
            if place[c] == a or place[c] == b:
                goal[many[0]] = a + b - place[c]
                moved[many[0]] = c
                many[0] += 1
        swapped[0], swapped[1] = a, b
        return a != b
    if not ordered and kind < SWAP:
        second = draw(clusters, seed)
        moved[0], moved[1] = first, second
        goal[0], goal[1] = place[second], place[first]
        many[0] = 2
        return goal[0] != goal[1]
    size = 1
    if kind >= ALONE:
        while size < widest and uniform(seed) < WIDER:
            size *= 2
        size = 1 + draw(size, seed)
    grow(first, size, kind >= FROM_ANYWHERE, table, state, room, seed)
    if ordered and not close(target, table, state, room):
        return False
    for i in range(many[0]):
        goal[i] = target
    return True


@inner
def carry_out(fresh: Any, table: Table, state: State, room: Room) -> Any:
    """Move what is listed, remembering what was; return the change in pairs without a path.

    With ``fresh`` 1, not 0, sums are 0 and nothing is taken back before.
    """
    ten_ptr, ten_id = table.ten_ptr, table.ten_id
    place, way = state.place, state.way
    pos = state.pos
    mark, stamp, seen = (
        room.mark,
        room.stamp,
        room.seen,
    )
    moved, many = room.moved, room.many
    goal, manner = room.goal, room.manner
    swapped, touched = room.swapped, room.touched
    turn = room.turn
    turn[0] += 1
    count = 0
    for i in range(many[0]):
        c = moved[i]
        for j in range(ten_ptr[c], ten_ptr[c + 1]):
            n = ten_id[j]
            if seen[n] != turn[0]:
                seen[n] = turn[0]
                touched[count] = n
                count += 1
    bad = 0
    for phase in range(fresh, 2):
        sign = 2.0 * phase - 1.0
        for i in range(many[0]):
            c = moved[i]
            if phase == 1:
                unit, mode = place[c], way[c]
                place[c], way[c] = goal[i], manner[i]
                goal[i], manner[i] = unit, mode
            settle(c, sign, table, state)
        for i in range(count):
            stamp[0] += 1
            more = pay(touched[i], sign, table, state, mark, stamp[0])
            bad += more if phase == 1 else -more
    if swapped[0] >= 0:
        a, b = swapped[0], swapped[1]
        pos[a], pos[b] = pos[b], pos[a]
    return bad


@jit
def anneal(
    table: Table, state: State, best: Any, room: Room, was: Any, plan: Any, seed: Any
) -> Any:
    """Make moves; keep the best state that breaks no limit.

    Parameters
    ----------
    best, was
        Best state, as ``state.ints``; room for ``state.reals``.
    plan
        Moves to make, temperature at the beginning and at the end (of a cost of about 1),
        doublings of the norm, whether stages are in order, largest region, and the largest row of
        the best state (inf: none), which is updated.

    Returns
    -------
    int
        Moves that were accepted.
    """
    load, held = state.load, state.held
    place, way = state.place, state.way
    moved, many = room.moved, room.many
    goal, manner = room.goal, room.manner
    moves, hot, cold = int(plan[0]), plan[1], plan[2]
    doublings, ordered, widest = int(plan[3]), plan[4] > 0, int(plan[5])
    bad, was_bad, move, accepted, since = 0, 0, 0, 0, 0
    cost, scale = np.inf, plan[6]
    fresh, undo = True, False
    while True:
        # One call that moves, whatever for, as each place of call is compiled on its own.
        if fresh:
            copy(load, table.fixed)
            copy(held, table.taken)
            for i in range(len(state.count)):
                state.count[i] = 0
            for i in range(len(state.crowd)):
                state.crowd[i] = 0
            many[0], bad, since = len(place), 0, 0
            room.swapped[0] = -1
            for c in range(len(place)):
                moved[c], goal[c], manner[c] = c, place[c], way[c]
        elif not undo:
            if move >= moves:
                return accepted
            move += 1
            if not propose(table, state, room, ordered, widest, seed) or not aim(
                table, state, room, seed
            ):
                continue
            copy(was, state.reals)
            was_bad = bad
        bad += carry_out(int(fresh), table, state, room)
        if undo:
            copy(state.reals, was)
            bad, undo = was_bad, False
            continue
        most = largest(load)
        if not scale < np.inf:
            scale = max(most, 1e-300)
        over = excess(table, state, bad)
        new = norm(load, most, doublings) / scale + PENALTY * over
        heat = hot * (cold / hot) ** (move / moves)
        if fresh or new <= cost or uniform(seed) < np.exp((cost - new) / heat):
            cost = new
            accepted += 1
            since += 1
            if over == 0.0 and most < plan[6] * (1.0 - 1e-12):
                plan[6] = most
                copy_ints(best, state.ints)
            fresh = since >= FRESH
        else:
            undo = True
