"""Which part of its roofline a processor reaches, by class of operator: fitted and looked up.

An operator's time is modelled as ``roofline / fraction + launch``, with the roofline of
:meth:`hetopt.profiling.capabilities.Capability.roofline_s` and one fraction for each processor,
class of operator and precision (Williams, Waterman and Patterson, CACM 52(4), 2009, with an
efficiency per class). :func:`fit` finds fractions from measured runs;
``hetopt/data/efficiencies.csv``, made by ``tools/build_efficiencies.py``, ships those of public
measurements, each with its source.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np

from hetopt.profiling.capabilities import Capability, capability
from hetopt.profiling.operator_work import MATRIX_CLASSES, OperatorWork, as_network

POWER = "power"
"""Class of rows that say which part of its power limit a processor draws while it runs."""
KERNELS, NETWORKS = "kernels", "networks"
"""How works behind a row were counted."""
FEW_RUNS = 10
"""Networks below which nothing tells traffic from arithmetic: traffic is held at its roofline."""
LAUNCH_S = {"gpu": 10e-6, "cpu": 1e-6}
"""Launch time of kinds of processor, where a processor states none."""
MOST_OF_PEAK = {"cpu": 2.5}
"""Largest fraction by kind, else 1: a CPU's peak is at its base clock, and it runs above it."""
PRIOR_SPREAD = 0.3
"""Spread of runs before any was seen, which counts as one run."""
ROUNDS, LEAST_RESIDUAL = 20, 0.03
"""Rounds of reweighting, and the relative residual below which all count alike."""


@dataclass(frozen=True, slots=True)
class Efficiency:
    """The fraction of its roofline that a processor reaches in one class of operator.

    Attributes
    ----------
    device, operator, precision
        Processor (an ID of the capabilities), class of operator, precision.
    fraction
        Roofline over measured time without launches; of ``power`` rows the whole draw over the
        power limit.
    spread
        Standard deviation of the logarithm of measured over predicted time, run by run.
    rows
        Runs that it was fitted on.
    counted
        ``kernels`` where operators were measured one by one, ``networks`` where only whole networks
        were, counted as :func:`hetopt.profiling.operator_work.as_network` does.
    source, licence
        Where they come from.
    """

    device: str
    operator: str
    precision: str
    fraction: float
    spread: float
    rows: int
    source: str = ""
    licence: str = ""
    counted: str = KERNELS


@dataclass(frozen=True, slots=True)
class Run:
    """A measured run: what it did and how long it took.

    Attributes
    ----------
    works
        The operators, or their sums by class.
    time_s
        Time of one execution.
    """

    works: tuple[OperatorWork, ...]
    time_s: float


def launch_s(device: Capability) -> float:
    """Return the time that starting an operator takes; 0 where nothing is known of the kind."""
    return LAUNCH_S.get(device.kind, 0.0) if math.isnan(device.launch_s) else device.launch_s


def fit(
    device: str | Capability,
    runs: Sequence[Run],
    source: str = "",
    licence: str = "",
    counted: str = KERNELS,
) -> tuple[Efficiency, ...]:
    """Fit the fractions of one processor on measured runs.

    Measured times are a non-negative combination of the rooflines of the classes. Least absolute
    relative residuals are found by reweighted bounded least squares, so that single runs that went
    wrong do not carry the fit. A class that the runs do not determine gets no row.

    Parameters
    ----------
    device
        The processor.
    runs
        Measured runs with a time of more than 0.
    source, licence
        Kept with the result.
    counted
        ``networks``: of each run only the whole time is known.

    Returns
    -------
    tuple of Efficiency
        One for each class of operator and precision that the runs determine.
    """
    from scipy.optimize import lsq_linear

    processor = device if isinstance(device, Capability) else capability(device)
    launch = launch_s(processor)
    works = [as_network(run.works) if counted == NETWORKS else run.works for run in runs]
    keys = list(dict.fromkeys((w.operator, w.precision) for listed in works for w in listed))
    column = {key: j for j, key in enumerate(keys)}
    roof, net = np.zeros((len(runs), len(keys))), np.empty(len(runs))
    for i, (run, listed) in enumerate(zip(runs, works, strict=True)):
        for work in listed:
            roof[i, column[work.operator, work.precision]] += processor.roofline_s(work)
        # Launches of a network overlap with its work, or are part of what is fitted.
        started = 0.0 if counted == NETWORKS else launch * sum(w.launches for w in listed)
        net[i] = max(run.time_s - started, 0.1 * run.time_s)
    kept = [key for j, key in enumerate(keys) if roof[:, j].max(initial=0.0) > 0]
    if not len(runs) or not kept:
        return ()
    scaled = roof[:, [column[key] for key in kept]] / net[:, None]
    least = np.full(len(kept), 1 / MOST_OF_PEAK.get(processor.kind, 1.0))
    most = np.full(len(kept), np.inf)
    if counted == NETWORKS and len(runs) < FEW_RUNS:
        held = [key[0] not in (*MATRIX_CLASSES, "depthwise-conv") for key in kept]
        least[held], most[held] = 1.0, 1.0 + 1e-9
    weight = np.ones(len(runs))
    for _ in range(ROUNDS):
        found = lsq_linear(scaled * weight[:, None], weight, bounds=(least, most), method="bvls")
        residual = scaled @ found.x - 1
        weight = 1 / np.sqrt(np.maximum(np.abs(residual), LEAST_RESIDUAL))
    share = scaled * found.x
    log_residual = np.log(np.maximum(scaled @ found.x, 1e-9))
    rows = []
    for j, (operator, precision) in enumerate(kept):
        weights = share[:, j]
        # Of less than a hundredth of any run nothing is learnt.
        if weights.max() < 0.01:
            continue
        fraction = float(1 / found.x[j])
        taking_part = int((weights >= 0.01).sum())
        variance = float(np.average(log_residual**2, weights=weights))
        spread = math.sqrt((taking_part * variance + PRIOR_SPREAD**2) / (taking_part + 1))
        rows.append(
            Efficiency(
                processor.device,
                operator,
                precision,
                fraction,
                spread,
                taking_part,
                source,
                licence,
                counted,
            )
        )
    return tuple(rows)


@lru_cache(maxsize=1)
def shipped() -> tuple[Efficiency, ...]:
    """Return the fractions that ship with hetopt."""
    with files("hetopt").joinpath("data", "efficiencies.csv").open(encoding="utf-8") as file:
        return tuple(_efficiency(row) for row in csv.DictReader(file))


def table(rows: Iterable[Efficiency]) -> list[dict[str, Any]]:
    """Return rows as dictionaries, rounded to what they are worth, for a CSV file."""
    return [
        {
            "device": row.device,
            "operator": row.operator,
            "precision": row.precision,
            "fraction": f"{row.fraction:.4g}",
            "spread": f"{row.spread:.3g}",
            "rows": row.rows,
            "counted": row.counted,
            "source": row.source,
            "licence": row.licence,
        }
        for row in rows
    ]


def _efficiency(row: Mapping[str, str]) -> Efficiency:
    return Efficiency(
        device=row["device"],
        operator=row["operator"],
        precision=row["precision"],
        fraction=float(row["fraction"]),
        spread=float(row["spread"]),
        rows=int(row["rows"]),
        source=row["source"],
        licence=row["licence"],
        counted=row["counted"],
    )
