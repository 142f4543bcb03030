"""A solution as people read it on a terminal."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.evaluate.optional import executed
from hetopt.evaluate.slowing import task_ends
from hetopt.evaluate.with_units import bound_with_unit, digits_of_times, quantity, shown, sizes
from hetopt.formats.plans.replicas import replica_columns
from hetopt.instance import Instance
from hetopt.instance.tables import WHEN
from hetopt.report.routes import route_rows
from hetopt.report.terminal.listing import listing, with_rest
from hetopt.report.terminal.money import shopping_list, totals
from hetopt.report.terminal.periods import period_table, switching_line
from hetopt.report.terminal.platform import (
    NOTE,
    board_tables,
    setup_tables,
    state_rows,
    stream_boards,
)
from hetopt.report.terminal.shadow_prices import marginal_line
from hetopt.report.terminal.sketch import Sketch
from hetopt.report.waiting import waiting_line
from hetopt.solution import ScenarioPlan, SchedulePlan, Solution, StreamPlan

ROWS_SHOWN = 30
"""Rows of a long table that are printed; ``-o`` writes all of them."""


QUEUEING_NOTE = (
    "p99 waiting too: an estimate by M/G/c queues (Poisson arrivals, first come first served, "
    "Tijms' approximation, the tail by a bound on it); ∞ where a device is fully used."
)


def percent(value: float) -> str:
    """Write a fraction in percent; a dash for NaN, never a negative zero."""
    return "–" if np.isnan(value) else f"{round(100 * value, 2) + 0.0:.2f} %"


def signed_share(difference: float, base: float) -> str:
    """Write a difference as a signed part of the base's value; a dash where there is none."""
    if np.isnan(difference) or not base:
        return "–"
    share = percent(difference / abs(base))
    return share if share.startswith("-") or share == "0.00 %" else f"+{share}"


def small_gap(value: float) -> str:
    """Write a gap; closed gaps read 0 %."""
    if np.isnan(value):
        return "–"
    return "0 %" if value == 0 else f"{100 * value:.2g} %"


def solution_view(instance: Instance, solution: Solution) -> RenderableType:
    """Show headline, placement and, for small plans, every task or route."""
    parts: list[RenderableType] = [_title(instance), _levels(instance, solution)]
    if solution.plan is not None:
        instance, plan = executed(instance, solution.plan)
        solution = replace(solution, plan=plan)
    if solution.reason:
        parts.append(Text(solution.reason))
    if solution.plan is not None:
        parts.append(Sketch(instance, solution.plan, solution.quantities))
    if isinstance(solution.plan, SchedulePlan):
        parts += [_schedule_summary(instance, solution), *totals(instance, solution)]
        parts.append(_device_table(instance, solution))
        parts += board_tables(instance, solution.quantities)
        parts += _resource_tables(solution, "peak")
        parts.append(_task_table(instance, solution.plan))
        parts.extend(setup_tables(instance, solution.quantities["setups"], ROWS_SHOWN))
    elif solution.plan is not None:
        late = waiting_line(solution.quantities)
        parts += [Text(late, style="bold")] if late else []
        parts += [_steady_summary(solution), *totals(instance, solution)]
        parts += _scenario_table(instance, solution)
        parts.append(_fleet_table(solution))
        parts += stream_boards(solution.quantities, ROWS_SHOWN)
        parts += shopping_list(instance, solution)
        parts += _share_tables(solution)
        parts += _resource_tables(solution, "mean")
        parts += _state_tables(solution)
        parts += [_replica_table(instance, solution.plan), _job_table(solution)]
        parts.append(_route_table(instance, solution.plan))
        parts.append(Text(QUEUEING_NOTE, style="dim"))
    if solution.marginal is not None:
        parts.append(Text(marginal_line(instance, solution.marginal)))
    parts += [Text(note, style="dim") for note in solution.notes]
    return Group(*parts)


def _title(instance: Instance) -> Text:
    name = instance.name or "instance"
    return Text(f"{name}: {sizes(instance)}, {instance.regime}", style="bold")


def _levels(instance: Instance, solution: Solution) -> Table:
    table = listing(("status", "objective"), ("value", "bound", "gap"), ("time", "method"))
    wall = solution.wall_time_s
    seconds = "–" if wall is None else f"{wall:.2f} s"
    levels = zip(
        solution.objective_names, solution.objectives, solution.bounds, solution.gaps, strict=True
    )
    for i, (name, value, bound, gap) in enumerate(levels):
        table.add_row(
            f"{solution.status} ({_ended(solution)})" if i == 0 else "",
            name,
            quantity(instance, name, value),
            bound_with_unit(instance, name, bound, value, gap),
            small_gap(gap),
            seconds if i == 0 else "",
            _method(solution) if i == 0 else "",
        )
    return table


def _ended(solution: Solution) -> str:
    """Say why the search ended, and how often CP-SAT proved what rests on its word."""
    return f"{solution.termination} {solution.proof}" if solution.proof else solution.termination


def _method(solution: Solution) -> str:
    """Name what produced the plan, and what was asked for where that is something else."""
    asked = solution.method_asked
    if asked in ("", "auto", solution.method):
        return solution.method
    return f"{solution.method} (asked: {asked})"


def _schedule_summary(instance: Instance, solution: Solution) -> Text:
    q = solution.quantities
    setups = ""
    if q["setups"]:
        setups = f"set-ups {shown(instance, q['energy_setups_j'], 'energy')}, "
    energy = (
        f"energy {shown(instance, q['energy_j'], 'energy')} "
        f"(options {shown(instance, q['energy_options_j'], 'energy')}, {setups}"
        f"transfers {shown(instance, q['energy_transfers_j'], 'energy')}, "
        f"idle {shown(instance, q['energy_idle_j'], 'energy')})"
    )
    cyclic = math.isfinite(instance.limits.cycle_s)
    parts = [
        energy,
        f"{'longest latency' if cyclic else 'makespan'} {shown(instance, q['makespan_s'], 'time')}",
        f"{'cycle' if cyclic else 'window'} {shown(instance, q['window_s'], 'time')}",
        f"peak power {shown(instance, q['peak_power_w'], 'power')}",
    ]
    if cyclic:
        mean = q["energy_j"] / q["window_s"]
        parts.append(f"mean power {shown(instance, mean, 'power')}")
    if instance.unitless and not q["energy_j"]:
        parts = parts[1:3]  # files of shops and projects say nothing of energy
    return Text(", ".join(parts))


def _steady_summary(solution: Solution) -> Text:
    q = solution.quantities
    power = (
        f"power {units.format(q['power_w'], 'power')} "
        f"(idle {units.format(q['idle_power_w'], 'power')}, "
        f"at worst {units.format(q['worst_power_w'], 'power')})"
    )
    rate = units.format(q["throughput_per_s"], "rate")
    if "value" in solution.objective_names:
        return Text(f"{worth_line(q)}, {power}")
    return Text(f"throughput {rate} (scale {q['scale']:.6g}), {power}")


def worth_line(q: dict[str, Any]) -> str:
    """Say what the requests served are worth, and how many of those demanded they are."""
    whole = f"value {q['value_per_s']:.6g}/s"
    if "scenarios" in q or "periods" in q:
        return f"{whole} in the mean"
    served, asked = (
        units.format(sum(row[key] for row in q["jobs"]), "rate")
        for key in ("served_per_s", "demanded_per_s")
    )
    return f"{whole}, serving {served} of {asked}"


def _device_table(instance: Instance, solution: Solution) -> Table:
    rows = solution.quantities["devices"]
    more = {
        name: column
        for name, column in (("sleep_s", "asleep"), ("energy_start_up_j", "start-ups"))
        if rows and name in rows[0]
    }
    heads = ("had", "on", "tasks", "busy", "utilisation", "energy", "idle energy", *more.values())
    table = listing(("device",), heads, title="Devices")
    for row in rows:
        table.add_row(
            row["device"],
            f"{row['had']}",
            f"{row['on']}",
            f"{row['tasks']}",
            shown(instance, row["busy_s"], "time"),
            _share(row["utilization"]),
            shown(instance, row["energy_options_j"], "energy"),
            shown(instance, row["energy_idle_j"], "energy"),
            *(shown(instance, row[k], "time" if k == "sleep_s" else "energy") for k in more),
        )
    return table


def _scenario_table(instance: Instance, solution: Solution) -> list[RenderableType]:
    """Show what each scenario or period serves and takes, where there are any."""
    if len(instance.periods):
        quantities = solution.quantities
        return [switching_line(instance, quantities), period_table(instance, quantities)]
    rows = solution.quantities.get("scenarios")
    if not rows:
        return []
    heads = ("weight", "throughput", "power", "cost")
    table = listing(("scenario",), heads, title="Scenarios")
    for row in rows:
        table.add_row(
            row["scenario"],
            f"{row['weight']:.6g}",
            units.format(row["throughput_per_s"], "rate"),
            units.format(row["power_w"], "power"),
            quantity(instance, "cost", row["cost_per_s"]),
        )
    return [table]


def _in_scenario(row: dict[str, Any]) -> list[str]:
    """Return the first cell of a row that belongs to a scenario, none where there are none."""
    return [row[name] for name in WHEN if name in row]


def _when(rows: list[dict[str, Any]]) -> list[str]:
    """Return the column that says in which scenario or period a row is, where there are any."""
    return [name for name in WHEN if rows and name in rows[0]]


def _fleet_table(solution: Solution) -> Table:
    rows = solution.quantities["devices"]
    spares = any(row["spare"] for row in rows)
    spare = ("spare",) if spares else ()
    limited = any(row.get("least_load") for row in rows)
    least = ("least load",) if limited else ()
    drawn = ("power of work", "idle power")  # their sum is what the device draws
    heads = ("had", "on", *spare, "load", *least, "utilisation", *drawn)
    table = listing((*_when(rows), "device"), heads, title="Devices")
    for row in rows[:ROWS_SHOWN] if "period" in rows[0] else rows:
        table.add_row(
            *_in_scenario(row),
            row["device"],
            f"{row['had']}",
            f"{row['on']}",
            *((f"{row['spare']}",) if spares else ()),
            f"{row['load']:.4g}",
            *((f"{row['least_load']:.4g}",) if limited else ()),
            _share(row["utilization"]),
            units.format(row["power_options_w"], "power"),
            units.format(row["idle_power_w"], "power"),
        )
    return with_rest(table, len(rows), ROWS_SHOWN) if "period" in rows[0] else table


def _share_tables(solution: Solution) -> list[Table]:
    """Show the share of each limited kind, where there are any."""
    rows = solution.quantities["kind_shares"]
    if not rows:
        return []
    heads = (*_when(rows), "kind", "of")
    table = listing(heads, ("share", "allowed"), title="Shares of kinds")
    for row in rows:
        of = "units on" if row["of"] == "units" else "price of units had"
        allowed = f"{100 * row['min']:g} to {100 * row['max']:g} %"
        table.add_row(*_in_scenario(row), row["kind"], of, _share(row["share"]), allowed)
    return [table]


def _resource_tables(solution: Solution, held: str) -> list[Table]:
    """Show how much of each resource is used, where there are any.

    ``held`` is the use of a capacity: ``peak`` of a schedule, ``mean`` of streams.
    """
    rows = solution.quantities["resources"]
    if not rows:
        return []
    per_s = "/s" if held == "mean" else ""
    heads = (f"{held} use", "capacity", f"used{per_s}", f"budget{per_s}")
    table = listing((*_when(rows), "resource"), heads, title="Resources")
    for row in rows[:ROWS_SHOWN]:
        table.add_row(
            *_in_scenario(row),
            row["resource"],
            _number(row[held]),
            _number(row["capacity"]),
            _number(row["used"]),
            _number(row["budget"]),
        )
    return [with_rest(table, len(rows), ROWS_SHOWN)]


def _state_tables(solution: Solution) -> list[Table | Text]:
    """Show what devices that slow each other down run at once, where there are any."""
    rows = state_rows(solution.quantities)
    if not rows:
        return []
    when = [str(solution.instance.when)] if solution.instance and rows[0][0] else []
    table = listing(when, ("time",), ("what runs at once",), title="States")
    for scenario, share, runs in rows[:ROWS_SHOWN]:
        table.add_row(*([scenario] if when else []), share, runs)
    return [with_rest(table, len(rows), ROWS_SHOWN), Text(NOTE, style="dim")]


def _job_table(solution: Solution) -> Table:
    rows = solution.quantities["jobs"][:ROWS_SHOWN]
    worth = ("share", "value") if rows and "value_per_s" in rows[0] else ()
    queueing = solution.quantities["queueing"]
    held = ("quantile", "with waiting", "limit") if queueing and "quantile" in queueing[0] else ()
    heads = ("demanded", "served", *worth, "latency", "p99 waiting too", *held)
    table = listing((*_when(rows), "job"), heads, title="Jobs")
    for row, waiting in zip(rows, queueing, strict=False):
        latency, tail = row.get("latency_s"), waiting["p99_latency_s"]
        table.add_row(
            *_in_scenario(row),
            row["job"],
            units.format(row["demanded_per_s"], "rate"),
            units.format(row["served_per_s"], "rate"),
            *((_share(row["served"]), f"{row['value_per_s']:.6g}/s") if worth else ()),
            "–" if latency is None else units.format(latency, "time"),
            with_waiting(latency, tail),
            *(_held(waiting) if held else ()),
        )
    return table


def _replica_table(instance: Instance, plan: StreamPlan) -> Table:
    columns = replica_columns(instance, plan)
    texts = [c for c in columns if c not in ("replicas", "busy_units", "rate_per_s")]
    table = listing(texts, ("replicas", "busy", "rate"), title="Replicas")
    rows = list(zip(*columns.values(), strict=True))
    for row in rows[:ROWS_SHOWN]:
        *names, replicas, busy, rate = row
        table.add_row(*names, f"{replicas}", f"{busy:.4g}", units.format(rate, "rate"))
    return with_rest(table, len(rows), ROWS_SHOWN)


def _held(waiting: dict[str, Any]) -> tuple[str, str, str]:
    """Write a quantile that a limit is of, its estimate with waiting, and the limit."""
    if waiting["quantile"] is None:
        return "–", "–", "–"
    estimate, limit = waiting["quantile_latency_s"], waiting["latency_slo_s"]
    return (
        f"{100 * waiting['quantile']:g} %",
        "–" if estimate is None else units.format(estimate, "time", digits=3),
        units.format(limit, "time", digits=3),
    )


def with_waiting(latency: float | None, tail: float | None) -> str:
    """Write a p99 latency; infinity where a queue never ends, a dash where nothing is served."""
    if latency is None:
        return "–"
    return "∞" if tail is None else units.format(tail, "time", digits=3)


def _route_table(instance: Instance, plan: StreamPlan) -> Table:
    several = isinstance(plan, ScenarioPlan)
    heads = (instance.when, "job") if several else ("job",)
    table = listing(heads, ("rate",), ("tasks",), title="Routes")
    rows = route_rows(instance, plan)
    for row in rows[:ROWS_SHOWN]:
        rate = units.format(row.rate_per_s, "rate")
        table.add_row(*([row.demand] if several else []), row.job, rate, row.placed)
    return with_rest(table, len(rows), ROWS_SHOWN)


def _task_table(instance: Instance, plan: SchedulePlan) -> Table:
    table = listing(("task", "unit", "option"), ("start", "end"), title="Tasks")
    ends = task_ends(instance, plan.option, plan.unit, plan.start_s)
    first = np.argsort(plan.start_s, kind="stable")[:ROWS_SHOWN]
    digits = digits_of_times(plan.start_s[first], ends[first])
    for t in first:
        option = plan.option[t]
        table.add_row(
            instance.tasks.name[t],
            instance.unit_name(instance.options.device[option], plan.unit[t]),
            instance.options.label[option],
            shown(instance, plan.start_s[t], "time", digits),
            shown(instance, ends[t], "time", digits),
        )
    return with_rest(table, len(plan.option), ROWS_SHOWN)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"


def _share(value: Any) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
