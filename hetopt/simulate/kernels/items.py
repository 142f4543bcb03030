"""Tasks of requests on their way: through routes, batches and queues.

A task is the item ``i * P + r``: row r of request i's route. Queues and forming batches are linked
lists of items.
"""

from __future__ import annotations

from hetopt.runtime.jit import inner
from hetopt.simulate.kernels.accounts import coarsen, settle
from hetopt.simulate.kernels.choice import choose
from hetopt.simulate.kernels.executions import feed, leave, note, reckon
from hetopt.simulate.kernels.heap import push
from hetopt.simulate.kernels.records import (
    ARRIVES,
    BIN_S,
    CHEAPEST,
    DONE,
    DRAINING,
    ENERGY,
    NOW,
    TIMEOUT,
    TURNED_AWAY,
    World,
)
from hetopt.simulate.kernels.units import go_off, switch_on_at, wake, went_idle


@inner
def arrive(w: World, item: int, wide: int) -> None:
    """Let an item join its queue, or the batch that forms for it."""
    i = item // wide
    m = w.net.ptr[w.request[i]["route"]] + item % wide
    d = w.net.row[m]["device"]
    settle(w, d)
    w.device[d]["waiting"] += 1.0
    w.item[item]["batch_next"] = -1
    if w.net.row[m]["batch"] <= 1:
        enqueue(w, item, m, 1)
        return
    key = w.net.row[m]["key"]
    if w.form[key]["count"] == 0:
        w.form[key]["head"] = item
        push(w, w.real[NOW] + w.net.row[m]["timeout_s"], TIMEOUT, key, w.form[key]["stamp"])
    else:
        w.item[w.form[key]["tail"]]["batch_next"] = item
    w.form[key]["tail"] = item
    w.form[key]["count"] += 1
    if w.form[key]["count"] >= w.net.row[m]["batch"]:
        close_batch(w, key, wide)


@inner
def close_batch(w: World, key: int, wide: int) -> None:
    """Let a batch join the queue, full or late."""
    head, many = w.form[key]["head"], w.form[key]["count"]
    w.form[key]["count"] = 0
    w.form[key]["stamp"] += 1
    m = w.net.ptr[w.request[head // wide]["route"]] + head % wide
    enqueue(w, head, m, many)


@inner
def enqueue(w: World, item: int, m: int, many: int) -> None:
    """Put an item, or a batch, behind all others of its station."""
    s = w.net.row[m]["station"]
    w.item[item]["queue_next"] = -1
    if w.live[s]["head"] < 0:
        w.live[s]["head"] = item
    else:
        w.item[w.live[s]["tail"]]["queue_next"] = item
    w.live[s]["tail"] = item
    w.live[s]["waiting_s"] += w.net.row[m]["share"] * w.net.row[m]["time_s"]
    wake(w, s)
    feed(w, s)


@inner
def _item_done(w: World, item: int, wide: int) -> None:
    i = item // wide
    m = w.net.ptr[w.request[i]["route"]] + item % wide
    done = (
        w.real[NOW]
        + w.net.row[m]["after_s"] * w.work[i if len(w.work) > 1 else 0, w.net.row[m]["position"]]
    )
    w.request[i]["finish"] = max(w.request[i]["finish"], done)
    w.request[i]["left"] -= 1
    if w.request[i]["left"] == 0:
        w.count[DONE] += 1
    for e in range(w.net.out_ptr[m], w.net.out_ptr[m + 1]):
        other = i * wide + w.net.edge[e]["row"]
        w.item[other]["ready"] = max(w.item[other]["ready"], done + w.net.edge[e]["delay_s"])
        w.item[other]["before"] -= 1
        if w.item[other]["before"] == 0:
            if w.item[other]["ready"] <= w.real[NOW]:
                arrive(w, other, wide)
            else:
                push(w, w.item[other]["ready"], ARRIVES, other, 0)


@inner
def end_execution(w: World, x: int, wide: int) -> None:
    """End an execution: what waits starts, and what follows it goes on."""
    item, g = w.run[x]["item"], w.run[x]["unit"]
    if w.live[w.unit[g]["station"]]["shared"]:
        reckon(w, g)
    leave(w, x)
    if len(w.log):
        note(w, 2, item, g)
    s = w.unit[g]["station"]
    if w.unit[g]["status"] == DRAINING and w.unit[g]["many"] == 0:
        go_off(w, g)
    feed(w, s)
    went_idle(w, g)
    while item >= 0:
        after = w.item[item]["batch_next"]
        _item_done(w, item, wide)
        item = after


@inner
def turn_away(w: World, i: int) -> None:
    """Let a request go that is not served."""
    w.request[i]["route"] = TURNED_AWAY
    w.count[DONE] += 1
    if len(w.log):
        note(w, 0, i, TURNED_AWAY)


@inner
def dispatch(w: World, i: int, wide: int) -> None:
    """Choose the route of a request, and let what waits for nothing join its queue."""
    k, more = choose(w.real[NOW], w.request[i]["job"], w.net, w.rule, w.live, w.scratch)
    w.request[i]["route"] = k
    if len(w.log):
        note(w, 0, i, k)
    if more >= 0:
        switch_on_at(w, more)
    begin, end = w.net.ptr[k], w.net.ptr[k + 1]
    if w.rule.mode == CHEAPEST:
        for m in range(begin, end):
            wake(w, w.net.row[m]["station"])
    w.request[i]["left"] = end - begin
    if w.net.route[k]["transfer_j"] > 0.0:
        d = w.net.route[k]["device"]
        settle(w, d)
        w.device[d]["energy_j"] += w.net.route[k]["transfer_j"]
        while w.real[NOW] >= w.real[BIN_S] * len(w.peak):
            coarsen(w)
        w.bins[int(w.real[NOW] / w.real[BIN_S]), d, ENERGY] += w.net.route[k]["transfer_j"]
    for m in range(begin, end):
        w.item[i * wide + m - begin]["before"] = w.net.row[m]["before"]
        w.item[i * wide + m - begin]["ready"] = w.real[NOW]
    for m in range(begin, end):
        if w.net.row[m]["before"] == 0:
            arrive(w, i * wide + m - begin, wide)
