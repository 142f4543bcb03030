"""Starts of another fleet, of other rates or without some tasks are repaired, and told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hetopt import InputError, read_instance, solve
from hetopt.formats.plans import plan_to_dict
from hetopt.formats.plans.stale import read_stale_plan
from hetopt.generate.steady import generate_steady
from hetopt.instance.overrides import scale_demand, without_device

REPAIRED = {
    "partial": "2 of 10 tasks left out, placed: J8.1, J8.2",
    "one_missing": "1 of 10 tasks left out, placed: J8.2",
    "renamed": "1 of 10 tasks left out, placed: J1.1",
    "nounit": "1 of 10 tasks left out, placed: J1.1",
    "shifted": "1 of 10 tasks start at another time: J1.1",
    "zero": "tasks start at another time",
}


@pytest.mark.parametrize("name", REPAIRED)
def test_stale_starts_of_a_shop_are_repaired_and_told(shared_path, name):
    folder = shared_path("cases") / "22-warm-start"
    instance = read_instance(folder / "input.fjs")
    start, left_out = read_stale_plan(instance, folder / f"{name}.json")
    assert bool(left_out) == (name in ("renamed", "nounit"))
    found = solve(instance, start=start, time_limit=3)
    assert found.objective == 17
    assert any(REPAIRED[name] in note for note in found.notes), found.notes


def test_what_is_no_plan_is_still_refused(shared_path, tmp_path):
    folder = shared_path("cases") / "22-warm-start"
    instance = read_instance(folder / "input.fjs")
    with pytest.raises(InputError, match="input"):
        read_stale_plan(instance, folder / "input.fjs")
    bad = json.loads((folder / "bare.json").read_text())
    bad["assignments"][0]["start_s"] = "soon"
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(bad))
    with pytest.raises(InputError, match="start_s"):
        read_stale_plan(instance, path)


def test_a_plan_of_other_rates_or_another_fleet_is_a_start():
    instance = generate_steady(12, 4, seed=2)
    base = solve(instance, time_limit=3)
    more = scale_demand(instance, 1.3)
    found = solve(more, start=base, time_limit=3)
    assert any("rates of 12 jobs follow" in note for note in found.notes)
    # The start alone: its routes at the new rates, with the units that these need.
    kept = solve(more, start=base, time_limit=3, method="heuristic")
    assert kept.plan is not None
    used = int(np.flatnonzero(base.plan.units_on)[0])
    name = str(instance.devices.name[used])
    fewer = without_device(instance, used)
    written = plan_to_dict(instance, base.plan)
    from hetopt.formats.plans.reading import plan_from_dict
    from hetopt.formats.plans.stale import without_unknown

    left, told = without_unknown(fewer, written)
    assert any(name in line or "option" in line for line in told)
    found = solve(fewer, start=plan_from_dict(fewer, left), time_limit=3)
    assert found.plan is not None
    assert any("repaired" in note for note in found.notes)


def test_a_start_of_streams_without_some_jobs_gets_their_routes():
    instance = generate_steady(6, 3, seed=4)
    plan = solve(instance, time_limit=3).plan
    rate = np.where(plan.route_job == 0, 0.0, plan.rate_per_s)
    found = solve(instance, start=replace(plan, rate_per_s=rate), time_limit=3)
    assert any("1 jobs without a route get one: w0" in note for note in found.notes)
