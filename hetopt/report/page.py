"""One self-contained page about a plan: readable offline, on a phone, in the dark, and on paper."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from hetopt import units
from hetopt.evaluate import evaluate, objectives
from hetopt.evaluate.optional import executed
from hetopt.evaluate.setups import setup_rows, setup_runs
from hetopt.evaluate.slowing import task_ends
from hetopt.evaluate.with_units import bound_with_unit, digits_of_times, quantity, sizes
from hetopt.instance import Instance, is_maximised
from hetopt.instance.tables import when
from hetopt.profiling.caveats import caveats
from hetopt.report import charts
from hetopt.report.axes import shown_per_si
from hetopt.report.comparison_page import gains
from hetopt.report.demands.periods import period_pictures
from hetopt.report.demands.scenarios import scenario_pictures
from hetopt.report.front_drawing import WIDTH, Mark, front_drawing
from hetopt.report.gantt import gantt
from hetopt.report.parts import ROWS_SHOWN, data_file, document, escaped, first, table
from hetopt.report.routes import route_rows
from hetopt.report.terminal.platform import NOTE, state_rows
from hetopt.report.terminal.solution import percent, small_gap, with_waiting
from hetopt.report.waiting import waiting_line
from hetopt.solution import Plan, ScenarioPlan, SchedulePlan, relative_gap

CANVAS = (
    '<div id="gantt"><canvas tabindex="0" role="img" aria-label="Tasks of each unit and transfers '
    "of each link over time; the table of tasks below says the same. Keys: plus, minus, arrows, "
    'home."></canvas><div id="tip" role="status"></div></div>'
)
HOW_TO_MOVE = (
    '<p class="note">Colours are jobs (with one job: profiles), grey bars are transfers and '
    "set-ups. Drag to move, double click or Ctrl + wheel to zoom; with the keyboard + − ← → "
    "Home.</p>"
)

PROVEN_LINE = (
    '<p class="key"><span><i class="ka"></i>plans</span>'
    '<span><i class="kb"></i>proven: no plan beyond this line</span></p>'
)


def report_page(
    instance: Instance,
    plan: Plan,
    result: Mapping[str, Any],
    *,
    comparison: Mapping[str, Any] | None = None,
    front: Mapping[str, Any] | None = None,
    simulated: Mapping[str, Mapping[str, Any]] | None = None,
    command: str = "",
) -> str:
    """Return the page as HTML.

    Parameters
    ----------
    instance
        What the plan is for.
    plan
        A plan that the checker has accepted; every quantity is computed from it again.
    result
        The object of ``hetopt solve`` that holds it, for bounds, history and how it was found;
        empty for a bare plan.
    comparison
        The object of ``hetopt compare`` for the same instance.
    front
        The object of ``hetopt pareto`` for the same instance.
    simulated
        Of streams: what ``hetopt simulate`` says of each job under the policy ``plan``, by name.
    command
        What made the page.
    """
    quantities = evaluate(instance, plan)
    instance, plan = executed(instance, plan)
    parts = [
        _answer(instance, plan, result),
        *_waiting(plan, quantities),
        *(gains(instance, comparison) if comparison else []),
        *_picture(instance, plan, quantities),
        *(_front(instance, front) if front else []),
        *_causes(plan, quantities),
        *_jobs(instance, plan, quantities, simulated or {}),
        *_progress(instance, result),
        *_provenance(instance, plan, result, command),
    ]
    title = html.escape(f"{instance.name or 'instance'}: {', '.join(instance.objective)}")
    script = f"<script>{data_file('report.js')}</script>" if isinstance(plan, SchedulePlan) else ""
    return document(title, "".join(parts), script)


def _waiting(plan: Plan, quantities: Mapping[str, Any]) -> list[str]:
    """Say whose estimated latency with waiting is beyond its limit."""
    line = "" if isinstance(plan, SchedulePlan) else waiting_line(quantities)
    return [f'<p class="note">{escaped(line)}</p>'] if line else []


def _answer(instance: Instance, plan: Plan, result: Mapping[str, Any]) -> str:
    """Say the answer in one sentence, and each level of it in a row."""
    names = instance.objective
    values = objectives(instance, plan, names)
    claimed = _by_name(result)
    bounds = [claimed.get(name, math.nan) for name in names]
    gaps = [relative_gap(v, b) for v, b in zip(values, bounds, strict=True)]
    rows = [
        (
            name,
            quantity(instance, name, value),
            bound_with_unit(instance, name, bound, value, gap),
            small_gap(gap),
        )
        for name, value, bound, gap in zip(names, values, bounds, gaps, strict=True)
    ]
    best = "most" if is_maximised(names[0]) else "least"
    first = rows[0][1]
    if gaps[0] == 0:
        sentence = f"The {best} {names[0]} is {first}: no plan is better, which is proven."
    elif math.isnan(gaps[0]):
        sentence = f"This plan has {names[0]} {first}; how far from the best is not known."
    else:
        sentence = (
            f"This plan has {names[0]} {first}; no plan at all is better than {rows[0][2]} "
            f"(gap {small_gap(gaps[0])})."
        )
    size = f"{sizes(instance)}, {instance.regime} regime"
    about = f'<p class="note">{escaped(instance.description)}</p>' if instance.description else ""
    return (
        f"<h1>{escaped(instance.name or 'instance')}</h1><p class='answer'>{escaped(sentence)}</p>"
        f'{about}<p class="note">{size}. The independent checker accepted the plan.</p>'
        + table(("objective", "value", "proven bound", "gap"), rows)
    )


def _by_name(result: Mapping[str, Any]) -> dict[str, float]:
    names, bounds = result.get("objective_name"), result.get("bound")
    names = names if isinstance(names, list) else [names]
    bounds = bounds if isinstance(bounds, list) else [bounds]
    return {n: float(b) for n, b in zip(names, bounds, strict=False) if n and b is not None}


def _front(instance: Instance, front: Mapping[str, Any]) -> list[str]:
    """Draw the trade between two objectives, and list its points."""
    held, optimised = front["held"], front["optimised"]
    points = [p for p in front["points"] if p["efficient"]]
    rows = [
        (
            quantity(instance, held, p[held]),
            quantity(instance, optimised, p[optimised]),
            quantity(instance, optimised, p["bound"]),
            p["status"],
        )
        for p in points
    ]
    marks = [
        Mark(
            _number(p[held]),
            _number(p[optimised]),
            _number(p["limit"]),
            _number(p["bound"]),
            p["efficient"],
            p["status"] in ("optimal", "infeasible"),
            p["status"],
        )
        for p in front["points"]
    ]
    height, drawn = front_drawing(instance, held, optimised, marks)
    return [
        f"<h2>{escaped(optimised)} against {escaped(held)}</h2>",
        PROVEN_LINE,
        charts.opened(WIDTH, height, f"{optimised} against {held}") + drawn + "</svg>",
        *(f"<p>{escaped(note)}</p>" for note in front["notes"]),
        table((held, optimised, "proven bound", "status"), rows, text=(3,)),
    ]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _picture(instance: Instance, plan: Plan, quantities: Mapping[str, Any]) -> list[str]:
    """Draw the schedule, or how much of each device streams use."""
    if isinstance(plan, SchedulePlan):
        data = json.dumps(gantt(instance, plan), separators=(",", ":")).replace("</", "<\\/")
        buttons = "".join(
            f'<button type="button" data-key="{key}">{label}</button>'
            for key, label in (
                ("+", "zoom in"),
                ("-", "zoom out"),
                ("ArrowLeft", "earlier"),
                ("ArrowRight", "later"),
                ("Home", "all"),
            )
        )
        return [
            "<h2>When and where</h2>",
            f'<div class="buttons">{buttons}</div>',
            CANVAS,
            HOW_TO_MOVE,
            f'<script type="application/json" id="schedule">{data}</script>',
        ]
    rows = [
        (
            _where(row, "device"),
            (float(row["utilization"] or 0.0),),
            f"{percent(row['utilization'] or 0.0)} of {row['on']} on, {row['had']} had",
        )
        for row in quantities["devices"]
        if row["on"] or (row["had"] and not when(row))
    ]
    return [
        *_demands(instance, plan, quantities),
        "<h2>Utilisation of units on</h2>",
        charts.stacked(rows[:ROWS_SHOWN], "Utilisation of each device", whole=1.0),
    ]


def _demands(instance: Instance, plan: Plan, quantities: Mapping[str, Any]) -> list[str]:
    """Draw what scenarios draw and serve side by side, or periods over time."""
    if not isinstance(plan, ScenarioPlan):
        return []
    draw = period_pictures if len(instance.periods) else scenario_pictures
    return draw(instance, quantities)


def _where(row: Mapping[str, Any], key: str) -> str:
    return f"{row[when(row)]}: {row[key]}" if when(row) else str(row[key])


def _causes(plan: Plan, quantities: Mapping[str, Any]) -> list[str]:
    """Show what draws energy or power, by device and by cause."""
    if isinstance(plan, SchedulePlan):
        what, dimension, busy, idle = "Energy", "energy", "energy_options_j", "energy_idle_j"
        moved = float(quantities["energy_transfers_j"])
    else:
        what, dimension, busy, idle = "Power", "power", "power_options_w", "idle_power_w"
        moved = math.nan
    rows: list[tuple[str, tuple[float, ...], str]] = [
        (
            _where(row, "device"),
            (float(row[busy]), float(row[idle])),
            units.format(float(row[busy]) + float(row[idle]), dimension, digits=4),
        )
        for row in quantities["devices"]
        if row[busy] or row[idle]
    ]
    for row in quantities.get("boards", []):
        drawn = float(row[idle])
        if drawn:
            text = units.format(drawn, dimension, digits=4)
            rows.append((f"board {_where(row, 'board')}", (0.0, drawn), text))
    gone_on = float(quantities.get("energy_start_up_j", 0.0))
    if gone_on > 0:
        rows.append(("start-ups", (gone_on, 0.0), units.format(gone_on, dimension, digits=4)))
    spent = float(quantities.get("energy_setups_j", 0.0))
    if spent > 0:
        rows.append(("set-ups", (spent, 0.0), units.format(spent, dimension, digits=4)))
    if moved > 0:
        rows.append(("transfers", (0.0, 0.0, moved), units.format(moved, dimension, digits=4)))
    if not rows:
        return []
    names = ("work, above idle", "idle", "transfers")
    present = [any(len(p) > k and p[k] > 0 for _, p, _ in rows) for k in range(len(names))]
    key = "".join(
        f'<span><i class="k{letter}"></i>{name}</span>'
        for letter, name, there in zip("abc", names, present, strict=True)
        if there
    )
    return [
        f"<h2>{what} by device and cause</h2>",
        f'<p class="key">{key}</p>',
        charts.stacked(rows[:ROWS_SHOWN], f"{what} of each device by cause"),
    ]


def _jobs(
    instance: Instance,
    plan: Plan,
    quantities: Mapping[str, Any],
    simulated: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """List tasks with their units and times, or streams with their rates and latencies."""
    if isinstance(plan, SchedulePlan):
        return ["<h2>Tasks</h2>", *_tasks(instance, plan)]
    waiting = quantities["queueing"]
    worth = ("share served", "value") if "value_per_s" in quantities else ()
    rows = [
        (
            _where(row, "job"),
            units.format(row["demanded_per_s"], "rate"),
            units.format(row["served_per_s"], "rate"),
            *((f"{100 * row['served']:.1f} %", f"{row['value_per_s']:.6g} /s") if worth else ()),
            "–" if row["latency_s"] is None else units.format(row["latency_s"], "time"),
            with_waiting(row["latency_s"], wait["p99_latency_s"]),
            *((_of(simulated, row["job"], "p99_latency_s"),) if simulated else ()),
            *(_held(wait, row["job"], simulated) if "quantile" in wait else ()),
        )
        for row, wait in zip(quantities["jobs"], waiting, strict=True)
    ]
    flows = [
        (
            f"{row.demand}: {row.job}" if row.demand else row.job,
            units.format(row.rate_per_s, "rate"),
            row.placed,
        )
        for row in route_rows(instance, plan)
    ]
    again = ("simulated",) if simulated else ()
    heads = ("job", "demanded", "served", *worth, "latency", "p99 with waiting (estimate)", *again)
    if waiting and "quantile" in waiting[0]:
        heads = (*heads, "quantile with waiting (estimate)", *again, "its limit")
    states = state_rows(quantities)
    shared = [
        "<h2>What runs at once</h2>",
        f"<p>{NOTE}</p>",
        table((instance.when, "time", "what runs at once"), states, text=(0, 2))
        if states and states[0][0]
        else table(("time", "what runs at once"), [row[1:] for row in states], text=(1,)),
    ]
    return [
        *(shared if states else []),
        "<h2>Jobs</h2>",
        table(heads, rows),
        "<h2>Routes</h2>",
        table(("job", "rate", "placed"), flows, text=(0, 2)),
    ]


def _held(
    wait: Mapping[str, Any], job: str, simulated: Mapping[str, Mapping[str, Any]]
) -> tuple[str, ...]:
    """Write the estimate of a quantile with a limit, what it is in simulation, and the limit."""
    if wait["quantile"] is None:
        return ("–",) * (3 if simulated else 2)
    estimate = wait["quantile_latency_s"]
    told = "–" if estimate is None else units.format(estimate, "time", digits=3)
    limit = units.format(wait["latency_slo_s"], "time", digits=3)
    reached = (_of(simulated, job, "quantile_latency_s"),) if simulated else ()
    return f"{told} ({100 * wait['quantile']:g} %)", *reached, limit


def _of(simulated: Mapping[str, Mapping[str, Any]], job: str, name: str) -> str:
    """Write a latency that a job had in simulation."""
    value = simulated.get(job, {}).get(name)
    return "–" if value is None else units.format(value, "time", digits=3)


def _unit(instance: Instance, option: int, unit: int) -> str:
    device = int(instance.options.device[option])
    place = str(instance.devices.name[device]) if unit < 0 else instance.unit_name(device, unit)
    label = str(instance.options.label[option])
    return f"{place} ({label})" if label else place


def _tasks(instance: Instance, plan: SchedulePlan) -> list[str]:
    order = np.argsort(plan.start_s, kind="stable").tolist()
    end = task_ends(instance, plan.option, plan.unit, plan.start_s)
    digits = digits_of_times(plan.start_s[order[:ROWS_SHOWN]], end[order[:ROWS_SHOWN]])
    rows = [
        (
            str(instance.tasks.name[t]),
            _unit(instance, int(plan.option[t]), int(plan.unit[t])),
            units.format(float(plan.start_s[t]), "time", digits=digits),
            units.format(float(end[t]), "time", digits=digits),
        )
        for t in order[:ROWS_SHOWN]
    ]
    tasks = table(("task", "unit and option", "start", "end"), rows, len(order), text=(0, 1))
    return [tasks, *_setups(instance, plan)]


def _setups(instance: Instance, plan: SchedulePlan) -> list[str]:
    """List the set-ups between tasks, where there are any."""
    found = setup_rows(instance, plan, setup_runs(instance, plan))
    if not found:
        return []
    rows = [
        (
            str(row["unit"]),
            f"{row['from']} to {row['to']}",
            str(row["before"]),
            units.format(float(row["start_s"]), "time"),
            units.format(float(row["end_s"]), "time"),
            units.format(float(row["energy_j"]), "energy", digits=4),
        )
        for row in found[:ROWS_SHOWN]
    ]
    heads = ("unit", "set-up", "before", "start", "end", "energy")
    return ["<h2>Set-ups</h2>", table(heads, rows, len(found), text=(0, 1, 2))]


def _progress(instance: Instance, result: Mapping[str, Any]) -> list[str]:
    history = result.get("history") or []
    if not history:
        return []
    time_s = [float(e["time_s"] or 0.0) for e in history]
    value = [first(e["objective"]) for e in history]
    bound = [first(e["bound"]) for e in history]
    ended = result.get("wall_time_s")
    if ended:
        time_s, value, bound = [*time_s, float(ended)], [*value, value[-1]], [*bound, bound[-1]]
    name, known = instance.objective[0], caveats(instance)
    return [
        "<h2>How it was found</h2>",
        (
            f'<p class="key"><span><i class="ka"></i>{name} of the best plan</span>'
            '<span><i class="kb"></i>proven bound</span></p>'
        ),
        charts.progress(
            time_s,
            value,
            bound,
            f"{name} and bound over time",
            partial(quantity, instance, name),
            shown_per_si(instance, name),
        ),
        *(f"<p>{escaped(note)}</p>" for note in result.get("notes") or [] if note not in known),
    ]


def _provenance(
    instance: Instance, plan: Plan, result: Mapping[str, Any], command: str
) -> list[str]:
    """Say where the figures of the options used come from."""
    parts = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
    used = np.unique(np.concatenate([part.option for part in parts]))
    options, devices = instance.options, instance.devices
    marks = {
        (
            str(devices.name[options.device[o]]),
            str(options.source[o] or devices.source[options.device[o]]),
            _doubt(instance, int(o)),
        )
        for o in used
    }
    rows = [
        (d, mark or ("measured" if s else "as the file has them"), s or "not stated")
        for d, s, mark in sorted(marks)
    ]
    lines = [f"<li>{escaped(note)}</li>" for note in caveats(instance)]
    made = [f"Made by <code>{escaped(command)}</code>."] if command else []
    if result.get("version"):
        made.append(
            f"The plan is by hetopt {escaped(result['version'])}, method "
            f"{escaped(result.get('method', ''))}, seed {escaped(result.get('seed', ''))}."
        )
    return [
        "<h2>Where the figures come from</h2>",
        table(("device", "figures", "source"), rows, text=(0, 1, 2)),
        f"<ul>{''.join(lines)}</ul>" if lines else "",
        f'<p class="note">{" ".join(made)}</p>',
    ]


def _doubt(instance: Instance, option: int) -> str:
    preview = instance.options.preview[option]
    preview |= instance.devices.preview[instance.options.device[option]]
    doubts = ["estimated"] if instance.options.estimated[option] else []
    spread = _spread(instance, option)
    doubts += [spread] if spread else []
    return ", ".join([*doubts, *(["preview"] if preview else [])])


def _spread(instance: Instance, option: int) -> str:
    """Return the interval of an option's time as text, empty where it states none."""
    options = instance.options
    time, low, high = (
        float(column[option])
        for column in (options.time_s, options.time_low_s, options.time_high_s)
    )
    if not time > 0 or high != high:
        return ""
    share = float(options.interval[option])
    return f"time {low / time - 1:+.0%} to {high / time - 1:+.0%} ({share:.0%})"
