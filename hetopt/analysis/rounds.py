"""The gain of mixed over homogeneous placements in every public round of measured data.

Each slice of a round (:mod:`hetopt.profiling.rounds`) is made an instance like the headline's, and
asked the headline's two questions. What is said of many mixes follows from closed forms:

With units that are paid only for the time that they work, a request of network n costs the energy
``time × power`` of the device that runs it, idle included. The least power of a mix is then the sum
over networks of rate × the least energy over devices, and that of one device the sum of rate × its
own: both are minima over all placements, so the *ideal* saving is exact. Under a power cap the
rates scale until the power is used up, so a saving s is a throughput gain 1 / (1 − s) − 1.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hetopt.analysis.gain import Gain, gain_over
from hetopt.analysis.rivals import Rival, Study
from hetopt.build import Model
from hetopt.instance import Instance
from hetopt.instance.dtypes import Floats
from hetopt.instance.mixes import balanced_shares
from hetopt.instance.overrides import scale_demand
from hetopt.profiling.rounds import Slice
from hetopt.runtime.executors.loop import Report, in_order, silent
from hetopt.solution import Solution
from hetopt.solve import SolveOptions

DEMAND = 4.0
"""The power question is asked at so many times the base demand."""

POWER_CAP_W = 50e3
CLAIMED_SAVING, CLAIMED_INCREASE = 0.36, 0.53
MIXES, MIX_SEED = 1000, 36

OPTIONS = SolveOptions(time_limit_s=60.0, deterministic=True)

NO_GAIN = Gain()
ONE_DEVICE = "one device only"
ONE_NETWORK = "one network only: there is no mix"
NOTHING = "no row that can be compared"
NO_IDLE = "no idle power is stated: ideal figures only"


@dataclass(frozen=True)
class Mixes:
    """Ideal savings of random mixes.

    Attributes
    ----------
    p10, p50, p90
        Quantiles of the saving (fractions).
    saving_reached, increase_reached
        Share of the mixes whose ideal saving reaches 36 %, and whose increase reaches 53 %.
    """

    p10: float
    p50: float
    p90: float
    saving_reached: float
    increase_reached: float


@dataclass(frozen=True)
class Round:
    """What one slice of a round answers.

    Attributes
    ----------
    data
        The slice.
    note
        Why figures are missing; empty where none is.
    best
        Best homogeneous device at ``DEMAND`` × the base demand; without idle power, the best of
        the ideal mix.
    demand_per_s
        Base demand (requests/s).
    winners
        Device with the least whole energy per request, by network.
    saving, increase
        Less power at ``DEMAND`` times the base demand; more throughput under ``POWER_CAP_W``.
    ideal
        Saving if units were paid only for the time that they work.
    mixes
        Ideal savings of random mixes; None without a comparison.
    without_preview, without_newest
        (saving, increase) without those devices; None where there is none of them.
    """

    data: Slice
    note: str = ""
    best: str = ""
    demand_per_s: float = math.nan
    winners: tuple[tuple[str, str], ...] = ()
    saving: Gain = NO_GAIN
    increase: Gain = NO_GAIN
    ideal: float = math.nan
    mixes: Mixes | None = None
    without_preview: tuple[Gain, Gain] | None = None
    without_newest: tuple[Gain, Gain] | None = None


def rounds(
    data: Sequence[Slice],
    options: SolveOptions = OPTIONS,
    stop: threading.Event | None = None,
    report: Report | None = None,
    executor: Executor | None = None,
) -> Iterator[Round]:
    """Yield the answer of each slice; equal slices give equal answers.

    Parameters
    ----------
    data
        What to ask of; see :func:`hetopt.profiling.rounds.slices`.
    options
        How each placement is solved.
    stop
        Set it to stop early; slices that are not whole by then are left out.
    report
        Called with a line about what is being solved.
    executor
        Where slices are solved: any executor of ``concurrent.futures``, or one of
        :mod:`hetopt.runtime.executors`; None: here.
    """
    asked = {f"{p.name} ({at + 1} of {len(data)})": (p, options) for at, p in enumerate(data)}
    stop = stop or threading.Event()
    for _, answer in in_order(executor, _whole_answer, asked, stop, report or silent):
        if answer is None:
            return
        yield answer


def _whole_answer(asked: tuple[Slice, SolveOptions], stop: threading.Event) -> Round | None:
    """Return the answer of a slice; None where a stop left it half done."""
    answer = _answer(*asked, stop)
    return None if stop.is_set() else answer


def _answer(data: Slice, options: SolveOptions, stop: threading.Event) -> Round:
    if len(data.networks) < 2 or len(data.devices) < 2:
        missing = (NOTHING, ONE_DEVICE, ONE_NETWORK)[min(len(data.devices), 2)]
        return Round(data, note=missing, winners=_winners(data))
    energy = data.energy_j
    shares = balanced_shares(energy)
    ideal, best = _ideal(energy, shares[:, np.newaxis])
    found = Round(
        data,
        best=data.names[int(best[0])],
        winners=_winners(data),
        ideal=float(ideal[0]),
        mixes=_random_mixes(energy),
    )
    if not data.idle_known:
        return replace(found, note=NO_IDLE)
    demand = base_demand(data, shares)
    instance = round_instance(data, shares, demand)
    sets = {
        "preview": [d for d, out in enumerate(data.preview) if not out],
        "newest": [d for d, out in enumerate(data.newest) if not out],
    }
    less_power = _gains(scale_demand(instance, DEMAND), options, stop, sets)
    capped = instance.with_objective("throughput").with_limits(power_cap_w=POWER_CAP_W)
    more = _gains(capped, options, stop, sets)
    return replace(
        found,
        best=less_power["all"][0],
        demand_per_s=demand,
        saving=less_power["all"][1],
        increase=more["all"][1],
        without_preview=_pair(less_power, more, "preview"),
        without_newest=_pair(less_power, more, "newest"),
    )


_Found = dict[str, tuple[str, Gain]]


def _pair(first: _Found, second: _Found, key: str) -> tuple[Gain, Gain] | None:
    return (first[key][1], second[key][1]) if key in first and key in second else None


def _gains(
    instance: Instance, options: SolveOptions, stop: threading.Event, sets: dict[str, list[int]]
) -> _Found:
    """Return best rival and gain with all devices, and with those of each set that leaves some out.

    A rival's answer does not depend on the other devices: counts are free, and a unit that is not
    had draws nothing. So rivals are solved once.
    """
    study = Study(instance, options, -1, stop)
    rivals = study.rivals(silent, ("device",))
    found = {"all": gain_over(study.heterogeneous(rivals), _named(rivals))}
    for key, left in sets.items():
        if not 0 < len(left) < len(rivals):
            continue
        few = [rivals[d] for d in left]
        ours = study.rival(key, "kind", tuple(left)).solution
        found[key] = gain_over(ours, _named(few))
    return found


def _named(rivals: Sequence[Rival]) -> list[tuple[str, Solution]]:
    return [(r.name, r.solution) for r in rivals]


def _winners(data: Slice) -> tuple[tuple[str, str], ...]:
    return tuple(
        (network, data.names[int(np.nanargmin(row))])
        for network, row in zip(data.networks, data.energy_j, strict=True)
    )


def _ideal(energy_j: Floats, rates: Floats) -> tuple[Floats, Floats]:
    """Return the ideal saving of each mix, and the best device that runs all networks.

    ``rates`` has shape (networks, mixes).
    """
    whole = np.flatnonzero(~np.isnan(energy_j).any(axis=0))
    alone = energy_j[:, whole].T @ rates
    mixed = np.nanmin(energy_j, axis=1) @ rates
    best = np.argmin(alone, axis=0)
    # The mixed sum is no larger, but both are rounded.
    return np.maximum(1.0 - mixed / alone[best, np.arange(rates.shape[1])], 0.0), whole[best]


def _random_mixes(energy_j: Floats) -> Mixes:
    """Draw mixes whose shares of energy are uniform over all that sum to 1."""
    geometric = balanced_shares(energy_j)
    random = np.random.default_rng(MIX_SEED)
    weights = random.dirichlet(np.ones(len(energy_j)), MIXES).T
    saving, _ = _ideal(energy_j, weights * geometric[:, np.newaxis])
    p10, p50, p90 = np.quantile(saving, (0.1, 0.5, 0.9)).tolist()
    increase = 1.0 / (1.0 - saving) - 1.0
    return Mixes(
        *(p10, p50, p90),
        saving_reached=float(np.mean(saving >= CLAIMED_SAVING)),
        increase_reached=float(np.mean(increase >= CLAIMED_INCREASE)),
    )


def base_demand(data: Slice, shares: Floats) -> float:
    """Return the requests/s that the best device reaches under its idle and its largest power.

    The cap lets it have two units or more; with n on, their time and the power that idling leaves
    limit the rate. The best is the device that reaches the most.
    """
    best = 0.0
    for d in data.ran_all:
        time, power, idle = data.time_s[:, d], data.power_w[:, d], float(data.idle_power_w[d])
        cap = idle + float(power.max())
        busy = math.fsum((shares * time).tolist())
        energy = math.fsum((shares * time * (power - idle)).tolist())
        most = int(cap / idle) if idle > 0 else 1
        best = max(
            best,
            *(min(on / busy, (cap - on * idle) / energy) for on in range(1, most + 1)),
        )
    return best


def round_instance(data: Slice, shares: Floats, demand_per_s: float) -> Instance:
    """Return the slice as an instance: counts free, the mix as shares of the demand."""
    model = Model(data.name, objective="power", demand_per_s=demand_per_s)
    devices = [
        model.device(name, **_figures(data, d), count=(0, None), scope="wall")
        for d, name in enumerate(data.names)
    ]
    for n, network in enumerate(data.networks):
        ways = [
            device.option(time_s=float(data.time_s[n, d]), power_w=float(data.power_w[n, d]))
            for d, device in enumerate(devices)
            if not np.isnan(data.time_s[n, d])
        ]
        model.job(network, options=ways, share=float(shares[n]))
    return model.build()


def _figures(data: Slice, d: int) -> Any:
    """Return the fields of a device that the catalogue states."""
    idle = float(data.idle_power_w[d])
    return {"kind": data.kinds[d], "idle_power_w": idle, "preview": data.preview[d]}
