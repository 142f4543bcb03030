"""Times and energies of what nobody measured, from data sheets and from runs of similar processors.

The time of a task is Σ over its operators of roofline / fraction + launch, with the fraction of
each class of operators by :mod:`hetopt.profiling.fractions`. Its deviation is taken as lognormal
and common to all operators of a class.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

from hetopt.errors import InputError, Problem
from hetopt.profiling.capabilities import Capability, capability
from hetopt.profiling.efficiencies import KERNELS, NETWORKS, POWER, Efficiency, launch_s, shipped
from hetopt.profiling.fractions import (
    Fraction,
    counted_as,
    fraction_of,
    kind_of,
    power_steps,
    similarity,
    weighted,
)
from hetopt.profiling.operator_work import OperatorWork, as_network

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
    return any(row.operator != POWER and kind_of(row) == processor.kind for row in rows)


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


def _predict(
    works: Sequence[OperatorWork],
    processor: Capability,
    rows: Sequence[Efficiency],
    uncalibrated: bool,
) -> _Prediction:
    mine = [row for row in rows if row.operator != POWER and kind_of(row) == processor.kind]
    counted = counted_as(works, processor, mine)
    mine = [row for row in mine if row.counted == counted]
    listed = as_network(works) if counted == NETWORKS else works
    fractions: dict[tuple[str, str], Fraction | None] = {}
    by_class: dict[tuple[str, str], float] = {}
    launched = bare = 0.0
    for work in listed:
        key = (work.operator, work.precision)
        if key not in fractions:
            fractions[key] = fraction_of(*key, processor, mine)
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


def _nothing(processor: Capability, work: OperatorWork) -> Problem:
    text = (
        f"Measured runs of a processor of kind {processor.kind} to calibrate {processor.device} "
        "by; there are none. --uncalibrated (uncalibrated=True) estimates from its data sheet, at "
        "an interval as wide as that deserves."
    )
    return Problem("estimate", f"{work.operator} {work.precision}", text)


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
            weights.append(similarity(row, processor))
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
    known = [row for row in rows if row.operator == POWER and kind_of(row) == processor.kind]
    mine = [row for row in known if power_steps(row, processor) <= math.log(POWER_REACH)]
    if known and not mine and not uncalibrated:
        said = f"No draw of a processor of kind {processor.kind} of about this power limit is known"
        return nan, nan, f"{said}, so no energy."
    if mine:
        found = weighted(mine, processor, 0.0, "")
        sd = math.hypot(found.between_sd, found.within_sd)
        return min(math.exp(found.log_fraction), 1.0) * processor.power_w, sd, ""
    if not uncalibrated:
        return nan, nan, f"No draw of a processor of kind {processor.kind} is known, so no energy."
    cpu = processor.kind == "cpu"
    low, middle, high = UNCALIBRATED_CPU_POWER if cpu else UNCALIBRATED_POWER
    sd = math.log(high / low) / 2 / NormalDist().inv_cdf(0.95)
    return middle * processor.power_w, sd, "Draw from the power limit alone."


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
