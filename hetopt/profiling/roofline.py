"""Times and energies of what nobody measured, from data sheets and from runs of similar processors.

The time of a task is Σ over its operators of roofline / fraction + launch. Fractions
(:mod:`hetopt.profiling.efficiencies`) of the processor itself are taken where it was measured;
else the weighted geometric mean of those of other processors of its kind. The weight of one is
exp(-d²/2) with

    d² = (ln(its power limit / the target's) / 0.5)² + (2 if its maker is another, else 0)²:

small power-limited cards stay far below their data sheet and large ones do not, so power is the
similarity that counts. The 0.5 (a factor of 1.65) was set once, for all kinds.

The interval follows from leaving each of these processors out in turn: what the others would have
said of it, against what it did, weighted as above and shrunk to PRIOR_SD by one observation. It is
taken as lognormal and common to all operators of a class; what runs of one processor scatter adds
to it. Where a class or precision was not measured on any processor of the kind, the nearest one
that was is taken, and STEP_SD added for each step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

from hetopt.errors import InputError, Problem
from hetopt.profiling.capabilities import Capability, capability
from hetopt.profiling.efficiencies import (
    KERNELS,
    NETWORKS,
    POWER,
    Efficiency,
    launch_s,
    shipped,
)
from hetopt.profiling.operator_work import NEXT_CLASS, OperatorWork, as_network

POWER_SCALE = 0.5
"""Difference of ln power that counts as one step of dissimilarity."""
OTHER_MAKER = 2.0
"""Steps of dissimilarity between makers."""
UNKNOWN_POWER = 1.0
"""Steps where a processor states no power limit."""
PRIOR_SD = 0.35
"""Standard deviation of ln fraction between processors, before any was seen (one observation)."""
STEP_SD = 0.35
"""Added (in quadrature) for each step to another precision or class of operator."""
PARTS_SD = 0.2
"""Deviation of ln time of a part of a task whose whole time is known."""
LAUNCH_SD = 0.3
"""Deviation of ln launch time: launches overlap with work, more or less, by runtime."""
UNCALIBRATED = (0.1, 0.35, 1.0)
"""Fractions of the roofline, low, middle and high, where nothing was measured."""
POWER_REACH = 4.0
"""How many times as high or low a power limit may be of which a draw is said by another's."""
UNCALIBRATED_POWER = (0.25, 0.6, 1.0)
"""Parts of the power limit that are drawn, where nothing was measured."""
UNCALIBRATED_CPU_POWER = (0.25, 0.8, 2.5)
"""The same of CPUs, whose limit is at the base clock: turbo draws up to 115 W of a Core i7-12700H's
45 W (Intel ARK), a single thread a small part."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimated option: figures, their intervals, and what they rest on.

    Attributes
    ----------
    time_s, time_low_s, time_high_s
        Time of one execution, and the ends of its interval.
    energy_j, energy_low_j, energy_high_j
        Energy above idle; NaN where nothing says what the processor draws.
    power_w
        Whole draw while it runs; NaN as above.
    interval
        Share of outcomes that the intervals claim to hold.
    calibrated
        Whether measured runs stand behind the time.
    basis
        Sentences: whose runs, which steps away.
    """

    time_s: float
    time_low_s: float
    time_high_s: float
    energy_j: float
    energy_low_j: float
    energy_high_j: float
    power_w: float
    interval: float
    calibrated: bool
    basis: tuple[str, ...]

    def option_fields(self) -> dict[str, float | bool | str]:
        """Return the fields of an option: ``estimated: true``, figures, intervals, source."""
        fields: dict[str, float | bool | str] = {
            "time_s": self.time_s,
            "time_low_s": self.time_low_s,
            "time_high_s": self.time_high_s,
        }
        if not math.isnan(self.energy_j):
            fields |= {
                "energy_j": self.energy_j,
                "energy_low_j": self.energy_low_j,
                "energy_high_j": self.energy_high_j,
            }
        return fields | {
            "interval": self.interval,
            "estimated": True,
            "source": f"estimated: {' '.join(self.basis)}",
        }


def estimate(
    works: Iterable[OperatorWork],
    device: str | Capability,
    *,
    calibration: Sequence[Efficiency] | None = None,
    interval: float = 0.9,
    uncalibrated: bool = False,
    idle_power_w: float = 0.0,
    measured: Mapping[str, float] | None = None,
    correction: Correction | None = None,
) -> Estimate:
    """Estimate one execution of a task on a processor.

    Parameters
    ----------
    works
        The task's operators, or sums of those that are alike.
    device
        The processor, or its ID in the capabilities.
    calibration
        Fractions to go by; default: those that ship with hetopt. Rows of the processor itself have
        precedence over all others: add what :func:`hetopt.profiling.efficiencies.fit` returns.
    interval
        Share of outcomes that the interval shall hold.
    uncalibrated
        Estimate from the data sheet alone, at a wide interval, where nothing was measured.
    idle_power_w
        Idle power of a unit: energies are above it. With 0 they are whole energies.
    measured
        Times of the same task, at the same precision, on other processors, s, by ID: what the
        model says wrong of them, it is expected to say wrong here.
    correction
        Of a task that this one is a part of, as :func:`correct` found it; instead of ``measured``.

    Raises
    ------
    InputError
        Where no peak rate is stated for a precision, and where nothing calibrates the processor and
        ``uncalibrated`` is not set.
    """
    if not 0 < interval < 1:
        text = "A share of more than 0 and less than 1."
        raise InputError([Problem("interval", f"{interval:g}", text)])
    processor = device if isinstance(device, Capability) else capability(device)
    rows = tuple(shipped() if calibration is None else calibration)
    listed = tuple(works)
    found = _predict(listed, processor, rows, uncalibrated)
    z = NormalDist().inv_cdf((1 + interval) / 2)
    time, sd = found.time_s, found.sd
    basis = [*found.basis]
    if correction is None and measured:
        correction = correct(listed, processor, measured, rows)
    if correction is not None:
        time *= correction.factor
        sd = correction.sd
        basis.append(correction.basis)
    low, high = time * math.exp(-z * sd), time * math.exp(z * sd)
    if not found.calibrated and correction is None:
        # Nothing runs faster than its roofline.
        low, high = found.bare_s / UNCALIBRATED[2], found.bare_s / UNCALIBRATED[0]
    power, power_sd, said = _power(processor, rows, uncalibrated)
    basis += [said] if said else []
    energy, energy_low, energy_high = _energy(
        (time, low, high), power, (sd, power_sd), z, idle_power_w
    )
    return Estimate(
        time,
        low,
        high,
        energy,
        energy_low,
        energy_high,
        power,
        interval,
        found.calibrated,
        tuple(basis),
    )


def is_calibrated(
    device: str | Capability, calibration: Sequence[Efficiency] | None = None
) -> bool:
    """Whether measured runs of the processor, or of one of its kind, exist."""
    processor = device if isinstance(device, Capability) else capability(device)
    rows = shipped() if calibration is None else calibration
    return any(row.operator != POWER and _kind(row) == processor.kind for row in rows)


class Correction(NamedTuple):
    """What measured times say of an estimate: a factor, and the deviation that is left."""

    factor: float
    sd: float
    basis: str


class _Prediction(NamedTuple):
    """A time, the standard deviation of its logarithm, and where they come from.

    ``bare_s`` is the time at the roofline itself, launches included.
    """

    time_s: float
    sd: float
    bare_s: float
    calibrated: bool
    basis: tuple[str, ...]


class _Fraction(NamedTuple):
    log_fraction: float
    between_sd: float
    within_sd: float
    donors: tuple[str, ...]
    steps: str


def _predict(
    works: Sequence[OperatorWork],
    processor: Capability,
    rows: Sequence[Efficiency],
    uncalibrated: bool,
) -> _Prediction:
    mine = [row for row in rows if row.operator != POWER and _kind(row) == processor.kind]
    counted = _counted(works, processor, mine)
    mine = [row for row in mine if row.counted == counted]
    listed = as_network(works) if counted == NETWORKS else works
    fractions: dict[tuple[str, str], _Fraction | None] = {}
    by_class: dict[tuple[str, str], float] = {}
    launched = bare = 0.0
    for work in listed:
        key = (work.operator, work.precision)
        if key not in fractions:
            fractions[key] = _fraction(*key, processor, mine)
        roofline = processor.roofline_s(work)
        bare += roofline
        if counted == KERNELS:
            launched += launch_s(processor) * work.launches
        found = fractions[key]
        if found is not None:
            by_class[key] = by_class.get(key, 0.0) + roofline / math.exp(found.log_fraction)
        elif roofline > 0:
            if not uncalibrated:
                raise InputError([_nothing(processor, work)])
            by_class[key] = by_class.get(key, 0.0) + roofline / UNCALIBRATED[1]
    time = launched + sum(by_class.values())
    if time <= 0:
        text = "Operators that take time: floating-point operations, bytes or launches."
        raise InputError([Problem("works", "", text)])
    between, within = LAUNCH_SD * launched / time, 0.0
    donors: dict[str, None] = {}
    steps: dict[str, None] = {}
    calibrated = True
    for key, part in by_class.items():
        known, share = fractions[key], part / time
        if not part:
            continue
        if known is None:
            calibrated = False
            continue
        between += share * known.between_sd  # the same processor: all classes are off together
        within += (share * known.within_sd) ** 2
        donors |= dict.fromkeys(known.donors)
        steps |= dict.fromkeys([known.steps] if known.steps else [])
    basis = []
    if donors:
        own = [*donors] == [processor.device]
        whose = ", ".join([*donors][:4]) + (" and others" if len(donors) > 4 else "")
        basis.append("fractions measured on it." if own else f"fractions of {whose}.")
    basis += [*steps]
    if not calibrated:
        basis.append("From the data sheet alone.")
    sd = math.sqrt(between**2 + within)
    return _Prediction(time, sd, launched + bare, calibrated, tuple(basis))


def _counted(
    works: Sequence[OperatorWork], processor: Capability, rows: Sequence[Efficiency]
) -> str:
    """Return how works are to be counted: as the nearest rows of their main class were.

    Where nothing of the class and precision was measured, of any precision; ties go to kernels.
    """
    main = max(works, key=lambda w: (w.flop, w.bytes_b), default=None)
    if main is None or not rows:
        return KERNELS
    tried = main.operator
    for _ in NEXT_CLASS:
        of_class = [row for row in rows if row.operator == tried]
        exact = [row for row in of_class if row.precision == main.precision]
        for found in (exact, of_class):
            if found:
                best = max(
                    found, key=lambda row: (_nearness(row, processor), row.counted == KERNELS)
                )
                return best.counted
        tried = NEXT_CLASS[tried]
    return rows[0].counted


def _nearness(row: Efficiency, processor: Capability) -> float:
    return math.inf if row.device == processor.device else _weight(row, processor)


def _nothing(processor: Capability, work: OperatorWork) -> Problem:
    text = (
        f"Measured runs of a processor of kind {processor.kind} to calibrate {processor.device} "
        "by; there are none. --uncalibrated (uncalibrated=True) estimates from its data sheet, at "
        "an interval as wide as that deserves."
    )
    return Problem("estimate", f"{work.operator} {work.precision}", text)


def _fraction(
    operator: str, precision: str, processor: Capability, rows: Sequence[Efficiency]
) -> _Fraction | None:
    """Return the fraction for a class, of the nearest class and precision that was measured.

    ``rows`` are of the processor's kind, and counted alike.
    """
    steps, tried = 0, operator
    seen = {tried}
    while True:
        of_class = [row for row in rows if row.operator == tried]
        exact = [row for row in of_class if row.precision == precision]
        for found, step in ((exact, 0), (of_class, 1)):
            if found:
                said = "" if not steps + step else f"{operator} {precision} by "
                said += f"{tried} {found[0].precision}." if said else ""
                return _weighted(found, processor, STEP_SD * math.sqrt(steps + step), said)
        tried, steps = NEXT_CLASS[tried], steps + 1
        if tried in seen:
            rest = [row for row in rows if row.operator not in seen]
            said = f"{operator} {precision} by whatever was measured."
            return _weighted(rest, processor, STEP_SD * math.sqrt(steps), said) if rest else None
        seen.add(tried)


def _weighted(
    rows: Sequence[Efficiency], processor: Capability, step_sd: float, said: str
) -> _Fraction:
    own = [row for row in rows if row.device == processor.device]
    if own:
        rows = own
    weights = [_weight(row, processor) for row in rows]
    total = sum(weights)
    mean = sum(w * math.log(row.fraction) for w, row in zip(weights, rows, strict=True)) / total
    within = sum(w * row.spread for w, row in zip(weights, rows, strict=True)) / total
    donors = tuple(
        dict.fromkeys(
            row.device
            for w, row in sorted(zip(weights, rows, strict=True), key=lambda pair: -pair[0])
        )
    )
    between = 0.0 if own else _between(rows, weights)
    return _Fraction(mean, math.hypot(between, step_sd), within, donors, said)


def _between(rows: Sequence[Efficiency], weights: Sequence[float]) -> float:
    """Return the standard deviation between processors, from leaving each one out."""
    largest = max(weights)
    squares, seen = PRIOR_SD**2, 1.0
    for row, weight in zip(rows, weights, strict=True):
        others = [other for other in rows if other.device != row.device]
        if not others:
            continue
        target = capability(row.device)
        near = [_weight(other, target) for other in others]
        said = sum(w * math.log(o.fraction) for w, o in zip(near, others, strict=True)) / sum(near)
        part = weight / largest
        squares += part * (math.log(row.fraction) - said) ** 2
        seen += part
    return math.sqrt(squares / seen)


def _weight(row: Efficiency, processor: Capability) -> float:
    other = capability(row.device)
    if math.isnan(other.power_w) or math.isnan(processor.power_w):
        steps = 0.0 if other.device == processor.device else UNKNOWN_POWER
    else:
        steps = math.log(other.power_w / processor.power_w) / POWER_SCALE
    maker = 0.0 if other.vendor == processor.vendor else OTHER_MAKER
    return max(math.exp(-(steps**2 + maker**2) / 2), 1e-12)


def _kind(row: Efficiency) -> str:
    return capability(row.device).kind


def correct(
    works: Iterable[OperatorWork],
    device: str | Capability,
    measured: Mapping[str, float],
    calibration: Sequence[Efficiency] | None = None,
) -> Correction | None:
    """Return what measured times of a whole task say of the estimate of its parts.

    What a fit says wrong of a task has a part that is the task's own (its shapes, its fusions),
    the same on all processors. Each measured processor shows it, against what its own fractions
    say. A time on the processor itself settles the sum: only its division among parts is open.

    Parameters
    ----------
    works
        The whole task's operators.
    device
        The processor that is estimated.
    measured
        Times of the whole task, s, by ID of the processor.
    calibration
        As in :func:`estimate`.

    Returns
    -------
    Correction or None
        None where no measured processor is one that fractions are known for.
    """
    processor = device if isinstance(device, Capability) else capability(device)
    rows = tuple(shipped() if calibration is None else calibration)
    listed = tuple(works)
    logs, weights = [], []
    for name, time in measured.items():
        other = capability(name)
        if not time > 0:
            text = "A measured time of more than 0."
            raise InputError([Problem(f"measured on {name}", f"{time:g}", text)])
        says = _predict(listed, other, rows, True)
        if other.device == processor.device:
            said = f"The whole task measured on it ({time:.4g} s)."
            return Correction(time / says.time_s, PARTS_SD, said)
        if says.calibrated:
            logs.append(math.log(time / says.time_s))
            row = Efficiency(other.device, "other", "fp32", 1.0, 0.0, 1)
            weights.append(_weight(row, processor))
    if not logs:
        return None
    total = sum(weights)
    mean = sum(w * v for w, v in zip(weights, logs, strict=True)) / total
    apart = sum(w * (v - mean) ** 2 for w, v in zip(weights, logs, strict=True)) / total
    here = _predict(listed, processor, rows, True)
    common = _common(listed, processor, rows)
    within = max(here.sd**2 - common**2, 0.0)
    # What one task scatters between processors, with the fit's own scatter as one observation.
    left = (within + len(logs) * apart) / (1 + len(logs))
    said = f"The same task measured on {', '.join(measured)}."
    return Correction(math.exp(mean), math.sqrt(common**2 + left), said)


def _common(
    works: Sequence[OperatorWork], processor: Capability, rows: Sequence[Efficiency]
) -> float:
    """Return the part of the deviation that is the processor's."""
    plain = [replace(row, spread=0.0) for row in rows]
    return _predict(works, processor, plain, True).sd


def _power(
    processor: Capability, rows: Sequence[Efficiency], uncalibrated: bool
) -> tuple[float, float, str]:
    """Return the whole draw while running, the deviation of its logarithm, and what it rests on."""
    nan = float("nan")
    if math.isnan(processor.power_w):
        return nan, nan, "No power limit is stated, so no energy."
    if processor.power_shared:
        return nan, nan, "Its power limit is that of the whole chip, so no energy."
    known = [row for row in rows if row.operator == POWER and _kind(row) == processor.kind]
    mine = [row for row in known if _steps(row, processor) <= math.log(POWER_REACH)]
    if known and not mine and not uncalibrated:
        said = f"No draw of a processor of kind {processor.kind} of about this power limit is known"
        return nan, nan, f"{said}, so no energy."
    if mine:
        found = _weighted(mine, processor, 0.0, "")
        sd = math.hypot(found.between_sd, found.within_sd)
        return min(math.exp(found.log_fraction), 1.0) * processor.power_w, sd, ""
    if not uncalibrated:
        return nan, nan, f"No draw of a processor of kind {processor.kind} is known, so no energy."
    cpu = processor.kind == "cpu"
    low, middle, high = UNCALIBRATED_CPU_POWER if cpu else UNCALIBRATED_POWER
    sd = math.log(high / low) / 2 / NormalDist().inv_cdf(0.95)
    return middle * processor.power_w, sd, "Draw from the power limit alone."


def _steps(row: Efficiency, processor: Capability) -> float:
    """How far apart two power limits are, as the absolute logarithm of their quotient."""
    return abs(math.log(capability(row.device).power_w / processor.power_w))


def _energy(
    times: tuple[float, float, float],
    power: float,
    sds: tuple[float, float],
    z: float,
    idle: float,
) -> tuple[float, float, float]:
    """Return the energy above idle and its interval; time and draw vary on their own."""
    time, low, high = times
    if math.isnan(power):
        return power, power, power
    above = max(power - idle, 0.0)
    energy = above * time
    spread_low = math.hypot(math.log(time / low), z * sds[1])
    spread_high = math.hypot(math.log(high / time), z * sds[1])
    return energy, energy * math.exp(-spread_low), energy * math.exp(spread_high)
