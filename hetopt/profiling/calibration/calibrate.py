"""Options from observed executions: location and spread shrunk to the prior, drift, outliers.

For each option the logarithm of observed over stated time is taken, execution by execution in order
of time. Its robust location since the last change, shrunk to 0 with the weight of PRIOR_COUNT
executions, gives the new time; its spread, shrunk to the stated one, the new interval. Energies are
the same. What was counted is kept as a state, so that telemetry may come in parts, and telemetry
that was counted already changes nothing.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from statistics import NormalDist

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance.dtypes import Bools, Floats
from hetopt.instance.instance import Instance
from hetopt.profiling.calibration.drift import KEPT, Watch
from hetopt.profiling.calibration.location import robust_location, shrunk, shrunk_spread
from hetopt.profiling.calibration.telemetry import Observation

PRIOR_COUNT = {False: 5.0, True: 1.0}
"""Executions that a stated figure counts as, by whether it was estimated."""
PRIOR_SPREAD = 0.05
"""Scatter of executions of an option that states no interval, or whose interval is an estimate's:
that says how far off the estimate may be, not how much executions scatter."""
PRIOR_DOUBT = 0.3
"""How far off (in ln) an estimate without an interval may be."""
SPREAD_COUNT = 5.0
"""Executions that a stated scatter counts as."""
DIGITS = 6
"""Decimals of log ratios that are kept."""
WORST_SHOWN = 5

Key = tuple[str, str, str]
"""Profile, device and label of an option."""


@dataclass(slots=True)
class Figure:
    """What is known of one figure of an option, its time or its energy.

    Attributes
    ----------
    prior
        As stated before anything was observed.
    prior_spread
        Standard deviation of the logarithms of executions, as stated.
    prior_doubt
        Standard deviation of the logarithm of the stated value itself: of estimates.
    value, low, high
        As they are now.
    """

    prior: float
    prior_spread: float
    prior_doubt: float
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(slots=True)
class Calibrated:
    """One option and what was observed of it.

    Attributes
    ----------
    key
        Profile, device, label.
    estimated
        Whether it was stated as estimated.
    interval
        Share of outcomes that its intervals hold.
    time, energy
        Its figures.
    watch
        Log ratios of times since the last change.
    energies
        Log ratios of energies, the latest since the last change.
    energy_at
        When these were.
    count, added
        Executions counted in all, and in this call.
    until_s
        Time of the latest execution that was counted.
    outliers
        Outliers among the executions that are kept.
    worst
        Factors of the worst of these, and when.
    """

    key: Key
    estimated: bool
    interval: float
    time: Figure
    energy: Figure
    watch: Watch = field(default_factory=Watch)
    energies: list[float] = field(default_factory=list)
    energy_at: list[float] = field(default_factory=list)
    count: int = 0
    added: int = 0
    until_s: float = -math.inf
    outliers: int = 0
    worst: list[tuple[float, float]] = field(default_factory=list)

    @property
    def still_estimated(self) -> bool:
        """Whether nothing was observed yet that outweighs the estimate."""
        return self.estimated and self.watch.seen < SPREAD_COUNT


def calibrate(
    instance: Instance,
    observed: Sequence[Observation],
    before: Mapping[Key, Calibrated] | None = None,
) -> dict[Key, Calibrated]:
    """Update options by observed executions.

    Parameters
    ----------
    instance
        The instance whose options are meant. Tasks of telemetry are its tasks or its profiles.
    observed
        Executions in order of time. Those no later than what was counted of their option are left
        out.
    before
        What an earlier call returned. An option whose stated time is not what that call made of it
        begins anew.

    Returns
    -------
    dict
        Options that were observed, now or before, by profile, device and label.

    Raises
    ------
    InputError
        With every name of telemetry that the instance does not have.
    """
    names = _Names(instance)
    result = {
        key: replace(known, added=0, watch=copy.deepcopy(known.watch))
        for key, known in (before or {}).items()
        if _still_holds(names, known)
    }
    counted = {key: known.until_s for key, known in result.items()}
    problems: dict[str, Problem] = {}
    for row in observed:
        at = names.option(row, problems)
        if at is None:
            continue
        option, work = at
        key = names.keys[option]
        if row.at_s <= counted.get(key, -math.inf):
            continue
        if key not in result:
            result[key] = _fresh(names, key, option)
        _take(result[key], row, work)
    if problems:
        raise InputError([*problems.values()])
    for known in result.values():
        _settle(known)
    return result


def with_calibration(instance: Instance, found: Mapping[Key, Calibrated]) -> Instance:
    """Return the instance with the figures that calibration found, and their intervals.

    What is stated at most as an estimate, and was observed often enough, is one no longer.
    """
    options, names = instance.options, _Names(instance)
    columns = {
        name: getattr(options, name).copy()
        for name in (
            *("time_s", "time_low_s", "time_high_s"),
            *("energy_j", "energy_low_j", "energy_high_j", "estimated"),
        )
    }
    for key, known in found.items():
        option = names.options.get(key)
        if option is None or not known.count:
            continue
        figures = [("time", "s", known.time)]
        if known.energies:
            figures.append(("energy", "j", known.energy))
        for what, unit, figure in figures:
            columns[f"{what}_{unit}"][option] = figure.value
            columns[f"{what}_low_{unit}"][option] = figure.low
            columns[f"{what}_high_{unit}"][option] = figure.high
        columns["estimated"][option] = known.still_estimated
    return replace(instance, options=replace(options, **columns))


def _take(known: Calibrated, row: Observation, work: float) -> None:
    known.count += 1
    known.added += 1
    known.until_s = max(known.until_s, row.at_s)
    ratio = row.time_s / (work * known.time.prior)
    known.watch.add(round(math.log(ratio), DIGITS), row.at_s)
    if row.energy_j > 0 and known.energy.prior > 0:
        known.energies.append(round(math.log(row.energy_j / (work * known.energy.prior)), DIGITS))
        known.energy_at.append(row.at_s)
        if len(known.energies) > KEPT:
            del known.energies[0], known.energy_at[0]


def _settle(known: Calibrated) -> None:
    """Compute the figures from what is kept."""
    watch = known.watch
    since = watch.times[0] if watch.times else -math.inf
    kept = [at >= since for at in known.energy_at]
    known.energies = [v for v, keep in zip(known.energies, kept, strict=True) if keep]
    known.energy_at = [v for v in known.energy_at if v >= since]
    if not watch.samples:
        return
    samples = np.array(watch.samples)
    outlier = _figure(known.time, samples, known)
    known.outliers = int(outlier.sum())
    factors = np.exp(samples - math.log(known.time.value / known.time.prior))
    order = np.argsort(-np.abs(np.log(factors)), kind="stable")
    known.worst = [(float(factors[i]), watch.times[i]) for i in order.tolist() if outlier[i]][
        :WORST_SHOWN
    ]
    if known.energies:
        _figure(known.energy, np.array(known.energies), known)


def _figure(figure: Figure, samples: Floats, known: Calibrated) -> Bools:
    """Set a figure from its log ratios; return which of these are outliers."""
    found = robust_location(samples)
    count = len(samples) - float(found.outlier.sum())
    # Figures of before a change say little of what holds now.
    prior_count = PRIOR_COUNT[known.estimated] if not known.watch.changes else 0.0
    location = shrunk(found.location, count, 0.0, prior_count)
    spread = shrunk_spread(found.spread, count, figure.prior_spread, SPREAD_COUNT)
    z = NormalDist().inv_cdf((1 + known.interval) / 2)
    figure.value = _rounded(figure.prior * math.exp(location))
    # An outcome scatters, what was observed is uncertain by that over √count, and the prior by its
    # own doubt, as far as it still counts.
    doubt = figure.prior_doubt * prior_count / (count + prior_count)
    width = z * math.hypot(spread, spread / math.sqrt(max(count, 1.0)), doubt)
    figure.low = _rounded(figure.value * math.exp(-width))
    figure.high = _rounded(figure.value * math.exp(width))
    return found.outlier


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _fresh(names: _Names, key: Key, option: int) -> Calibrated:
    options = names.instance.options
    estimated, share = bool(options.estimated[option]), float(options.interval[option])
    z = NormalDist().inv_cdf((1 + share) / 2)

    def figure(value: float, low: float, high: float) -> Figure:
        stated = math.log(high / low) / (2 * z) if low > 0 and high > low else math.nan
        if estimated:
            return Figure(value, PRIOR_SPREAD, PRIOR_DOUBT if math.isnan(stated) else stated, value)
        return Figure(value, PRIOR_SPREAD if math.isnan(stated) else stated, 0.0, value)

    return Calibrated(
        key,
        estimated,
        share,
        figure(
            float(options.time_s[option]),
            float(options.time_low_s[option]),
            float(options.time_high_s[option]),
        ),
        figure(
            float(options.energy_j[option]),
            float(options.energy_low_j[option]),
            float(options.energy_high_j[option]),
        ),
    )


def _still_holds(names: _Names, known: Calibrated) -> bool:
    """Whether the instance still says of an option what was known of it."""
    option = names.options.get(known.key)
    if option is None:
        return False
    stated = float(names.instance.options.time_s[option])
    return any(
        math.isclose(stated, value, rel_tol=1e-5) for value in (known.time.value, known.time.prior)
    )


class _Names:
    """Names of telemetry to options of the instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        profiles, options = instance.profiles, instance.options
        profile = np.repeat(np.arange(len(profiles)), np.diff(profiles.ptr))
        self.keys: list[Key] = [
            (str(p), str(d), str(label))
            for p, d, label in zip(
                profiles.name[profile].tolist(),
                instance.devices.name[options.device].tolist(),
                options.label.tolist(),
                strict=True,
            )
        ]
        self.options = {key: i for i, key in enumerate(self.keys)}
        self.devices = {*instance.devices.name.tolist()}
        self.tasks: dict[str, tuple[str, float]] = {
            str(name): (str(name), 1.0) for name in profiles.name.tolist()
        }
        named = profiles.name[instance.tasks.profile].tolist()
        works = instance.tasks.work.tolist()
        for name, of, work in zip(instance.tasks.name.tolist(), named, works, strict=True):
            # Repetitions of a periodic task are one task.
            plain = str(name).rpartition("@")[0] if _is_repetition(str(name)) else str(name)
            self.tasks[plain] = self.tasks[str(name)] = (str(of), float(work))

    def option(self, row: Observation, problems: dict[str, Problem]) -> tuple[int, float] | None:
        """Return the option of a row and the work of its task; else record what is unknown."""
        if row.task not in self.tasks:
            self._unknown(problems, row, "task", row.task, self.tasks)
            return None
        profile, work = self.tasks[row.task]
        if row.device not in self.devices:
            self._unknown(problems, row, "device", row.device, self.devices)
            return None
        option = self.options.get((profile, row.device, row.label))
        mine = [label for p, d, label in self.keys if p == profile and d == row.device]
        if option is None and not row.label and len(mine) == 1:
            option = self.options[profile, row.device, mine[0]]
        if option is None:
            where = f"label of {row.task} on {row.device}"
            self._unknown(problems, row, where, row.label, mine)
            return None
        if not self.instance.options.time_s[option] > 0:
            text = "An option that takes time: ratios to a time of 0 mean nothing."
            problems.setdefault(f"zero {option}", Problem(row.place, row.label, text))
            return None
        return option, work

    def _unknown(
        self,
        problems: dict[str, Problem],
        row: Observation,
        what: str,
        name: str,
        known: Iterable[str],
    ) -> None:
        listed = [*known]
        near = get_close_matches(name, listed, n=3, cutoff=0.5) or listed[:5]
        hint = f"{', '.join(text or '(none)' for text in near)}" if near else "it has no option"
        problems.setdefault(
            f"{what} {name}", Problem(row.place, name, f"A {what} of the instance: {hint}.")
        )


def _is_repetition(name: str) -> bool:
    head, mark, tail = name.rpartition("@")
    return bool(head and mark) and tail.isdigit()
