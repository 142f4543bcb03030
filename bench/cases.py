"""The registry of cases: published instances with their best-known values, and generated ones.

A case is one instance and one question. Families are the folders of the reference data
(``benchmarks/`` of the folder that the environment's HETOPT_SHARED names, else of ``shared``
beside the repository), each with a table ``bks.csv`` of best-known values; ``generated`` and
``shipped`` need no reference data. A family whose reader hetopt does not have is listed as such.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Measure:
    """What the published values of a family measure, and how it follows from our objective.

    Parameters
    ----------
    name
        What is published: ``makespan``, ``cost``, ``load`` ...
    objective
        Objective to ask hetopt for; empty: the instance's own.
    scale
        Published value of an objective of 1.
    inverse
        Whether the published value is ``scale / objective`` instead of ``scale * objective``.
    maximised
        Whether more of the published value is better.
    """

    name: str
    objective: str = ""
    scale: float = 1.0
    inverse: bool = False
    maximised: bool = False

    def published(self, value: float) -> float:
        """Convert an objective or bound of hetopt (NaN stays NaN)."""
        if not self.inverse:
            return self.scale * value
        return self.scale / value if value else math.inf


@dataclass(frozen=True, slots=True)
class Case:
    """One instance and question.

    Parameters
    ----------
    family, instance
        Names; together they identify the case.
    path
        The file; empty for generated instances.
    format
        Name of hetopt's format.
    measure
        What is compared with the best-known value.
    best_known, lower_bound
        Values in the family's own measure, published or "measured here" (as the source in the
        family's ``bks.csv`` says); None where there are none.
    optimal
        Whether the best-known value is proven optimal.
    settings
        What the file leaves open: its ``platform``, what to ``set`` (as ``--set`` does), or the
        arguments of a generator.
    """

    family: str
    instance: str
    path: str
    format: str
    measure: Measure
    best_known: float | None = None
    lower_bound: float | None = None
    optimal: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Case:
        """Undo `as_dict`."""
        return Case(**{**values, "measure": Measure(**values["measure"])})


@dataclass(frozen=True, slots=True)
class Family:
    """A family of cases.

    Parameters
    ----------
    format
        Name of hetopt's format; empty where there will be none.
    about
        What it is, in a few words.
    load
        Lists the cases from the family's folder and the format's name.
    """

    format: str
    about: str
    load: Callable[[Path, str], Iterator[Case]]


def cases(family: str) -> list[Case]:
    """Return the cases of a family, none where its folder is missing.

    Raises
    ------
    KeyError
        If there is no such family.
    """
    entry = FAMILIES[family]
    return list(entry.load(benchmarks() / family, entry.format))


def missing(family: str) -> str:
    """Say why a family cannot be run now, as a full sentence; empty where it can be."""
    entry = FAMILIES[family]
    if not entry.format:
        return "hetopt has no reader for this family, and needs none."
    if entry.format not in _known_formats():
        return f"This version of hetopt has no reader for the format {entry.format}."
    if entry.load not in (_generated, _limits, _shipped) and not (benchmarks() / family).is_dir():
        return f"The reference data are not in {benchmarks()}; set HETOPT_SHARED to their folder."
    return ""


def benchmarks() -> Path:
    """Return the folder of the published instances."""
    shared = Path(os.environ.get("HETOPT_SHARED") or REPO.parent / "shared")
    return shared.resolve() / "benchmarks"  # children work in a folder of their own


def _known_formats() -> set[str]:
    from hetopt.formats.registry import formats

    return {f.name for f in formats()} | {"generate"}


MAKESPAN = Measure("makespan", "makespan")


def published(folder: Path, name: str = "bks.csv") -> list[dict[str, str]]:
    """Return the rows of a family's table of best-known values, none where it is missing."""
    try:
        with (folder / name).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _plain(measure: Measure) -> Callable[[Path, str], Iterator[Case]]:
    """Cases of a table with the usual columns."""

    def load(folder: Path, name: str) -> Iterator[Case]:
        for row in published(folder):
            yield _case(folder, name, row, measure)

    return load


def _case(folder: Path, name: str, row: dict[str, str], measure: Measure, **settings: Any) -> Case:
    return Case(
        family=folder.name,
        instance=row["instance"],
        path=str(folder / row["file"]),
        format=name,
        measure=measure,
        best_known=_number(row.get("best_known")),
        lower_bound=_number(row.get("lower_bound")),
        optimal=row.get("optimal") == "1",
        settings=settings,
    )


def _stg(folder: Path, name: str) -> Iterator[Case]:
    """By number of processors first, so that evenly spaced cases have all of them."""
    for row in sorted(published(folder), key=lambda row: int(row["procs"])):
        yield _case(folder, name, row, MAKESPAN, platform=f"cores-{row['procs']}")


def _dnn(folder: Path, name: str) -> Iterator[Case]:
    """Throughput asks for the least largest load: the inverse of requests/s."""
    load = Measure("largest load", "throughput", inverse=True)
    for row in published(folder):
        steady = row["instance"].startswith("throughput/")
        yield _case(folder, name, row, load if steady else MAKESPAN)


def _green(folder: Path, name: str) -> Iterator[Case]:
    """Both ends of the Pareto front: all instances for the one, then for the other.

    The exact front where there is one; published fronts are a heuristic's on many instances.
    """
    for measure, column, place in (
        (MAKESPAN, "min_cmax", 0),
        (Measure("energy cost", "cost"), "min_tec", 1),
    ):
        for row in published(folder):
            front = (folder / row["file"]).with_suffix(".exact")
            exact = front.exists()
            best = _least(front, place) if exact else _number(row[column])
            yield Case(
                family=folder.name,
                instance=f"{row['instance']}@{measure.name.replace(' ', '-')}",
                path=str(folder / row["file"]),
                format=name,
                measure=measure,
                best_known=best,
                lower_bound=best if exact else None,
                optimal=exact,
            )


def _least(front: Path, place: int) -> float:
    """Least value of one column of a front: a line a point, makespan and energy cost."""
    lines = front.read_text(encoding="utf-8").splitlines()
    return min(float(line.split()[place]) for line in lines if line.strip())


def _saga(folder: Path, name: str) -> Iterator[Case]:
    """Best known is the best of the heuristics whose results stand in the file."""
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        yield Case(
            family=folder.name,
            instance=path.stem,
            path=str(path),
            format=name,
            measure=MAKESPAN,
            best_known=float(data["best"]["makespan"]),
            lower_bound=max(float(b) for b in data["lower_bounds"].values()),
        )


def _melange(folder: Path, name: str) -> Iterator[Case]:
    """Free splitting of the one example, whose optimum both GPUs' full load proves, and slices.

    With the slices of the paper's own model the optimum is what its solver reports.
    """
    path = folder / "example.json"
    if not path.exists():
        return
    cost = Measure("cost", "cost")
    yield Case("melange", path.stem, str(path), name, cost, 4.68, 4.68, optimal=True)
    for slices, best in ((1, 6.70), (4, 5.69), (16, 5.69)):
        title = f"{path.stem}@slices{slices}"
        changes = {"set": [f"jobs.*.slices={slices}"]}
        yield Case(
            "melange", title, str(path), name, cost, best, best, optimal=True, settings=changes
        )


def _shipped(folder: Path, name: str) -> Iterator[Case]:
    """Return the instances of the repository, each with its own objective; nothing is published."""
    for path in sorted((REPO / "instances").glob("*.yaml")):
        yield Case("shipped", path.stem, str(path), name, Measure("objective"))


def _generated(folder: Path, name: str) -> Iterator[Case]:
    """Random instances, as ``hetopt generate`` makes them."""
    for tasks, devices in ((12, 3), (30, 4), (100, 6)):
        for objective, factor in (("makespan", None), ("energy", 1.5)):
            settings = {
                "regime": "schedule",
                "tasks": tasks,
                "devices": devices,
                "shape": "layered",
                "ccr": 0.5,
                "deadline_factor": factor,
                "seed": 0,
            }
            title = f"layered-{tasks}x{devices}-{objective}"
            measure = Measure(objective, objective)
            yield Case("generated", title, "", name, measure, settings=settings)
    for tasks, devices in ((20, 3), (200, 6)):
        settings = {
            "regime": "schedule",
            "tasks": tasks,
            "devices": devices,
            "shape": "independent",
            "ccr": 0.0,
            "deadline_factor": None,
            "seed": 0,
        }
        title = f"independent-{tasks}x{devices}-makespan"
        yield Case("generated", title, "", name, MAKESPAN, settings=settings)
    for workloads, devices in ((6, 3), (30, 8)):
        settings = {"regime": "steady", "workloads": workloads, "devices": devices, "seed": 0}
        title = f"steady-{workloads}x{devices}-power"
        yield Case("generated", title, "", name, Measure("power", "power"), settings=settings)


def _limits(folder: Path, name: str) -> Iterator[Case]:
    """Random graphs: least energy under a deadline, and under tight memory or a power cap too."""
    for tasks, devices in ((12, 3), (30, 4), (60, 8), (200, 8)):
        for limit, more in (
            ("deadline", {"deadline_factor": 1.1}),
            ("memory", {"deadline_factor": 1.5, "memory": "tight"}),
            ("cap", {"deadline_factor": 2.0, "power_cap_factor": 0.5}),
        ):
            settings = {
                "regime": "schedule",
                "tasks": tasks,
                "devices": devices,
                "shape": "layered",
                "ccr": 0.1,
                "seed": 5,
                **more,
            }
            title, measure = f"{limit}-{tasks}x{devices}", Measure("energy", "energy")
            yield Case("limits", title, "", name, measure, settings=settings)


SMOKE = (
    "generated/layered-12x3-makespan",
    "generated/independent-20x3-makespan",
    "generated/steady-6x3-power",
)
"""Cases that take seconds in all and need no reference data."""

FAMILIES: dict[str, Family] = {
    "fjsp": Family("fjsp", "flexible job shop", _plain(MAKESPAN)),
    "fajsp": Family("fajsp", "flexible shop, arbitrary precedence", _plain(MAKESPAN)),
    "jsp": Family("jsp", "classic job shop", _plain(MAKESPAN)),
    "mrcpsp": Family("mrcpsp", "multi-mode project scheduling", _plain(MAKESPAN)),
    "gap": Family("gap", "generalised assignment", _plain(Measure("cost", "energy"))),
    "rcmax": Family("rcmax", "unrelated machines", _plain(MAKESPAN)),
    "upmr": Family("upmr", "unrelated machines, shared resource", _plain(MAKESPAN)),
    "stg": Family("stg", "task graphs on identical processors", _stg),
    "dag_canonical": Family("dag-hetero", "examples of the HEFT and PEFT papers", _plain(MAKESPAN)),
    "dag_hetero": Family("dag-hetero", "heterogeneous task graphs", _plain(MAKESPAN)),
    "dag_comm_opt": Family("dag-comm", "task graphs with communication", _plain(MAKESPAN)),
    "saga": Family("saga", "list-scheduling instances", _saga),
    "dnn": Family("dnn-partitioning", "neural networks on accelerators and CPUs", _dnn),
    "wfinstances": Family("wfformat", "workflow traces", _plain(MAKESPAN)),
    "energy_green_pm": Family("green-pm", "parallel machines, time-of-use prices", _green),
    "melange": Family("melange", "GPU fleet for language models", _melange),
    "energy_effs_sl": Family("", "flow shop with speed scaling", _plain(Measure("energy"))),
    "shipped": Family("yaml", "the instances of the repository", _shipped),
    "generated": Family("generate", "random instances", _generated),
    "limits": Family("generate", "random graphs: energy, deadline, memory, power cap", _limits),
}
