"""The inner loop of the dynamic program over ideals (`ideals`): all stages that end in one ideal.

Ideals are sets of clusters that hold all predecessors of their members, ordered by size; 0 is the
empty one. ``down`` lists, for each ideal, the ideals with one cluster less, and which that is. A
stage is the difference of two ideals. From an ideal, all ideals within it are visited depth first,
each once; the stage grows by one cluster a step, and what it takes on each device with it. Where
the clusters alone (which only add up) take too long on every device, or too much memory, no larger
stage is looked at.

Where a cluster has several ways on a device (`stage_ways`), a stage has a front of them: what they
take in time beyond the fastest ways, and the weights that they need. A front that grows too long is
thinned out to points below it, so a stage never counts with more than its best ways take.
"""

from __future__ import annotations

from typing import Any

from hetopt.runtime.jit import inner, jit


@inner
def change(v: Any, sign: Any, table: Any, now: Any, marks: Any, keys: Any) -> Any:
    """Put a cluster into the stage (sign 1) or take it out (-1).

    ``now`` has a row for each device: load and load of the clusters alone by their fastest ways,
    memory of the keys that every way needs, clusters that cannot run there. ``marks`` has for each
    tensor whether its maker is inside, and readers inside.
    """
    base, allowed, ten_ptr, ten_id, maker, readers, out, inn, key_ptr, key_id, key_size = table
    wide = now.shape[0]
    for d in range(wide):
        if allowed[v, d] == 0:
            now[d, 3] += sign
            continue
        now[d, 0] += sign * base[v, d]
        now[d, 1] += sign * base[v, d]
        cell = v * wide + d
        for i in range(key_ptr[cell], key_ptr[cell + 1]):
            k = key_id[i]
            before = keys[k, d]
            keys[k, d] = before + sign
            if (before == 0 and sign > 0) or (before == 1 and sign < 0):
                now[d, 2] += sign * key_size[i]
    for i in range(ten_ptr[v], ten_ptr[v + 1]):
        n = ten_id[i]
        was_out = marks[n, 0] == 1 and marks[n, 1] < readers[n]
        was_in = marks[n, 0] == 0 and marks[n, 1] > 0
        marks[n, 0 if maker[n] == v else 1] += sign
        is_out = marks[n, 0] == 1 and marks[n, 1] < readers[n]
        is_in = marks[n, 0] == 0 and marks[n, 1] > 0
        for d in range(wide):
            if is_out != was_out:
                now[d, 0] += out[n, d] if is_out else -out[n, d]
            if is_in != was_in:
                now[d, 0] += inn[n, d] if is_in else -inn[n, d]


@inner
def grow(v: Any, was: Any, into: Any, ways: Any, now: Any, limit: Any, fronts: Any) -> Any:
    """Put a cluster's ways into the fronts ``was`` of a stage; return where the result lies.

    That is ``was`` itself where the cluster adds nothing to any of them, else ``into``. ``now`` is
    that of the stage with the cluster. Points above the limit of time or memory are left out.
    """
    ptr, more, weights = ways
    time, memory, size, heads = fronts
    wide, most = size.shape[1], heads.shape[0]
    several = False
    for d in range(wide):
        first = ptr[v * wide + d]
        several = several or ptr[v * wide + d + 1] - first > 1 or weights[first] > 0
    if not several:
        return was
    for d in range(wide):
        first, last = ptr[v * wide + d], ptr[v * wide + d + 1]
        for w in range(last - first):
            heads[w] = 0
        count = 0
        least = 2.0
        while True:
            # The next point by time, of each way's copy of the front, in order.
            best = -1
            for w in range(last - first):
                at = heads[w]
                if at < size[was, d]:
                    if best < 0:
                        best = w
                    else:
                        mine = time[was, d, at] + more[first + w]
                        other = time[was, d, heads[best]] + more[first + best]
                        if mine < other:
                            best = w
            if best < 0:
                break
            at = heads[best]
            heads[best] = at + 1
            taken = time[was, d, at] + more[first + best]
            held = memory[was, d, at] + weights[first + best]
            fits = now[d, 1] + taken < limit and now[d, 2] + held <= 1.0 + 1e-9
            if not fits or (count > 0 and held >= least):
                continue
            if count == time.shape[2]:
                count = thin(time, memory, into, d, count, most)
            time[into, d, count] = taken
            memory[into, d, count] = held
            least = held
            count += 1
        if count > most:
            count = thin(time, memory, into, d, count, most)
        size[into, d] = count
    return into


@inner
def thin(time: Any, memory: Any, at: Any, d: Any, count: Any, most: Any) -> Any:
    """Make one point of two neighbours, with the time of one and the memory of the other."""
    while count > most:
        half = (count + 1) // 2
        for i in range(half):
            time[at, d, i] = time[at, d, 2 * i]
            memory[at, d, i] = memory[at, d, min(2 * i + 1, count - 1)]
        count = half
    return count


@inner
def beyond(at: Any, d: Any, now: Any, fronts: Any) -> Any:
    """Least time beyond the fastest ways with which a stage fits into a unit; -1 if none does."""
    time, memory, size, _ = fronts
    for i in range(size[at, d]):
        if now[d, 2] + memory[at, d, i] <= 1.0 + 1e-9:
            return time[at, d, i]
    return -1.0


@jit
def ideals(
    first: Any,
    last: Any,
    family: Any,
    table: Any,
    counts: Any,
    least: Any,
    come: Any,
    limit: Any,
    shares: Any,
    room: Any,
    ways: Any,
    fronts: Any,
) -> Any:
    """Find the least largest load of ideals ``first`` to ``last`` - 1, for all units used.

    Parameters
    ----------
    family
        ``down_ptr``, ``down`` and ``node`` of all ideals.
    table
        Columns of clusters and tensors; see `change`.
    counts
        Units of each device; a state is how many of each are used, in mixed radix.
    least, come
        Least largest load of each ideal and state (ideals × states), and ideal and device of its
        last stage; rows before ``first`` are known, the others are filled in.
    limit
        Stages that take so long are of no interest.
    shares
        Worth of the units used in each state; of the least time that the clusters of each ideal
        take; and of all clusters. All units together are worth 1.
    room
        Scratch: ``now`` and ``marks`` of 0 (see `change`), clusters that hold a key on a device,
        marks of ideals, and four lists of clusters.
    ways
        Where the ways of each cluster and device begin, what they take beyond the fastest, and
        their weights.
    fronts
        Scratch: time and memory of the points of fronts (clusters + 2 × devices × points), how
        many there are, and as many places as a front may have points or a cluster ways.

    Returns
    -------
    int
        Stages looked at.
    """
    down_ptr, down, node = family
    wide = len(counts)
    now, marks, keys, visited, stack, place, added, front = room
    for i in range(len(visited)):
        visited[i] = -1
    looked = 0
    spent, work, whole = shares
    for top in range(first, last):
        # A state fits where both sides of the ideal can be done within the limit.
        low = work[top] / limit - 1e-9
        high = 1.0 - (whole - work[top]) / limit + 1e-9
        fits = False
        for state in range(len(spent)):
            fits = fits or low <= spent[state] <= high
        if not fits:
            continue
        for d in range(wide):
            for k in range(4):
                now[d, k] = 0.0
            fronts[0][0, d, 0] = fronts[1][0, d, 0] = 0.0
            fronts[2][0, d] = 1
        depth = 0
        stack[0], place[0], front[0] = top, down_ptr[top], 0
        while depth >= 0:
            here = stack[depth]
            if place[depth] >= down_ptr[here + 1]:
                if depth > 0:
                    change(added[depth], -1, table, now, marks, keys)
                depth -= 1
                continue
            edge = place[depth]
            place[depth] += 1
            below = down[edge]
            if visited[below] == top:
                continue
            visited[below] = top
            looked += 1
            change(node[edge], 1, table, now, marks, keys)
            at = grow(node[edge], front[depth], depth + 1, ways, now, limit, fronts)
            possible = False
            for d in range(wide):
                if now[d, 3] != 0:
                    continue
                extra = beyond(at, d, now, fronts)
                if extra >= 0 and now[d, 1] + extra < limit:
                    possible = True
                    load = now[d, 0] + extra
                    if load < limit:
                        enter(d, top, below, load, limit, counts, least, come, spent, high)
            if possible:
                depth += 1
                stack[depth], place[depth], added[depth] = below, down_ptr[below], node[edge]
                front[depth] = at
            else:
                change(node[edge], -1, table, now, marks, keys)
    return looked


@inner
def enter(
    d: Any,
    top: Any,
    below: Any,
    load: Any,
    limit: Any,
    counts: Any,
    least: Any,
    come: Any,
    spent: Any,
    high: Any,
) -> Any:
    """Let the stage between two ideals run on a further unit of device d."""
    states = least.shape[1]
    stride = 1
    for i in range(d):
        stride *= counts[i] + 1
    for state in range(states):
        if (state // stride) % (counts[d] + 1) == counts[d]:
            continue
        if spent[state + stride] > high:
            continue
        worst = max(least[below, state], load)
        if worst < limit and worst < least[top, state + stride]:
            least[top, state + stride] = worst
            come[top, state + stride, 0] = below
            come[top, state + stride, 1] = d
