"""What ``hetopt devices --capabilities`` does: list the data sheets that estimates go by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hetopt.cli.exits import OK
from hetopt.cli.printing import print_json, print_view
from hetopt.errors import InputError, Problem
from hetopt.profiling.capabilities import Capability, capabilities
from hetopt.profiling.roofline import is_calibrated

FIELDS = (
    *("device", "name", "kind", "vendor", "year", "peak_op_per_s", "bandwidth_b_per_s"),
    *("memory_b", "power_w", "price_usd", "launch_s", "calibrated", "source", "note"),
)


def run_capabilities(
    text: str | None, kind: str | None, others: Mapping[str, object], as_json: bool
) -> int:
    """List processors whose ID, name or maker holds the text."""
    for flag, value in others.items():
        if value:
            raise InputError([Problem(flag, str(value), "Only TEXT and --kind go by data sheets.")])
    wanted = (text or "").casefold()
    found = [
        c
        for c in capabilities().values()
        if (kind is None or c.kind == kind)
        and wanted in f"{c.device} {c.name} {c.vendor}".casefold()
    ]
    if as_json:
        print_json({"capabilities": [_plain(c) for c in found]})
        return OK
    from hetopt.report.terminal.listing import listing

    headings = ("fp32", "fp16", "int8", "bandwidth", "memory", "power", "price", "estimates by")
    table = listing(("device", "name", "kind"), headings, overflow="fold")
    for c in found:
        table.add_row(
            c.device,
            c.name,
            c.kind,
            *(_rate(c.peaks.get(p, math.nan)) for p in ("fp32", "fp16", "int8")),
            _number(c.bandwidth_b_per_s / 1e9, " GB/s"),
            _number(c.memory_b / 2**30, " GiB"),
            _number(c.power_w, " W"),
            _number(c.price_usd, " USD"),
            "measured runs" if is_calibrated(c) else "data sheet",
        )
    print_view(table)
    print_view(f"{len(found)} processors; peaks are dense, in 1e12 operations per second.")
    return OK


def _plain(c: Capability) -> dict[str, Any]:
    own = {"peak_op_per_s": dict(c.peaks), "calibrated": is_calibrated(c)}
    plain = {name: own[name] if name in own else getattr(c, name) for name in FIELDS}
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in plain.items()}


def _rate(value: float) -> str:
    return _number(value / 1e12, "")


def _number(value: float, unit: str) -> str:
    return "–" if math.isnan(value) else f"{value:.4g}{unit}"
