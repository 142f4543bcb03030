"""Power, cost, carbon and accuracy of a plan as expressions, and the limits on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.instance.joule_prices import joule_prices, sites_differ
from hetopt.instance.states.stream_boards import board_joule_prices
from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.rows.stream_variables import StreamVariables


def power(model: StreamVariables) -> Any:
    """Return Σ_d idle_d u_d + Σ_r R_j e_r y_r, boards beside."""
    idle = model.instance.devices.idle_power_w
    terms = [(model.on[d], float(idle[d])) for d in range(len(idle)) if idle[d] > 0]
    terms += model.boards.idle(model.instance)
    terms += [
        (y, model.route_rate(r) * model.routes[r].energy_j) for r, y in enumerate(model.share)
    ]
    return sum_of(terms)


def cost(model: StreamVariables) -> Any:
    """Return Σ_d price_d h_d + what the power costs, boards beside."""
    price = model.instance.devices.price_per_s
    terms = [(model.had[d], float(price[d])) for d in range(len(price)) if price[d] > 0]
    terms += model.boards.price(model.instance)
    return sum_of(terms) + paid(model, "cost")


def paid(model: StreamVariables, objective: str) -> Any:
    """Return what the power costs or emits per second, each joule at its site."""
    price, idle = joule_prices(model.instance, objective), model.instance.devices.idle_power_w
    if not sites_differ(model.instance, objective):
        return power(model) * float(price[0])
    terms = [(model.on[d], float(idle[d] * price[d])) for d in range(len(idle)) if idle[d] > 0]
    terms += model.boards.idle(model.instance, board_joule_prices(model.instance, objective))
    terms += [
        (y, model.route_rate(r) * model.routes[r].paid[f"{objective}{model.price_at}"])
        for r, y in enumerate(model.share)
    ]
    return sum_of(terms)


def accuracy(model: StreamVariables) -> Any:
    """Return the mean accuracy by weight of the jobs that state one, at a fixed θ."""
    weight = model.instance.jobs.weight
    rated = [
        j
        for j, mine in enumerate(model.of_job)
        if mine and np.isfinite(model.routes[mine[0]].accuracy) and model.rate[j] > 0
    ]
    total = sum(float(weight[j]) for j in rated) * model.theta_fixed
    if not total:
        return sum_of([])
    return sum_of(
        (model.share[r], float(weight[j]) * model.routes[r].accuracy / total)
        for j in rated
        for r in model.of_job[j]
    )


def power_cap(model: StreamVariables) -> None:
    """Σ_d idle_d u_d + Σ_r R_j e_r y_r ≤ power cap."""
    cap = model.instance.limits.power_cap_w
    if np.isfinite(cap):
        size = cap or 1.0
        model.add_row(power(model) * (1.0 / size) <= cap / size * model.keep, "power_cap")


def budget(model: StreamVariables) -> None:
    """Σ_d price_d h_d + what the power costs ≤ budget."""
    budget = model.instance.limits.budget_per_s
    if np.isfinite(budget):
        size = budget or 1.0
        model.add_row(cost(model) * (1.0 / size) <= budget / size * model.keep, "budget")
