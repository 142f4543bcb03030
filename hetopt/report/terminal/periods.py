"""Periods one after the other: what each serves and takes, and what is switched as it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.evaluate.with_units import counted, money, quantity
from hetopt.instance import Instance
from hetopt.report.terminal.listing import listing

MOST_DEVICES = 6
"""Devices whose units on are shown period by period."""


def period_table(instance: Instance, quantities: Mapping[str, Any]) -> Table:
    """Show what each period serves and takes, the units on in it, and what changes."""
    names = instance.devices.name.tolist()
    used = [n for n in names if any(r["on"] for r in quantities["devices"] if r["device"] == n)]
    shown = used if len(used) <= MOST_DEVICES else []
    changes = ("starts", "stops", "loads")
    heads = ("duration", "throughput", "power", "cost", *(f"{name} on" for name in shown))
    table = listing(("period",), (*heads, *changes), title="Periods")
    on = {(r["period"], r["device"]): r["on"] for r in quantities["devices"]}
    for row in quantities["periods"]:
        table.add_row(
            row["period"],
            units.format(row["duration_s"], "time"),
            units.format(row["throughput_per_s"], "rate"),
            units.format(row["power_w"], "power"),
            quantity(instance, "cost", row["cost_per_s"]),
            *(f"{on[row['period'], name]}" for name in shown),
            *(f"{row[key]}" for key in changes),
        )
    return table


def switching_line(instance: Instance, quantities: Mapping[str, Any]) -> Text:
    """Say how much is switched and loaded in all, and what that takes on average."""
    starts, loads = quantities["starts"], quantities["loads"]
    whole = "a cycle" if instance.periods.cyclic else "in all"
    power = units.format(quantities["switching_power_w"], "power")
    switched = f"{counted(starts, 'start')} and {counted(loads, 'load', ' of weights')}"
    text = f"{switched} {whole}, {power} of the mean power"
    if quantities["switching_cost_per_s"]:
        each = quantities["switching_cost_per_s"] * float(instance.scenarios.weight.sum())
        text += f", {money(instance, float(f'{each:.6g}'))} {whole}"
    if "present_value" in quantities:
        value = money(instance, float(f"{quantities['present_value']:.6g}"))
        text += f"; {value} in money of today for all that is bought and run"
    return Text(text)
