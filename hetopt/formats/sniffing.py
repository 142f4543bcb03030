"""What a text surely is, for files whose extension does not tell.

Number files have no mark, so all their lines are counted: a text is of a format only where the
whole of it has that structure.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

Rows = list[list[float]]


def is_fjsp(text: str) -> bool:
    """Whether a text is a flexible job shop."""
    rows = _rows(text)
    if not rows or len(rows[0]) not in (2, 3):
        return False
    if len(rows) - 1 == rows[0][0]:
        return all(_is_operations(row[1:], row[0]) for row in rows[1:])
    return _are_jobs([value for row in rows[1:] for value in row], rows[0][0])


def _are_jobs(values: list[float], count: float) -> bool:
    """Whether numbers, however their lines are wrapped, are so many jobs of operations."""
    at = 0
    for _ in range(int(count)):
        if at >= len(values) or values[at] < 1 or values[at] != int(values[at]):
            return False
        operations, at = int(values[at]), at + 1
        for _ in range(operations):
            if at >= len(values) or values[at] < 1 or values[at] != int(values[at]):
                return False
            at += 1 + 2 * int(values[at])
    return at == len(values)


def is_job_shop(text: str) -> bool:
    """Whether a text is a classic job shop: pairs of machine and time, or two tables."""
    rows = _rows(text)
    if not rows or not 2 <= len(rows[0]) <= 6:
        return False
    jobs, machines = rows[0][:2]
    numbers = range(int(machines) + 1)
    if len(rows) == 1 + jobs and len(rows[0]) == 2:
        steps = [row[:-2] if row[-2:] == [-1.0, -1.0] else row for row in rows[1:]]
        return all(
            row and len(row) % 2 == 0 and all(m in numbers for m in row[::2]) for row in steps
        )
    if len(rows) != 1 + 2 * jobs or any(len(row) != machines for row in rows[1:]):
        return False
    orders = [sorted(row) for row in rows[1 + int(jobs) :]]
    return all(row in ([*map(float, numbers)][:-1], [*map(float, numbers)][1:]) for row in orders)


def is_rcp(text: str) -> bool:
    """Whether a text is a project in the Patterson format."""
    rows = _rows(text)
    if len(rows) < 2 or len(rows[0]) != 2 or len(rows[1]) != rows[0][1]:
        return False
    count, kinds = (int(value) for value in rows[0])
    values = [value for row in rows[2:] for value in row]
    at = 0
    for _ in range(count):
        at += 1 + kinds
        if at >= len(values) or not 0 <= values[at] <= count or values[at] != int(values[at]):
            return False
        at += 1 + int(values[at])
    return at == len(values)


def is_shop_json(text: str) -> bool:
    """Whether a text is a job shop in JSON."""
    if _has(text, "machines_matrix", "duration_matrix"):
        return True
    if not _has(text, "jobs") or _has(text, "devices"):
        return False
    machines = _has(text, "machine") or _has(text, "machines")
    return _has(text, "operations") or (machines and not _has(text, "schemaVersion"))


def is_fajsp(text: str) -> bool:
    """Whether a text is a flexible job shop with arbitrary precedence."""
    rows = _rows(text)
    if not rows or len(rows[0]) != 3:
        return False
    operations, arcs, _ = rows[0]
    if len(rows) != 1 + arcs + operations:
        return False
    split = 1 + int(arcs)
    return all(len(row) == 2 for row in rows[1:split]) and all(
        _is_operations(row, 1) for row in rows[split:]
    )


def is_rcmax(text: str) -> bool:
    """Whether a text is a table of times on unrelated machines."""
    rows = _rows(text)
    if not rows or len(rows[0]) != 2 or len(rows) - 1 != rows[0][0]:
        return False
    return all(len(row) == rows[0][1] for row in rows[1:])


def is_flow_shop(text: str) -> bool:
    """Whether a text may be a flow shop, whose layout is that of unrelated machines."""
    return is_rcmax(text)


def is_green_pm(text: str) -> bool:
    """Whether a text is jobs on machines with powers under prices per slot."""
    rows = _rows(text)
    return len(rows) == 4 and len(rows[0]) == 3 and rows[0] == [len(row) for row in rows[1:]]


def is_mrcpsp(text: str) -> bool:
    """Whether a text is a project with several modes of activities."""
    heads = ("PRECEDENCE RELATIONS", "REQUESTS/DURATIONS")
    return all(head in text for head in heads)


def is_gap(text: str) -> bool:
    """Whether a text is a table of costs and weights, and capacities of agents."""
    rows = _rows(text)
    if not rows or len(rows[0]) != 2:
        return False
    agents, jobs = rows[0]
    return sum(len(row) for row in rows[1:]) == 2 * agents * jobs + agents


def is_upmr(text: str) -> bool:
    """Whether a text is two tables, times and uses of a resource, on unrelated machines."""
    rows = _rows(text)
    if not rows or len(rows[0]) != 3:
        return False
    jobs, machines, _ = rows[0]
    return len(rows) == 1 + 2 * jobs and all(len(row) == machines for row in rows[1:])


def is_dag_comm(text: str) -> bool:
    """Whether a text is a task graph with communication on identical processors."""
    rows = _rows(text)
    if len(rows) < 2 or len(rows[0]) != 3:
        return False
    tasks, edges, _ = rows[0]
    fits = len(rows) == 2 + edges and len(rows[1]) == tasks
    return fits and all(len(row) == 3 for row in rows[2:])


def is_stg(text: str) -> bool:
    """Whether a text is a standard task graph."""
    rows = _rows(text)
    if not rows or len(rows[0]) != 1 or len(rows) != rows[0][0] + 3:
        return False
    return all(
        len(row) >= 3 and row[0] == i and len(row) == 3 + row[2] for i, row in enumerate(rows[1:])
    )


def is_dag_hetero(text: str) -> bool:
    """Whether a text is a heterogeneous task graph, as text or JSON."""
    if _has(text, "machines", "w", "edges"):
        return True
    heads = {line.strip().lower() for line in text.split("\n") if line.lstrip().startswith("#")}
    return {"#tasks", "#edges"} <= heads


def is_saga(text: str) -> bool:
    """Whether a text is SAGA's own, or an export of it."""
    return _has(text, "task_graph", "network") or _has(
        text, "nodes", "links", "dependencies", "tasks"
    )


def is_wfformat(text: str) -> bool:
    """Whether a text is a workflow trace, full or reduced."""
    full = _has(text, "workflow") and (_has(text, "schemaVersion") or _has(text, "tasks", "name"))
    return full or _has(text, "tasks", "edges", "runtime_s")


def is_dnn(text: str) -> bool:
    """Whether a text is a graph of dnn-partitioning."""
    return _has(text, "maxSizePerFPGA", "maxFPGAs", "nodes")


def is_melange(text: str) -> bool:
    """Whether a text is a fleet problem of Mélange."""
    return _has(text, "gpu_info", "workload_distribution")


def _has(text: str, *keys: str) -> bool:
    """Whether a text is a JSON object, not one of hetopt's own, that has all these keys."""
    if not text.lstrip().startswith("{"):
        return False
    return all(re.search(rf'"{key}"\s*:', text) is not None for key in keys) and not re.search(
        r'"hetopt"\s*:', text
    )


def _is_operations(row: list[float], count: float) -> bool:
    """Whether a line is so many operations: k, then k pairs."""
    at = 0
    while at < len(row):
        if row[at] < 1 or row[at] != int(row[at]):
            return False
        at += 1 + 2 * int(row[at])
        count -= 1
    return at == len(row) and count == 0


@lru_cache(maxsize=1)
def _rows(text: str) -> Rows:
    """Return the numbers of all lines, nothing where there is anything else."""
    rows: Rows = []
    head, mark, rest = text.partition("\n")
    text = re.sub(r"(?<=[0-9]),(?=[0-9])", ".", head) + mark + rest  # a mean, written 1,9
    for line in text.split("\n"):
        words = line.partition("#")[0].partition("//")[0].split()
        try:
            row = [float(word) for word in words]
        except ValueError:
            return []
        if not all(map(math.isfinite, row)):
            return []
        if row:
            rows.append(row)
    return rows


def fits_at_all(text: str, name: str) -> bool:
    """Whether a text, damaged as it may be, can be meant as a format, by its first signs.

    Parameters
    ----------
    text
        The whole file.
    name
        The format.
    """
    start = text.lstrip()[:1]
    if start in ("{", "["):
        return name in JSON_FORMATS
    if name in JSON_FORMATS and name not in ("yaml", "dag-hetero"):
        return False
    first = next((line.split() for line in text.splitlines() if _numbers_of(line)), None)
    words = next((line for line in text.splitlines() if line.strip()), "")
    if _numbers_of(words) is None:
        return name in ("yaml", "mrcpsp", "dag-hetero") or (
            words.lstrip()[:1] in "#/" and name in NUMBERS_FIRST
        )
    return first is not None and len(first) in NUMBERS_FIRST.get(name, ())


JSON_FORMATS = (
    *("json", "yaml", "saga", "wfformat", "dnn-partitioning", "dnn-latency", "melange"),
    *("dag-hetero", "shop-json"),
)
NUMBERS_FIRST = {
    "fjsp": (2, 3),
    "jsp": (2, 3, 4, 5, 6),
    "fajsp": (3,),
    "rcmax": (2,),
    "flow-shop": (2,),
    "green-pm": (3,),
    "gap": (2,),
    "upmr": (3,),
    "stg": (1,),
    "dag-comm": (3,),
    "rcp": (2,),
}
"""How many numbers stand in the first line, by format of numbers."""


def _numbers_of(line: str) -> list[float] | None:
    """Return the numbers of a line, None where it has none or anything else."""
    words = line.partition("#")[0].partition("//")[0].replace(",", ".").split()
    try:
        return [float(word) for word in words] or None
    except ValueError:
        return None
