"""Compiled schedulers on fewer options, where memory or a power cap limits large instances."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hetopt import generate
from hetopt.schedule.list_scheduling import constructors, timetable_scheduler
from hetopt.schedule.list_scheduling import packed_under_limits as module
from hetopt.schedule.list_scheduling.one_unit import on_one_unit
from hetopt.schedule.list_scheduling.packed_under_limits import cautious
from hetopt.schedule.list_scheduling.portfolio import best_of
from hetopt.verify import verify

SEARCHES = [best_of, partial(constructors._listed, "heft")]


def made(tasks=200, devices=6, **more):
    return generate.generate_schedule(tasks=tasks, devices=devices, deadline_factor=3.0, **more)


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    "limits",
    [
        {"memory": "tight"},
        {"memory": "tight", "slots": 3, "count": 2},
        {"power_cap_factor": 0.6},
        {"power_cap_factor": 0.5, "slots": 2, "count": 2},
        {"memory": "tight", "power_cap_factor": 0.6},
    ],
)
def test_a_plan_is_found_under_memory_and_a_cap(search, limits):
    instance = made(**limits, seed=1)
    plan = cautious(instance, search)
    assert plan is not None
    assert verify(instance, plan).ok


@pytest.mark.parametrize("factor", [0.9, 0.6, 0.3, 0.15])
def test_no_plan_over_what_is_left_draws_more_than_the_cap(factor):
    instance = made(power_cap_factor=factor, slots=2, count=2, seed=2)
    unlimited, classes = module.unlimited(instance), module.usable_classes(instance)
    for keep in module._choices(instance):
        fewer = module._with_options(unlimited, classes, keep)
        owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
        assert (np.bincount(owner[keep], minlength=len(classes)) > 0).all()
        # Everything at once: at each instant a unit runs at most its slots of what is left.
        options, devices = instance.options, instance.devices
        kept = fewer.classes.option
        most = np.zeros(len(devices))
        np.maximum.at(most, options.device[kept], (options.energy_j / options.time_s)[kept])
        used = np.isin(np.arange(len(devices)), options.device[kept])
        idle = np.where(used | ~devices.off_when_unused, devices.idle_power_w, 0.0)
        drawn = ((most * devices.slots + idle) * devices.count_max).sum()
        assert drawn <= instance.limits.power_cap_w * (1 + 1e-12)


def test_weights_in_a_shared_pool_fit_beside_each_other():
    instance = made(memory="tight", seed=3)
    devices = instance.devices
    total = float(devices.memory_b[np.isfinite(devices.memory_b)].sum())
    pools = replace(
        instance.pools,
        name=np.array(["dram"], dtype=instance.devices.name.dtype),
        memory_b=np.array([0.5 * total]),
        **{
            column: np.zeros(1, dtype=getattr(instance.pools, column).dtype)
            for column in instance.pools.__dataclass_fields__
            if column not in ("name", "memory_b")
        },
    )
    limited = np.isfinite(devices.memory_b)
    pooled = replace(
        instance,
        pools=pools,
        devices=replace(
            devices,
            pool=np.where(limited, 0, -1),
            memory_b=np.full(len(devices), np.inf),
        ),
    )
    plan = cautious(pooled, best_of)
    assert plan is not None
    assert verify(pooled, plan).ok


def test_nothing_is_found_where_a_class_has_no_room_at_all():
    instance = made(memory="tight", seed=4)
    small = replace(
        instance,
        devices=replace(instance.devices, memory_b=np.full(len(instance.devices), 1.0)),
    )
    assert cautious(small, best_of) is None


@pytest.mark.parametrize("limits", [{"memory": "tight"}, {"power_cap_factor": 0.6}])
def test_large_ones_do_not_wait_for_a_timetable(monkeypatch, limits):
    instance = made(tasks=4_000, **limits, seed=6)

    def begun(*_, **__):
        raise AssertionError("a timetable that cannot be filled in time was begun")

    monkeypatch.setattr(timetable_scheduler, "heft", begun)
    monkeypatch.setattr(timetable_scheduler, "energy_greedy", begun)
    best_of(constructors.pack(instance), None)  # compile
    plan = constructors.portfolio(instance, limit=time.monotonic() + 7.0)
    assert plan is not None
    assert verify(instance, plan).ok
    assert constructors.heft(instance, limit=time.monotonic() + 0.001) is None


def test_the_last_resort_gives_up_at_its_limit_and_takes_the_fastest_option():
    instance = made(tasks=50, seed=7)
    loose = replace(
        instance, jobs=replace(instance.jobs, deadline_s=np.full(len(instance.jobs), np.inf))
    )
    plan = on_one_unit(loose)
    assert plan is not None
    for task, option in enumerate(plan.option.tolist()):
        device = instance.options.device[option]
        ways = [o for o in loose.task_options(task) if loose.options.device[o] == device]
        assert option == min(ways, key=lambda o: loose.options.time_s[o])
    assert on_one_unit(loose, limit=time.monotonic()) is None
