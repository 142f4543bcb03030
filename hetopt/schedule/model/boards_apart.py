"""Instances in which each of several boards is a kind of its own, and so are the devices on it.

Where boards have a capacity each of what slows those that stand on them, it matters for how fast an
option runs on which board its unit stands. In the instance *apart* it is the option that says so:
a device with units on n such boards is n devices with the units of one board each, an option of it
n options, a link to or from it n links (n × n between two of them) in the channels of the old one,
a capacity of each board n resources. Plans of one are plans of the other: a task on unit u of a
device with m units a board runs on unit u mod m of its copy u // m. Times, places in memory pools,
paths, channels and all that is paid are the same, as all copies are alike. So an answer and its
proof for the instance apart are those of the instance.

Numbers of boards are fixed or begin at 0 (which is checked where instances are made): so one that
is used is had, and what is had at least is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.instance import Instance, Ints
from hetopt.instance.derived import once
from hetopt.instance.grouping import expand, ptr_of
from hetopt.instance.overrides import rows_of
from hetopt.instance.tables import Boards, Devices, Links, Options, Resources, Setups, Uses
from hetopt.solution import Hops, SchedulePlan


@dataclass(frozen=True)
class Apart:
    """The instance whose boards are apart, and what its rows were copies of.

    Attributes
    ----------
    device, option, link
        The old row of each row.
    number
        On which board each device stands (0 where it was not copied).
    """

    instance: Instance
    device: Ints
    number: Ints
    option: Ints
    link: Ints

    def plan(self, plan: SchedulePlan, whole: Instance) -> SchedulePlan:
        """Return a plan of the whole instance."""
        chosen = plan.option >= 0
        on = self.instance.options.device[plan.option]
        each = whole.boards.per_board
        hops, to = plan.hops, plan.hops.dst_device
        unit = hops.dst_unit + self.number[to] * each[self.device[to]]
        return SchedulePlan(
            np.where(chosen, self.option[plan.option], -1),
            np.where(chosen, plan.unit + self.number[on] * each[self.device[on]], plan.unit),
            plan.start_s,
            replace(
                hops,
                dst_device=self.device[to],
                dst_unit=np.where(hops.dst_unit >= 0, unit, hops.dst_unit),
                link=self.link[hops.link],
            ),
        )

    def start(self, plan: SchedulePlan, whole: Instance) -> SchedulePlan | None:
        """Return a plan of the instance apart; None where a message takes no way that is known."""
        place, unit = self._place(whole, whole.options.device[plan.option], plan.unit)
        where = self.instance.options.device.tolist()
        options = {pair: o for o, pair in enumerate(zip(self.option.tolist(), where, strict=True))}
        chosen = zip(plan.option.tolist(), place.tolist(), strict=True)
        option = [options[o, d] if o >= 0 else -1 for o, d in chosen]
        hops = self._hops(plan, whole, place)
        if hops is None:
            return None
        return SchedulePlan(np.array(option, dtype=np.int64), unit, plan.start_s, hops)

    def _place(self, whole: Instance, device: Ints, unit: Ints) -> tuple[Ints, Ints]:
        """Return the copies of devices on which units stand, and their numbers there."""
        count = np.bincount(self.device, minlength=len(whole.devices))
        first = np.cumsum(count) - count
        each = np.where(count[device] > 1, whole.boards.per_board[device], 0)
        number = np.where(each > 0, np.maximum(unit, 0) // np.maximum(each, 1), 0)
        return first[device] + number, np.where(unit >= 0, unit - number * each, unit)

    def _hops(self, plan: SchedulePlan, whole: Instance, place: Ints) -> Hops | None:
        """Return hops between copies: in between on the first one."""
        hops, links = plan.hops, self.instance.links
        if not len(hops):
            return hops
        ends, units = self._place(whole, hops.dst_device, hops.dst_unit)
        rows = zip(self.link.tolist(), links.src.tolist(), links.dst.tolist(), strict=True)
        ways = {way: k for k, way in enumerate(rows)}
        every = np.arange(len(whole.devices))
        first, _ = self._place(whole, every, np.zeros(len(every), dtype=np.int64))
        at: dict[tuple[int, int, int, int], int] = {}
        found = np.zeros(len(hops), dtype=np.int64)
        for i in np.argsort(hops.ordinal, kind="stable").tolist():
            tensor, link = int(hops.tensor[i]), int(hops.link[i])
            key = (tensor, int(hops.leg[i]), int(hops.dst_device[i]), int(hops.dst_unit[i]))
            source, target = int(whole.links.src[link]), int(whole.links.dst[link])
            here = at.get(key, int(place[whole.tensors.producer[tensor]]))
            if self.device[here] != source:
                here = int(first[source])
            there = int(ends[i]) if target == hops.dst_device[i] else int(first[target])
            if (link, here, there) not in ways:
                return None
            found[i], at[key] = ways[link, here, there], there
        return replace(hops, dst_device=ends, dst_unit=units, link=found)


@once
def apart(instance: Instance) -> Apart | None:
    """Return the instance whose boards are apart, None where that makes no difference."""
    boards, devices, resources = instance.boards, instance.devices, instance.resources
    own = np.zeros(len(boards) + 1, dtype=bool)
    own[resources.board[resources.board >= 0]] = True
    own[:-1] &= boards.count_max > 1
    own[-1] = False
    if instance.regime != "schedule" or not own.any():
        return None
    times = np.append(boards.count_max, 1)
    copies = np.where(own, times, 1)[devices.on_board]
    device, number = _copied(copies)
    first = np.cumsum(copies) - copies
    kind, kind_number = _copied(np.where(own, times, 1)[:-1])
    kind_first = np.searchsorted(kind, np.arange(len(boards)))
    made = replace(
        instance,
        boards=_boards(instance, kind, kind_number, own, device),
        devices=_devices(instance, device, number, own, kind_first),
        host=int(first[instance.host]) if instance.host >= 0 else -1,
    )
    made, link = _with_links(made, instance, copies, first)
    made, option, where = _with_options(made, instance, copies, first)
    made = _with_resources(made, instance, option, number[where], own)
    return Apart(_with_places(made, instance, copies, first), device, number, option, link)


def _copied(count: Ints) -> tuple[Ints, Ints]:
    """Return the row of each copy, and its number among the copies of that row."""
    row = np.repeat(np.arange(len(count)), count)
    begin = np.cumsum(count) - count
    return row, np.arange(len(row)) - begin[row]


def _named(name: Any, row: Ints, number: Ints, copied: Any) -> Any:
    """Return names of copies: that of the row, with the number of the board where it was copied."""
    found = [
        f"{name[r]}@{n}" if many else str(name[r])
        for r, n, many in zip(row.tolist(), number.tolist(), copied.tolist(), strict=True)
    ]
    return np.array(found, dtype=name.dtype)


def _boards(instance: Instance, kind: Ints, number: Ints, own: Any, device: Ints) -> Boards:
    boards = instance.boards
    names = [name for name in boards.__dataclass_fields__ if name != "per_board"]
    rows = {name: getattr(boards, name)[kind] for name in names}
    mine = own[kind]
    rows["name"] = _named(boards.name, kind, number, mine)
    rows["count_max"] = np.where(mine, 1, rows["count_max"])
    rows["count_min"] = np.where(mine, np.minimum(rows["count_min"], 1), rows["count_min"])
    return Boards(**rows, per_board=boards.per_board[device])


def _devices(instance: Instance, device: Ints, number: Ints, own: Any, kind_first: Ints) -> Devices:
    old = instance.devices
    rows = {name: getattr(old, name)[device] for name in old.__dataclass_fields__}
    on, each = old.on_board[device], instance.boards.per_board[device]
    mine = own[on]
    rows["name"] = _named(old.name, device, number, mine)
    # A device of which none may be had has none on any board.
    for end in ("count_min", "count_max"):
        rows[end] = np.where(mine, each * (rows[end] > 0), rows[end])
    carried = np.append(kind_first, -1)[on]
    rows["on_board"] = np.where(mine, carried + number, carried)
    return Devices(**rows)


def _with_links(made: Instance, old: Instance, copies: Ints, first: Ints) -> tuple[Instance, Ints]:
    """Return the instance with links between all copies, and the old row of each."""
    links = old.links
    link, n = _copied(copies[links.src] * copies[links.dst])
    into = copies[links.dst[link]]
    kept = [name for name in links.__dataclass_fields__ if name not in ("src", "dst")]
    rows = {name: getattr(links, name)[link] for name in kept if name != "group_channels"}
    found = Links(
        src=first[links.src[link]] + n // into,
        dst=first[links.dst[link]] + n % into,
        group_channels=links.group_channels,
        **rows,
    )
    return replace(made, links=found), link


def _with_options(
    made: Instance, old: Instance, copies: Ints, first: Ints
) -> tuple[Instance, Ints, Ints]:
    """Return the instance with options on each copy; the old row and the device of each."""
    options, setups = old.options, old.setups
    option, n = _copied(copies[options.device])
    where = first[options.device[option]] + n
    rows = {name: getattr(options, name)[option] for name in options.__dataclass_fields__}
    ptr = ptr_of(copies[options.device])[old.profiles.ptr]
    change, m = _copied(copies[setups.device])
    pairs = {name: getattr(setups, name)[change] for name in setups.__dataclass_fields__}
    made = replace(
        made,
        options=Options(**(rows | {"device": where})),
        profiles=replace(old.profiles, ptr=ptr.astype(np.int64)),
        setups=Setups(**(pairs | {"device": first[setups.device[change]] + m})),
    )
    return made, option, where


def _with_resources(
    made: Instance, old: Instance, option: Ints, number: Ints, own: Any
) -> Instance:
    """Return the instance with a resource for each board, used by the options on it."""
    resources, uses = old.resources, old.uses
    mine = own[resources.board]
    copies = np.where(mine, np.append(old.boards.count_max, 1)[resources.board], 1)
    resource, n = _copied(copies)
    first = np.cumsum(copies) - copies
    rows = rows_of(resources, resource)
    rows["name"] = _named(resources.name, resource, n, mine[resource])
    rows["board"] = np.full(len(resource), -1, dtype=np.int64)
    which, at = expand(uses.ptr, option)
    k = uses.resource[at]
    ptr = ptr_of(np.diff(uses.ptr)[option])
    used = first[k] + np.where(mine[k], number[which], 0)
    return replace(made, resources=Resources(**rows), uses=Uses(ptr, used, uses.amount[at]))


def _with_places(made: Instance, old: Instance, copies: Ints, first: Ints) -> Instance:
    """Return the instance with pins and bans of devices told of their copies."""
    tasks, wide = old.tasks, int(copies.sum())
    ban, n = _copied(copies[tasks.forbid_device])
    pin, unit = tasks.pin_device.copy(), tasks.pin_unit.copy()
    more: list[tuple[int, int]] = []
    for t in np.flatnonzero(pin >= 0).tolist():
        d = int(pin[t])
        begin, count = int(first[d]), int(copies[d])
        pin[t] = begin
        if count > 1 and unit[t] >= 0:
            each = int(old.boards.per_board[d])
            pin[t], unit[t] = begin + unit[t] // each, unit[t] % each
        elif count > 1:
            pin[t] = -1
            more += [(t, other) for other in range(wide) if not begin <= other < begin + count]
    extra = np.array(more, dtype=np.int64).reshape(-1, 2)
    tasks = replace(
        tasks,
        pin_device=pin,
        pin_unit=unit,
        forbid_task=np.concatenate([tasks.forbid_task[ban], extra[:, 0]]),
        forbid_device=np.concatenate([first[tasks.forbid_device[ban]] + n, extra[:, 1]]),
    )
    return replace(made, tasks=tasks)
