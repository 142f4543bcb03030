"""What a plan takes and costs in figures that people budget with: per year, per frame, to buy."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from hetopt import units
from hetopt.evaluate.with_units import money
from hetopt.instance import Instance
from hetopt.instance.joule_prices import any_joule_price
from hetopt.instance.states.stream_boards import boards_had
from hetopt.report.terminal.listing import listing
from hetopt.solution import Solution, SteadyPlan

YEAR_S = 8760 * 3600.0
MWH_J = 3.6e9


def totals(instance: Instance, solution: Solution) -> list[Text]:
    """Say what a fleet takes a year, or what a repetition of a job takes of a schedule."""
    if instance.unitless or not solution.quantities:
        return []
    if instance.regime == "schedule":
        return _per_frame(instance, solution)
    return _per_year(instance, solution)


def _per_year(instance: Instance, solution: Solution) -> list[Text]:
    q = solution.quantities
    parts = [f"{_number(q['power_w'] * YEAR_S / MWH_J)} MWh"]
    if q["cost_per_s"]:
        whole, capital, energy = (
            money(instance, float(f"{q[key] * YEAR_S:.6g}"))
            for key in ("cost_per_s", "cost_units_per_s", "cost_energy_per_s")
        )
        parts.append(f"{whole} (devices {capital}, energy {energy})")
    if any_joule_price(instance, "carbon"):
        parts.append(f"{_number(q['carbon_kg_per_s'] * YEAR_S / 1000)} t CO2")
    today = " in money of today" if instance.periods.invest else ""
    return [Text(f"a year{today}: {', '.join(parts)}")]


def _per_frame(instance: Instance, solution: Solution) -> list[Text]:
    q = solution.quantities
    lines = []
    if q["cost"]:
        whole, units_, energy = (
            money(instance, q[k]) for k in ("cost", "cost_units", "cost_energy")
        )
        lines.append(f"cost {whole} (devices {units_}, energy {energy})")
    if any_joule_price(instance, "carbon") or instance.limits.carbon_over_time is not None:
        lines.append(f"carbon {units.format(q['carbon_kg'], 'carbon')} CO2")
    repeated = Counter(re.sub(r"@[0-9]+$", "", str(n)) for n in instance.jobs.name)
    often = {name: count for name, count in repeated.items() if count > 1}
    if len(repeated) == 1 and often:
        ((name, count),) = often.items()
        each = units.format(q["energy_j"] / count, "energy")
        lines.append(f"{each} a repetition of {name} ({count} in the window)")
    return [Text(", ".join(lines))] if lines else []


def shopping_list(instance: Instance, solution: Solution) -> list[Table]:
    """Show units × price = total of what is had, where counts are open or units are bought."""
    if instance.periods.invest and solution.plan is not None:
        return [_when_to_buy(instance, solution)]
    devices, boards = instance.devices, instance.boards
    had = units_had(instance, solution)
    priced = devices.price_per_s.any() or boards.price_per_s.any()
    if had is None or not (priced or not np.isnan(devices.purchase_price).all()):
        return []
    chosen = np.flatnonzero(had)
    bought = ~np.isnan(devices.purchase_price)
    heads = ("units", "price of one", "total", "a year")
    table = listing(("device",), heads, title="What it takes")
    spent = yearly = 0.0
    for d in chosen.tolist():
        a_year = had[d] * devices.price_per_s[d] * YEAR_S
        yearly += a_year
        price = float(devices.purchase_price[d]) if bought[d] else float("nan")
        spent += had[d] * price if bought[d] else 0.0
        table.add_row(
            str(devices.name[d]),
            f"{had[d]}",
            money(instance, price) if bought[d] else _rent(instance, devices.price_per_s[d]),
            money(instance, had[d] * price) if bought[d] else "–",
            money(instance, float(f"{a_year:.6g}")),
        )
    carrying = boards_had(instance, had)
    for b in np.flatnonzero(carrying * (boards.price_per_s > 0)).tolist():
        a_year = carrying[b] * boards.price_per_s[b] * YEAR_S
        yearly += a_year
        table.add_row(
            f"board {boards.name[b]}",
            f"{carrying[b]}",
            _rent(instance, boards.price_per_s[b]),
            "–",
            money(instance, float(f"{a_year:.6g}")),
        )
    total = money(instance, spent) if bought[chosen].any() else "–"
    table.add_row(
        "all", f"{had.sum()}", "", total, money(instance, float(f"{yearly:.6g}")), style="bold"
    )
    return [table]


def _when_to_buy(instance: Instance, solution: Solution) -> Table:
    """Show what is bought as each period begins, and what that costs until the last one ends."""
    heads = ("units", "price of one", "paid then", "in money of today")
    table = listing(("period", "device"), heads, title="What to buy, and when")
    for cells in bought_rows(instance, solution.quantities["bought"]):
        table.add_row(*cells, style="bold" if cells[0] == "all" else None)
    return table


def bought_rows(instance: Instance, bought: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return what is bought when as text, and the sum of it: period, device, units, money.

    What is paid then is the purchase price; what it counts in money of today is that, or the rent
    until the last period ends, discounted, less what it is still worth then.
    """
    devices, rows, spent = instance.devices, [], 0.0
    names = devices.name.tolist()
    for row in bought:
        d = names.index(row["device"])
        price = float(devices.purchase_price[d])
        once = not np.isnan(price)
        spent += row["units"] * price if once else 0.0
        rows.append(
            (
                row["period"],
                row["device"],
                f"{row['units']}",
                money(instance, price) if once else _rent(instance, devices.price_per_s[d]),
                money(instance, row["units"] * price) if once else "–",
                money(instance, float(f"{row['cost']:.6g}")),
            )
        )
    today = money(instance, float(f"{sum(row['cost'] for row in bought):.6g}"))
    count = f"{sum(row['units'] for row in bought)}"
    return [*rows, ("all", "", count, "", money(instance, spent) if spent else "–", today)]


def units_had(instance: Instance, solution: Solution) -> np.ndarray | None:
    """Return how many units of each device are had, which is the same in every scenario.

    Where units are bought over time, those had in the end.
    """
    plan = solution.plan
    if plan is None or instance.regime != "steady":
        return None
    return plan.units_had if isinstance(plan, SteadyPlan) else plan.plans[-1].units_had  # type: ignore[union-attr]


def _rent(instance: Instance, price_per_s: float) -> str:
    return money(instance, float(price_per_s), per_time=True)


def _number(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
