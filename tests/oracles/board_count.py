"""Boards of tiny streams, counted unit by unit from the instance's columns."""

from __future__ import annotations

from collections.abc import Sequence

from hetopt.instance import Instance


def boards_of(
    instance: Instance, on: Sequence[int], had: Sequence[int]
) -> list[tuple[int, int, int, int]]:
    """Return (kind of board, a device on it, boards on, boards had), given units on and had."""
    found = []
    each, home = instance.boards.per_board, instance.devices.on_board
    for b in range(len(instance.boards)):
        mine = [d for d in range(len(home)) if home[d] == b]
        owned, lit = (
            len({u // int(each[d]) for d in mine for u in range(int(units[d]))})
            for units in (had, on)
        )
        owned = max(int(instance.boards.count_min[b]), owned)
        lit = lit if instance.boards.off_when_unused[b] else owned
        found.append((b, (mine or [0])[0], lit, owned))
    return found
