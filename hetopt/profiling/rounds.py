"""Rounds of measured data in the catalogue, cut into slices that one question can be asked of.

A slice is one (round, division, suite, scenario) of MLPerf Inference or Tiny: devices measured
alike, on the same networks. Which rows of it can be compared, and which cannot and why, is decided
here; nothing is solved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from hetopt.instance.dtypes import Floats
from hetopt.profiling.catalogue import catalogue

PREFIX = "mlperf-"
STRICTER = ".9"
"""What the name of a network ends in whose accuracy target is the stricter of two (bert-99.9)."""

NO_POWER = "no power measured"
IN_DOUBT = "figures in doubt"
TWICE = "the same network at a stricter accuracy"
OTHER_UNIT = "requests counted in another unit"
NOT_IN_MIX = "no device that ran the others ran this network"


@dataclass(frozen=True)
class Slice:
    """What one slice of a round says of its devices and networks.

    Attributes
    ----------
    round, division, suite, scenario
        ``v3.0``, ``closed`` or ``open``, ``datacenter``, ``edge`` or ``tiny``, ``server`` ...
    networks
        The networks of the mix: those that the device which ran the most ran.
    devices
        IDs of the devices with a row for one of them.
    names, kinds, hardware
        Of each device: the system's short name, its kind, and its hardware.
    preview, newest
        Of each device: not on sale when measured; its hardware is in this round for the first
        time. ``newest`` is false everywhere where it would be true of all.
    time_s, power_w
        Busy time per request, and whole draw meanwhile; shape (networks, devices), NaN where
        nobody published a result.
    idle_power_w
        Of each device; NaN everywhere where the round states none.
    rows
        Rows of the slice in the catalogue.
    dropped
        How many rows are not used, by reason; reasons in the order in which they are applied.
    """

    round: str
    division: str
    suite: str
    scenario: str
    networks: tuple[str, ...]
    devices: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    hardware: tuple[str, ...]
    preview: tuple[bool, ...]
    newest: tuple[bool, ...]
    time_s: Floats
    power_w: Floats
    idle_power_w: Floats
    rows: int
    dropped: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """The four parts in one word: ``v3.0/closed/datacenter/server``."""
        return "/".join((self.round, self.division, self.suite, self.scenario))

    @property
    def energy_j(self) -> Floats:
        """Whole energy per request, idle included, of shape (networks, devices); NaN: no row."""
        return self.time_s * self.power_w

    @property
    def idle_known(self) -> bool:
        """Whether the round states idle power."""
        return bool(len(self.devices)) and not bool(np.isnan(self.idle_power_w).any())

    @property
    def ran_all(self) -> tuple[int, ...]:
        """Indices of the devices that ran every network of the mix."""
        return tuple(np.flatnonzero(~np.isnan(self.time_s).any(axis=0)).tolist())


def slices() -> tuple[Slice, ...]:
    """Return every slice of every round, oldest round first.

    A row that the submitter entered for both suites counts in both: slices overlap there.
    """
    table = catalogue()
    table = table[table["dataset"].str.startswith(PREFIX)]
    groups: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for record in table.to_dict("records"):
        row = {str(name): value for name, value in record.items()}
        row["network"], scenario = _network_and_scenario(str(row["task"]))
        for suite in str(row["suite"]).split("+") if row["suite"] else ["tiny"]:
            key = (str(row["round"]), str(row["division"]), suite, scenario)
            groups.setdefault(key, []).append(row)
    ordered = sorted(groups, key=lambda key: (key[2] == "tiny", *key))
    return tuple(_slice(key, groups[key]) for key in ordered)


def _network_and_scenario(task: str) -> tuple[str, str]:
    """Split a task's ID; tasks of Tiny name no scenario: a stream of single inputs."""
    parts = task.split("/")
    return parts[-1], parts[1] if len(parts) > 2 else "singlestream"


def _slice(key: tuple[str, str, str, str], rows: Sequence[dict[str, Any]]) -> Slice:
    dropped: Counter[str] = Counter()
    kept = list(rows)

    def drop(reason: str, out: list[bool]) -> None:
        nonlocal kept
        if any(out):
            dropped[reason] += sum(out)
            kept = [row for row, leave in zip(kept, out, strict=True) if not leave]

    drop(NO_POWER, [not row["power_measured"] for row in kept])
    drop(IN_DOUBT, [bool(row["caution"]) for row in kept])
    present = {row["network"] for row in kept}
    drop(
        TWICE,
        [
            row["network"].endswith(STRICTER) and row["network"][: -len(STRICTER)] in present
            for row in kept
        ],
    )
    common = {
        network: Counter(r["unit"] for r in kept if r["network"] == network).most_common(1)[0][0]
        for network in {row["network"] for row in kept}
    }
    drop(OTHER_UNIT, [row["unit"] != common[row["network"]] for row in kept])
    networks = _mix(kept)
    drop(NOT_IN_MIX, [row["network"] not in networks for row in kept])

    ids = tuple(dict.fromkeys(str(row["device"]) for row in kept))
    first = {id_: next(row for row in kept if row["device"] == id_) for id_ in ids}
    shape = (len(networks), len(ids))
    time_s, power_w = np.full(shape, np.nan), np.full(shape, np.nan)
    for row in kept:
        n, d = networks.index(row["network"]), ids.index(str(row["device"]))
        time_s[n, d] = row["time_s"] / row["batch"]
        power_w[n, d] = row["power_w"]
    idle = [first[i]["idle_power_w"] if first[i]["idle_known"] else np.nan for i in ids]
    new = [_first_seen()[_model(str(first[i]["name"]))] == key[0] for i in ids]
    return Slice(
        *key,
        networks=networks,
        devices=ids,
        names=_short_names(ids),
        kinds=tuple(str(first[i]["kind"]) for i in ids),
        hardware=tuple(str(first[i]["name"]) for i in ids),
        preview=tuple(bool(first[i]["preview"]) for i in ids),
        newest=tuple(new) if not all(new) else (False,) * len(ids),
        time_s=time_s,
        power_w=power_w,
        idle_power_w=np.array(idle, dtype=np.float64),
        rows=len(rows),
        dropped=tuple(dropped.items()),
    )


def _mix(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the networks that the device which ran the most ran, so that it is a rival.

    Of two sets as large, the one that more devices ran all of, then the one with more rows, then
    the first by name.
    """
    ran: dict[str, set[str]] = {}
    for row in rows:
        ran.setdefault(str(row["device"]), set()).add(row["network"])
    sets = {tuple(sorted(networks)) for networks in ran.values()}
    if not sets:
        return ()

    def rank(networks: tuple[str, ...]) -> tuple[int, int, int, tuple[str, ...]]:
        chosen = set(networks)
        whole = sum(chosen <= other for other in ran.values())
        used = sum(row["network"] in chosen for row in rows)
        return -len(networks), -whole, -used, networks

    return min(sets, key=rank)


def _short_names(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the systems' own names, with more of the ID where two are the same."""
    short = [id_.rsplit("/", 1)[-1] for id_ in ids]
    twice = {name for name, count in Counter(short).items() if count > 1}
    return tuple(
        id_.split("/", 1)[-1] if name in twice else name
        for id_, name in zip(ids, short, strict=True)
    )


@lru_cache(maxsize=1)
def _first_seen() -> dict[str, str]:
    """Return the round in which each piece of hardware was first measured, by its model."""
    table = catalogue()
    table = table[table["dataset"].str.startswith(PREFIX)]
    seen: dict[str, str] = {}
    pairs = zip(table["round"].astype(str), table["name"].astype(str), strict=True)
    for round_, name in sorted(set(pairs)):
        seen.setdefault(_model(name), round_)
    return seen


def _model(hardware: str) -> str:
    """Return hardware without how many of it: eight cards are no other card than four."""
    return re.sub(r"^\d+x ", "", hardware).casefold()
