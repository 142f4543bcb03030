"""What the event loop of streams reads and writes, and the names of what it counts."""

from __future__ import annotations

from typing import Any, NamedTuple

SHARES, EARLIEST, CHEAPEST = 0, 1, 2
OFF, STARTING, ON, DRAINING, DOWN = 0, 1, 2, 3, 4
END, TIMEOUT, READY, IDLE, ARRIVES, SHARED_END, SLOW_END, BOARD_READY = 0, 1, 2, 3, 4, 5, 6, 7
FAIL, REPAIR, CAP = 0, 1, 2
REACHED, FINISHED, HAPPENED, GROW, STUCK = 0, 1, 2, 3, 4
TINY = 1e-9

NOW, CAP_W, OVER_S, BIN_S, LAST, POWER = 0, 1, 2, 3, 4, 5
NEXT, EXT, HEAP, SEQ, FREE, DONE, LATEST, STARVED, ROOM, BEGUN = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
RETIME = 10
TURNED_AWAY = -2
COUNTS = 11
ENERGY, USED, ACTIVE, WAITING = 0, 1, 2, 3


class Net(NamedTuple):
    """Routes by job, their rows, and what rows are followed by (see ``RouteTable``)."""

    job_ptr: Any
    of_job: Any
    ptr: Any
    row: Any
    out_ptr: Any
    edge: Any
    route: Any


class Rule(NamedTuple):
    """How a route is chosen: the mode, and what is read of each route (``CHOICE``, K).

    ``admit`` says which part of each job's requests is served at all (``ADMIT``, J).
    ``hold_s`` is how long a unit of each device stays on without work, ``start_s`` what it takes to
    start (D).
    """

    mode: int
    replaces: int
    choice: Any
    admit: Any
    hold_s: Any
    start_s: Any


class Slow(NamedTuple):
    """What slows: the domain of each option (-1: nothing slows it), and what it asks for (CSR)."""

    domain_of: Any
    ptr: Any
    ask: Any
    resource: Any
    domain: Any


class World(NamedTuple):
    """Everything that the loop reads and writes; records as in :mod:`hetopt.simulate.records`.

    ``device`` has a row for each device and behind them one for each kind of board: what draws.
    """

    net: Net
    rule: Rule
    slow: Slow
    live: Any
    real: Any
    count: Any
    request: Any
    work: Any
    drawn: Any
    item: Any
    form: Any
    unit: Any
    board: Any
    device: Any
    bins: Any
    peak: Any
    run: Any
    heap: Any
    ext: Any
    scratch: Any
    log: Any
