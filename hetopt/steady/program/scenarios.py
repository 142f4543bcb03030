"""The program of an instance of streams, whatever demands it has: of one, or joint of several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hetopt.instance import Instance
from hetopt.solution import Held, PeriodPlan, ScenarioPlan, SteadyPlan, StreamPlan
from hetopt.steady.program.extract_plan import build_plan, settled
from hetopt.steady.program.formulation import Extra, SteadyModel
from hetopt.steady.program.joint.period_model import PeriodModel, period_plan
from hetopt.steady.program.joint.scenario_model import ScenarioModel
from hetopt.steady.program.start_values import start_integers
from hetopt.steady.routes.packings import UnitKind
from hetopt.steady.routes.routes import Routes

StreamModel = SteadyModel | ScenarioModel


def stream_model(
    instance: Instance,
    routes: Routes,
    kinds: list[UnitKind],
    *,
    shrink: float = 0.0,
    most: float | None = None,
    states: Extra | None = None,
) -> StreamModel:
    """Return the program of an instance, joint where it has scenarios."""
    if len(instance.periods):
        return PeriodModel(instance, routes, kinds, shrink=shrink, most=most)
    if len(instance.scenarios):
        return ScenarioModel(instance, routes, kinds, shrink=shrink, most=most, states=states)
    return SteadyModel(instance, routes, kinds, shrink=shrink, most=most, states=states)


def blocks_of(model: StreamModel) -> list[SteadyModel]:
    """Return the programs of the scenarios; the program itself where it is of one demand."""
    return [model] if isinstance(model, SteadyModel) else model.blocks


def stream_plan(model: StreamModel, values: Mapping[str, float]) -> StreamPlan:
    """Make a plan of the values of a program's variables; see `build_plan`."""
    if isinstance(model, PeriodModel):
        return period_plan(model, values)
    plans = [build_plan(block, values) for block in blocks_of(model)]
    if isinstance(model, SteadyModel):
        return plans[0]
    return ScenarioPlan(tuple(_with_fleet(model, plans, values)))


def stream_integers(model: StreamModel, plan: StreamPlan) -> dict[str, float]:
    """Return the integer variables, by name, as a plan has them; see `start_integers`."""
    plans = plan.plans if isinstance(plan, ScenarioPlan) else (plan,)
    values: dict[str, float] = {}
    held = plan.held if isinstance(plan, PeriodPlan) else Held.of()
    for s, (block, part) in enumerate(zip(blocks_of(model), plans, strict=True)):
        mine = np.flatnonzero(held.period == s)
        rows = zip(*(c[mine].tolist() for c in (held.device, held.unit, held.key)), strict=True)
        values |= start_integers(block, part, list(rows))
    return values


def _with_fleet(
    model: ScenarioModel, plans: list[SteadyPlan], values: Mapping[str, float]
) -> list[SteadyPlan]:
    """Give all plans the units that any of them has; what is never off is on in all."""
    instance = model.instance
    had = np.max([plan.units_had for plan in plans], axis=0).astype(np.int64)
    if len(instance.kind_shares):
        # The largest needs of each scenario need not have the shares that are asked for.
        had = np.maximum(had, settled(model.blocks[0].had, values))
    off = instance.devices.off_when_unused
    return [
        replace(plan, units_had=had, units_on=np.where(off, plan.units_on, had)) for plan in plans
    ]
