"""Cautions of the shipped catalogue: figures that sister systems or the source itself contradict.

Three rules, each with the factor ``APART``; ``hetopt/data/SOURCES.md`` states them for readers.
*Sisters* of a row are the rows of other systems with the same hardware, number of cards, network
and scenario (Offline or Server: those keep a system busy), in any round and division, whose speed
is within ``SAME_SPEED``.

1. Power. A row that draws ``APART`` times more (or less) than each of at least two sisters is an
   outlier, and so is its system. Two, since of a pair nobody can say which one is wrong.
2. Idle power. A bound on idle power above the whole draw of a sister that works as fast is none.
3. Another board's figures. Entries of one board whose base power is ``APART`` apart cannot both be
   right; the one that states base and idle power of another board, to the digit, is in doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

APART = 1.6
"""Powers further apart than this are not explained by another host, fan or power supply: of all
MLPerf rows with sisters only those of the systems that are flagged are."""
SAME_SPEED = 0.15
"""Relative; rows whose speed differs by more do not run alike (other clocks, batches, limits)."""
LEAST_SISTERS = 2


class Row(Protocol):
    """What the rules need of a row."""

    device: str
    name: str
    question: str
    """Network and scenario, without the round."""
    time_s: float
    power_w: float | None
    idle_power_w: float


def cautions(rows: Iterable[Row]) -> dict[str, str]:
    """Return what is wrong by device, for rules 1 and 2."""
    alike: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.power_w is not None:
            alike.setdefault((row.name, row.question), []).append(row)
    powers: dict[str, list[str]] = {}
    idles: dict[str, list[str]] = {}
    for (_, question), group in alike.items():
        for row in group:
            sisters = [
                other
                for other in group
                if other.device != row.device
                and abs(other.time_s - row.time_s) <= SAME_SPEED * max(other.time_s, row.time_s)
            ]
            drawn = [(other.power_w or 0.0, other.device) for other in sisters]
            if text := _power(row, drawn, question):
                powers.setdefault(row.device, []).append(text)
            if text := _idle(row, drawn, question):
                idles.setdefault(row.device, []).append(text)
    devices = dict.fromkeys([*powers, *idles])
    return {d: _sentence([*powers.get(d, []), *idles.get(d, [])]) for d in devices}


def _power(row: Row, powers: list[tuple[float, str]], question: str) -> str:
    """Return what sisters say against the power of one row (rule 1)."""
    own = row.power_w or 0.0
    if len(powers) >= LEAST_SISTERS and (
        all(own > APART * power for power, _ in powers)
        or all(own * APART < power for power, _ in powers)
    ):
        others = ", ".join(f"{power:.4g} W ({device})" for power, device in sorted(powers))
        return f"{question}: {own:.4g} W, sister systems as fast draw {others}"
    return ""


def _idle(row: Row, powers: list[tuple[float, str]], question: str) -> str:
    """Return what sisters say against the idle power of one row (rule 2)."""
    above = [(power, device) for power, device in powers if power < row.idle_power_w]
    if not above:
        return ""
    power, device = min(above)
    return (
        f"idle power up to {row.idle_power_w:.4g} W, but {device} draws {power:.4g} W in all at "
        f"{question}, as fast"
    )


def _sentence(texts: list[str]) -> str:
    """Return the first finding, and how many more there are."""
    more = f" (and {len(texts) - 1} more such findings)" if len(texts) > 1 else ""
    return f"outlier: {texts[0]}{more}"


def borrowed(
    stated: Mapping[str, tuple[float, float | None]], boards: Mapping[str, str]
) -> dict[str, str]:
    """Return which devices state another board's base and idle power (rule 3).

    Parameters
    ----------
    stated
        Base power and least idle power (W) by device.
    boards
        The board that a device is on.
    """
    found = {}
    for device, (base, idle) in stated.items():
        own = [d for d in stated if d != device and boards[d] == boards[device]]
        apart = [d for d in own if max(base, stated[d][0]) > APART * min(base, stated[d][0])]
        same = [
            d
            for d in stated
            if boards[d] != boards[device] and stated[d] == (base, idle) and idle is not None
        ]
        if apart and same:
            other = apart[0]
            found[device] = (
                f"unsound idle power: the stated base and idle power, {base:g} and {idle:g} W, are "
                f"those of {same[0]}, another board; {other}, on the same board, states "
                f"{stated[other][0]:g} and {stated[other][1]:g} W"
            )
    return found
