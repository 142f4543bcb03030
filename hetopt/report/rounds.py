"""Every round of measured data with its gain: as CSV, Markdown, a page, and on a terminal."""

from __future__ import annotations

import csv
import html
import io
import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from hetopt.analysis.gain import Gain
from hetopt.analysis.rounds import CLAIMED_INCREASE, CLAIMED_SAVING, MIXES, Round
from hetopt.formats.plans import to_json
from hetopt.profiling.catalogue import MLPERF_NOTICE
from hetopt.report.parts import document, table

if TYPE_CHECKING:
    from rich.console import RenderableType

DIGITS = 4
"""Decimals of fractions in the CSV: hundredths of a per cent."""

CAVEATS = (
    (
        "Slices overlap: many systems were submitted to several scenarios and rounds, and a "
        "result entered for both suites counts in both, so the rows are not independent "
        "samples."
    ),
    '"Cannot run" means that nobody submitted a result with power: somebody might port it.',
    (
        "Hosts are included: power is the whole system at the wall (Tiny: the chip's supply), "
        "so part of a device's lead may be its smaller host."
    ),
    (
        "Idle power is an upper bound, the least reading of the meter in any run; v3.1, v4.0 "
        "and Tiny state none, so their rows have ideal figures only."
    ),
    (
        "A device may share its time between networks, which the benchmark does not measure; "
        "suites put boards of a few watts beside servers."
    ),
    "Derived here and not verified by MLCommons.",
)
MEANING = (
    (
        "Mix: the share of a network is in inverse proportion to its energy per request "
        "(geometric mean over the devices that ran all networks), so that each costs the same. "
        "Base demand: what the best single device serves under its idle and largest power."
    ),
    (
        "*Less power*: whole devices at 4 times the base demand, against the best single "
        "device. *More throughput*: whole devices under 50 kW. Both are proven to the digits "
        "shown: whatever plan anybody finds for a single device, the gain stays at least this "
        "large."
    ),
    (
        "*Ideal*: less power if a device were paid only for the time that it works (no idle "
        f"power, no rounding). *Mixes*: the same for {MIXES:,} random mixes, whose shares of "
        "energy are uniform; quantiles, and the share of the mixes that reach 36 % less power "
        "and 53 % more throughput."
    ),
    (
        "*Without preview*, *without newest*: less power / more throughput without devices that "
        "were not on sale, and without hardware that is in this round for the first time; – "
        "where there is none, or nothing left that runs every network."
    ),
)


def compared(found: Sequence[Round]) -> list[Round]:
    """Return the rows with measured idle power, which medians and ranges are of."""
    return [r for r in found if not math.isnan(r.saving.value)]


def summary(found: Sequence[Round]) -> list[str]:
    """Say in sentences what the rows say together: medians, ranges, how many reach the claims."""
    rows = compared(found)
    ideal = [r.ideal for r in found if not math.isnan(r.ideal)]
    lines = [f"{len(found)} slices; {len(rows)} can be compared with measured idle power."]
    if rows:
        saved, more = ([g.value for g in gains] for gains in _gains(rows))
        lines.append(
            f"Less power: median {_percent(median(saved))}, from {_percent(min(saved))} to "
            f"{_percent(max(saved))}; {sum(v >= CLAIMED_SAVING for v in saved)} of {len(saved)} "
            "reach 36 %."
        )
        lines.append(
            f"More throughput under 50 kW: median {_percent(median(more))}, from "
            f"{_percent(min(more))} to {_percent(max(more))}; "
            f"{sum(v >= CLAIMED_INCREASE for v in more)} of {len(more)} reach 53 %."
        )
    if ideal:
        lines.append(
            f"Ideal, of {len(ideal)} slices: median {_percent(median(ideal))} less power, from "
            f"{_percent(min(ideal))} to {_percent(max(ideal))}."
        )
    return lines


def _gains(rows: Sequence[Round]) -> tuple[list[Gain], list[Gain]]:
    return [r.saving for r in rows], [r.increase for r in rows]


def rounds_csv(found: Sequence[Round]) -> str:
    """Return one row a slice, fractions with ``DIGITS`` decimals, blank where there is none."""
    text = io.StringIO()
    rows = [csv_row(r) for r in found]
    writer = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def csv_row(r: Round) -> dict[str, str]:
    """Return the cells of one slice by column."""
    data, mixes = r.data, r.mixes
    preview, newest = r.without_preview or (Gain(), Gain()), r.without_newest or (Gain(), Gain())
    return {
        "round": data.round,
        "division": data.division,
        "suite": data.suite,
        "scenario": data.scenario,
        "networks": str(len(data.networks)),
        "devices": str(len(data.devices)),
        "ran_all": str(len(data.ran_all)),
        "best_homogeneous": r.best,
        "demand_per_s": "" if math.isnan(r.demand_per_s) else f"{r.demand_per_s:.6g}",
        "saving_4x": _number(r.saving.value),
        "saving_4x_proven": _number(r.saving.proven),
        "gain_50kw": _number(r.increase.value),
        "gain_50kw_proven": _number(r.increase.proven),
        "ideal_saving": _number(r.ideal),
        "mix_p10": _number(mixes.p10 if mixes else math.nan),
        "mix_p50": _number(mixes.p50 if mixes else math.nan),
        "mix_p90": _number(mixes.p90 if mixes else math.nan),
        "mixes_reaching_36": _number(mixes.saving_reached if mixes else math.nan),
        "mixes_reaching_53": _number(mixes.increase_reached if mixes else math.nan),
        "saving_without_preview": _number(preview[0].value),
        "gain_without_preview": _number(preview[1].value),
        "saving_without_newest": _number(newest[0].value),
        "gain_without_newest": _number(newest[1].value),
        "preview": "; ".join(_marked(data.names, data.preview)),
        "newest": "; ".join(_marked(data.names, data.newest)),
        "rows": str(data.rows),
        "rows_used": str(data.rows - sum(n for _, n in data.dropped)),
        "dropped": "; ".join(f"{n} {reason}" for reason, n in data.dropped),
        "winners": "; ".join(f"{network}: {device}" for network, device in r.winners),
        "note": r.note,
    }


def _marked(names: Sequence[str], marks: Sequence[bool]) -> list[str]:
    return [name for name, mark in zip(names, marks, strict=True) if mark]


def _number(value: float) -> str:
    """Write a fraction; proven ones are below the others by parts of a million only."""
    return "" if math.isnan(value) else f"{value:.{DIGITS}f}".replace("-0.0000", "0.0000")


def _percent(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f} %".replace("-0.0 %", "0.0 %")


HEADINGS = (
    *("round", "division", "suite", "scenario", "networks", "devices", "best single device"),
    *("less power", "more throughput", "ideal", "mixes: p10, p50, p90", "reach 36 %"),
    *("reach 53 %", "without preview", "without newest"),
)
WINNER_HEADINGS = ("slice", "networks won, by device", "preview", "newest")
USED_HEADINGS = ("slice", "rows", "used", "not used", "comparison")


def _cells(r: Round) -> list[str]:
    data = r.data
    return [
        *(data.round, data.division, data.suite, data.scenario, str(len(data.networks))),
        *(str(len(data.devices)), r.best, _percent(r.saving.value), _percent(r.increase.value)),
        *(_percent(r.ideal), *_mix_cells(r), _both(r.without_preview), _both(r.without_newest)),
    ]


def _mix_cells(r: Round) -> list[str]:
    if r.mixes is None:
        return ["–", "–", "–"]
    spread = ", ".join(f"{100 * v:.0f}" for v in (r.mixes.p10, r.mixes.p50, r.mixes.p90))
    reached = (r.mixes.saving_reached, r.mixes.increase_reached)
    return [f"{spread} %", *(f"{100 * share:.0f} %" for share in reached)]


def _both(gains: tuple[Gain, Gain] | None) -> str:
    if gains is None or any(math.isnan(g.value) for g in gains):
        return "–"
    return " / ".join(_percent(g.value) for g in gains)


def _shown(found: Sequence[Round]) -> list[Round]:
    """Return the rows with a comparison, those with measured idle power first."""
    return [*compared(found), *(r for r in found if math.isnan(r.saving.value) and r.mixes)]


def rounds_markdown(found: Sequence[Round]) -> str:
    """Return the table, what it means, its caveats, and the rows that it rests on."""
    parts = [" ".join(summary(found)), _markdown_table(HEADINGS, map(_cells, _shown(found)))]
    parts += MEANING
    parts.append("Caveats:\n\n" + "\n".join(f"- {line}" for line in (*CAVEATS, MLPERF_NOTICE)))
    parts.append("### Which device wins which network")
    winners = ([r.data.name, *_winner_cells(r)] for r in _shown(found))
    parts.append(_markdown_table(WINNER_HEADINGS, winners))
    parts.append("### Rows used, and not used")
    parts.append(_markdown_table(USED_HEADINGS, map(_used, found)))
    return "\n\n".join(parts) + "\n"


def _winner_cells(r: Round) -> list[str]:
    won: dict[str, list[str]] = {}
    for network, device in r.winners:
        won.setdefault(device, []).append(network)
    parts = [
        f"{device}: {', '.join(names) if len(names) <= 9 else f'{len(names)} networks'}"
        for device, names in won.items()
    ]
    marked = (_marked(r.data.names, marks) for marks in (r.data.preview, r.data.newest))
    return ["; ".join(parts), *(", ".join(names) or "–" for names in marked)]


def _used(r: Round) -> list[str]:
    dropped = "; ".join(f"{n} {reason}" for reason, n in r.data.dropped)
    used = r.data.rows - sum(n for _, n in r.data.dropped)
    return [r.data.name, str(r.data.rows), str(used), dropped or "–", r.note or "whole"]


def _markdown_table(headings: Sequence[str], rows: Any) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rounds_page(found: Sequence[Round]) -> str:
    """Return one page that needs no network."""
    winners = [[r.data.name, *_winner_cells(r)] for r in _shown(found)]
    parts = [
        *(f"<p>{html.escape(line)}</p>" for line in summary(found)),
        table(HEADINGS, [_cells(r) for r in _shown(found)], text=(0, 1, 2, 3, 6), most=None),
        *(f'<p class="note">{html.escape(line.replace("*", ""))}</p>' for line in MEANING),
        "<h2>Caveats</h2><ul>",
        *(f"<li>{html.escape(line)}</li>" for line in (*CAVEATS, MLPERF_NOTICE)),
        "</ul><h2>Which device wins which network</h2>",
        table(WINNER_HEADINGS, winners, text=range(4), most=None),
        "<h2>Rows used, and not used</h2>",
        table(USED_HEADINGS, [_used(r) for r in found], text=(0, 3, 4), most=None),
    ]
    title = "Mixed against homogeneous, in every public round"
    return document(title, f"<h1>{title}</h1>{''.join(parts)}")


def rounds_to_dict(found: Sequence[Round]) -> dict[str, Any]:
    """Return the JSON object of ``hetopt rounds``."""
    return {"rounds": [_as_dict(r) for r in found], "notes": [*summary(found), *CAVEATS]}


def _as_dict(r: Round) -> dict[str, Any]:
    data, mixes = r.data, r.mixes

    def both(gains: tuple[Gain, Gain] | None) -> dict[str, Any] | None:
        return gains and {"saving": to_json(gains[0].value), "gain": to_json(gains[1].value)}

    return {
        "round": data.round,
        "division": data.division,
        "suite": data.suite,
        "scenario": data.scenario,
        "networks": list(data.networks),
        "devices": list(data.devices),
        "best_homogeneous": r.best,
        "winners": dict(r.winners),
        "demand_per_s": to_json(r.demand_per_s),
        "saving": to_json(r.saving.value),
        "saving_proven": to_json(r.saving.proven),
        "gain": to_json(r.increase.value),
        "gain_proven": to_json(r.increase.proven),
        "ideal_saving": to_json(r.ideal),
        "mixes": mixes
        and {
            "p10": mixes.p10,
            "p50": mixes.p50,
            "p90": mixes.p90,
            "reaching_36": mixes.saving_reached,
            "reaching_53": mixes.increase_reached,
        },
        "without_preview": both(r.without_preview),
        "without_newest": both(r.without_newest),
        "rows": data.rows,
        "dropped": dict(data.dropped),
        "note": r.note,
    }


def rounds_view(found: Sequence[Round]) -> RenderableType:
    """Show the rows with a comparison, the summary and the caveats."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for at, heading in enumerate(HEADINGS[:-2]):
        texts = at < 4 or heading == "best single device"
        table.add_column(heading, overflow="fold", justify="left" if texts else "right")
    for r in _shown(found):
        table.add_row(*map(Text, _cells(r)[:-2]))
    missing: dict[str, int] = {}
    for r in found:
        if not r.mixes:
            missing[r.note] = missing.get(r.note, 0) + 1
    lines = summary(found)
    lines += [f"Not compared: {n} slices ({reason})." for reason, n in missing.items()]
    lines.append("-o rounds.md or .csv: winners, rows used and not, without preview or newest.")
    caveats = (Text(line, style="dim") for line in (*CAVEATS, MLPERF_NOTICE))
    return Group(table, *map(Text, lines), *caveats)
