"""Routes that use units of a kind only where there are any."""

from __future__ import annotations

from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.rows.stream_variables import StreamVariables

NEGLIGIBLE = 1e-6
"""Load of a route, in units, that a solver's tolerances could hide."""


def add(model: StreamVariables) -> None:
    """Σ_{r of j} f_rk ≤ n_k: work that takes no time needs a unit too; tighter relaxations."""
    for k, kind in enumerate(model.kinds):
        device = kind.device
        mine: dict[int, list[int]] = {}
        for r in kind.routes:
            mine.setdefault(model.routes[r].job, []).append(r)
        for job, members in mine.items():
            load = {r: model.route_rate(r) * model.routes[r].busy_s[device] for r in members}
            # Work that takes no time still needs a unit on; where memory is limited, one that
            # holds its weights.
            idle = members if model.limited[device] else [r for r in members if not load[r]]
            if idle and min(load[r] for r in idle) < NEGLIGIBLE * model.capacity[device]:
                _link(model, idle, k, model.limited[device], f"needs_{k}_{job}")
            # With a full unit's load or more the capacity row says as much.
            if not model.question.throughput and 0 < min(load.values()) < model.capacity[device]:
                _link(model, members, k, True, f"linking_{k}_{job}")


def _link(model: StreamVariables, routes: list[int], kind: int, by_count: bool, name: str) -> None:
    """Let routes of one job use units of a kind only where there are any."""
    if model.most is None:
        model.incomplete = True
        return
    units = model.count[kind] if by_count else model.work[model.kinds[kind].device]
    model.add_row(sum_of((model.part(r, kind), 1.0) for r in routes) <= units * model.most, name)
