"""The records that the event loop works on, one row each: few arrays, so that calls stay cheap."""

from __future__ import annotations

from typing import Any

import numpy as np

_REAL, _WHOLE = "f8", "i8"


def _record(reals: str, wholes: str) -> np.dtype[Any]:
    fields = [(name, _REAL) for name in reals.split()] + [(n, _WHOLE) for n in wholes.split()]
    return np.dtype(fields)


ROW = _record(
    "time_s latency_s after_s timeout_s share energy_j low high",
    "station device position key batch before option",
)
"""A row of a route (:class:`hetopt.simulate.routes.RouteTable`); ``key``: which batch it joins."""

EDGE = _record("delay_s", "row")
"""What waits for a row: a row of the same route, and the delay of the message."""

ROUTE = _record("transfer_j", "device")
"""Messages of a request on a route."""

CHOICE = _record("weight credit price scarcity limit_s patience_s", "")
"""What a rule reads of a route: its share; its price, and what is added as slots are taken; the
latency that is expected of it at most, and the wait."""

ADMIT = _record("part credit", "")
"""Requests of a job: the part that is served, and what is owed of it."""

STATION = _record(
    "servers coming ready_s used waiting_s running_s planned", "spare shared head tail"
)
"""A station: slots of units on, and of those that start too; when the first of these is ready;
slots taken, expected slot time of what waits and runs; slots of the units on at first; units that
could go on, whether requests run all at once, and its queue."""

REQUEST = _record("at finish", "job route left")
"""A request: when it came and was done, its job and route, and how many of its tasks are left."""

ITEM = _record("ready", "before queue_next batch_next")
"""A task of a request: when what it waits for is there, and of how many tasks that is."""

FORM = _record("", "head tail count stamp")
"""A batch that forms."""

UNIT = _record(
    "used virtual settled power ready idle_since start_s start_j start_w",
    "station device board status stamp head many",
)
"""A unit: slots taken, virtual time where requests share it, what a start takes (and draws while it
lasts), the board that it stands on (-1: none), executions."""

BOARD = _record("ready start_s start_j start_w", "device status stamp units never_off")
"""A board: when it is up, what a start takes (and draws while it lasts), the row of its kind among
all that draws, and how many units on it are on."""

DEVICE = _record(
    "slots idle_w dynamic_w still_w used active waiting settled"
    " energy_j idle_j busy_s on_s had_s waiting_s had",
    "first last never_off",
)
"""A device or a kind of board: what its units take and draw, and the accounts of the run so far."""

RUN = _record(
    "share power end expected left rate since",
    "item unit stamp next before domain option slow_next slow_before",
)
"""An execution; where others slow it: its domain (else -1), the time at full speed that was left at
``since``, its rate from then on, and its neighbours among all that run in the domain."""

SLOW_ASK = _record("amount", "resource")
"""What an option asks for of a resource that slows."""

SLOW_RESOURCE = _record("capacity loss asked speed", "domain runs")
"""A resource that slows, and what is asked of it now, by how many executions."""

SLOW_DOMAIN = _record("", "head stamp changed")
"""Devices that slow each other: what runs there, and whether that changed at this instant."""

HEAP = _record("t", "s kind a b")
"""What is to come: time, number in order of being known, kind, and what it is about."""

EXTERNAL = _record("t value", "kind unit")
"""What happens from outside."""


def rows(dtype: np.dtype[Any], count: int, **columns: Any) -> Any:
    """Return records, all 0 but the columns given."""
    made = np.zeros(count, dtype=dtype)
    for name, values in columns.items():
        made[name] = values
    return made
