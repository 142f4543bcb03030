"""Checks of what streams use of resources: capacities on average, budgets per second."""

from __future__ import annotations

import math

from hetopt.instance import Instance
from hetopt.verify.exact import exceeds
from hetopt.verify.report import Findings, show
from hetopt.verify.steady.routes import Number
from hetopt.verify.steady.streams import Arithmetic, Stream


def check_rates(
    instance: Instance, streams: list[Stream], arithmetic: Arithmetic, findings: Findings
) -> None:
    """Check that average use stays within every capacity, and use per second within budgets."""
    uses, options, number = instance.uses, instance.options, arithmetic.number
    if not len(uses):
        return
    held: dict[int, Number] = {}
    spent: dict[int, Number] = {}
    for stream in streams:
        if not stream.used:
            continue
        for task, option, _ in stream.rows:
            often = stream.rate / int(options.batch[option])
            busy = often * number(instance.tasks.work[task]) * number(options.time_s[option])
            for row in range(int(uses.ptr[option]), int(uses.ptr[option + 1])):
                resource, amount = int(uses.resource[row]), number(uses.amount[row])
                held[resource] = held.get(resource, 0) + busy * amount
                spent[resource] = spent.get(resource, 0) + often * amount
    names, resources = instance.resources.name, instance.resources
    for resource in sorted(held):
        capacity, budget = float(resources.capacity[resource]), float(resources.budget[resource])
        # What slows instead of forbidding is the matter of states.
        forbids = math.isfinite(capacity) and not resources.slow[resource]
        if forbids and exceeds(held[resource], capacity):
            findings.add(
                "resource-capacity",
                f"The streams use {show(held[resource])} of resource {names[resource]} on average; "
                f"its capacity is {show(capacity)}.",
                names[resource],
            )
        if math.isfinite(budget) and exceeds(spent[resource], budget):
            findings.add(
                "resource-budget",
                f"The streams use {show(spent[resource])} of resource {names[resource]} per "
                f"second; its budget is {show(budget)} per second.",
                names[resource],
            )
