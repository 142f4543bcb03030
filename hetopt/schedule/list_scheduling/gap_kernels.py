"""What being awake costs a decoded schedule, where units and boards sleep in gaps.

List decoders count a schedule as if all that may sleep slept whenever nothing runs on it, and as if
what runs added the difference to idling: no plan costs less
(:func:`hetopt.instance.states.idle_sleep_start_up.as_if_asleep`), so that a move which is too dear
so is refused before its gaps are looked at. :func:`awake` counts the rest, exactly:

    Σ going on + (idle - sleep) × (start-up + time in which a slot is taken)
      + Σ over gaps g of min((idle - sleep) × g, waking), the latter only where g >= time to wake

less what the options have of it in their costs already. The gap after the last occupant needs no
wake and is slept through. Of boards also what they draw beyond the part that each unit on bears.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from hetopt.runtime.jit import inner, jit
from hetopt.schedule.list_scheduling.limited.records import CHOICE, NOISE, UNIT, ListProblem

BEGIN, END = range(2)


class Gaps(NamedTuple):
    """Of what idles, H rows (units, then boards), U units, K choices, n tasks; ticks, first costs.

    ======= ========= ==============================================================================
    array   shape     what
    ======= ========= ==============================================================================
    home    U × 2 int row of the unit itself, and of its board, -1: none
    part    U         cost of a tick of the window that counts for the board with the unit in use
    low     H         ticks of going on; the first gap begins then
    on      H         cost of going on
    more    H         cost of a tick awake beyond that of one asleep
    wake    H         cost of waking
    least   H         ticks that waking takes
    still   H         cost of a tick of the window for a board in use, asleep
    share   K         what the cost of a choice has of being awake
    order   n int     room: tasks by their begins, as they were last
    time    2 × n     room: BEGIN and END of what each task takes of a slot
    reached H         room: latest end so far, -1: not in use
    ======= ========= ==============================================================================
    """

    home: Any
    part: Any
    low: Any
    on: Any
    more: Any
    wake: Any
    least: Any
    still: Any
    share: Any
    order: Any
    time: Any
    reached: Any


@inner
def in_gap(gap: float, row: int, gaps: Gaps) -> Any:
    """Cost of a gap that something ends, beyond sleep in all of it."""
    cost = gaps.more[row] * gap
    if gap * NOISE >= gaps.least[row] and gaps.wake[row] < cost:
        cost = gaps.wake[row]
    return cost


@inner
def sort(gaps: Gaps) -> None:
    """Put the tasks in the order of their begins; from call to call few change places."""
    order, time = gaps.order, gaps.time
    for p in range(1, len(order)):
        task, q = order[p], p
        while q > 0 and time[BEGIN, order[q - 1]] > time[BEGIN, task]:
            order[q] = order[q - 1]
            q -= 1
        order[q] = task


@jit
def awake(window: float, seq: Any, problem: ListProblem, gaps: Gaps) -> float:
    """Cost of being awake of a schedule whose tasks hold slots as ``gaps.time`` says."""
    order, time, home, reached = gaps.order, gaps.time, gaps.home, gaps.reached
    more, share, low = gaps.more, gaps.share, gaps.low
    rows = len(reached)
    sort(gaps)
    total = 0.0
    for h in range(rows):
        reached[h] = -1.0
    for p in range(len(order)):
        task = order[p]
        begin, end = time[BEGIN, task], time[END, task]
        unit = seq[UNIT, task]
        total -= share[seq[CHOICE, task]]
        for k in range(2):
            h = home[unit, k]
            if h < 0:
                continue
            if reached[h] < 0.0:
                total += gaps.on[h] + gaps.still[h] * window + more[h] * low[h]
                reached[h] = low[h]
                if k == 0:
                    total -= gaps.part[unit] * window
            # What takes no time takes no slot.
            if end > begin:
                if begin > reached[h]:
                    total += in_gap(begin - reached[h], h, gaps) + more[h] * (end - begin)
                    reached[h] = end
                elif end > reached[h]:
                    total += more[h] * (end - reached[h])
                    reached[h] = end
    return total
