"""Sites: energy at its own price and carbon, networks between them, and data that must stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.build import Model
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.instance import Instance
from hetopt.instance.joule_prices import joule_prices
from hetopt.solution import SchedulePlan, SteadyPlan
from hetopt.solve import solve
from hetopt.verify import verify

HOME = {"name": "home", "energy_price_per_j": 6.0, "carbon_kg_per_j": 1.0}
CLOUD = {"name": "cloud", "carbon_kg_per_j": 3.0, "pue": 1.5}


def two_sites(regime: str = "schedule", **more: Any) -> Instance:
    """A task that records at home, then one that runs at home or in the cloud, 2 J each way."""
    message = more.pop("bytes", 10.0)
    job: dict[str, Any] = {"name": "job"} | more.pop("job", {})
    tasks = [
        {"name": "record", "profile": "tap", "allowed_sites": ["home"]},
        {"name": "think", "profile": "net", **more.pop("think", {})},
    ]
    frames: dict[str, Any] = {
        "sites": more.pop("sites", [HOME, CLOUD]),
        "devices": [
            {"name": "hub", "site": "home", "idle_power_w": 1.0},
            {"name": "server", "site": "cloud", "idle_power_w": 2.0},
        ],
        "options": [
            {"profile": "tap", "device": "hub", "time_s": 1.0, "energy_j": 1.0},
            {"profile": "tap", "device": "server", "time_s": 1.0, "energy_j": 0.0},
            {"profile": "net", "device": "hub", "time_s": 4.0, "energy_j": 8.0},
            {"profile": "net", "device": "server", "time_s": 1.0, "energy_j": 6.0},
        ],
        "networks": [
            {
                "from": "home",
                "to": "cloud",
                "bandwidth_b_per_s": 10.0,
                "energy_j_per_b": 0.2,
                "both_ways": True,
            }
        ],
        "tasks": tasks,
        "transfers": [{"from": "record", "to": "think", "bytes": message}],
        "jobs": [job],
    }
    frames |= more.pop("frames", {})
    settings = {"regime": regime, "energy_price_per_j": 2.0, "pue": 1.0} | more
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, settings)


def answer(instance: Instance) -> Any:
    solution = solve(instance, time_limit=20, workers=1)
    assert solution.status == "optimal", solution.reason
    return solution


def test_a_joule_costs_what_it_costs_at_its_site():
    instance = two_sites(carbon_kg_per_j=9.0, pue=1.25)
    assert joule_prices(instance, "cost").tolist() == [6.0 * 1.25, 2.0 * 1.5]
    assert joule_prices(instance, "carbon").tolist() == [1.25, 4.5]
    assert joule_prices(instance, "energy").tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("objective", "device", "value"),
    [
        # Over 3 s idle takes 3 J and 6 J; the message takes 2 J where it is sent from.
        ("cost", "server", (1 + 2 + 3) * 6.0 + (6 + 6) * 2.0 * 1.5),
        ("carbon", "hub", (1 + 8 + 5) * 1.0),
        ("energy", "hub", 1 + 8 + 5.0),
    ],
)
def test_a_schedule_pays_at_the_sites_where_energy_is_drawn(
    objective: str, device: str, value: float
):
    instance = two_sites(objective=objective)
    solution = answer(instance)
    assert isinstance(solution.plan, SchedulePlan)
    chosen = instance.options.device[solution.plan.option[1]]
    assert instance.devices.name[chosen] == device
    assert solution.objective == pytest.approx(value)
    assert verify(instance, solution.plan).objectives[objective] == pytest.approx(value)


def test_streams_pay_at_the_sites_where_energy_is_drawn():
    job = {"rate_per_s": 0.5}
    instance = two_sites("steady", job=job, objective="cost", think={"allowed_sites": ["cloud"]})
    solution = answer(instance)
    hub, server = (1.0 + 0.5 * (1.0 + 2.0)) * 6.0, (2.0 + 0.5 * 6.0) * 2.0 * 1.5
    assert solution.objective == pytest.approx(hub + server)
    assert evaluate(instance, solution.plan)["cost_per_s"] == pytest.approx(hub + server)
    single = replace(instance, routing="single")
    assert answer(single).objective == pytest.approx(hub + server)


@pytest.mark.parametrize("regime", ["schedule", "steady"])
def test_data_that_must_stay_are_not_sent(regime: str):
    job = {"rate_per_s": 0.1} if regime == "steady" else {}
    free = two_sites(regime, job=job, objective="carbon", sites=[HOME, {**CLOUD, "pue": np.nan}])
    held = two_sites(regime, job=job | {"allowed_sites": ["cloud", "home"]}, objective="carbon")
    bound = two_sites(regime, job=job, objective="carbon", think={"allowed_sites": ["cloud"]})
    assert held.tasks.site_task.tolist() == [0, 1, 1], "the sites that task and job both allow"
    plan = answer(free).plan
    report = verify(bound, plan)
    assert [v.kind for v in report.violations] == ["site"]
    assert verify(bound, answer(bound).plan).ok


def test_a_network_joins_all_devices_and_is_shared():
    extra = {
        "devices": [
            {"name": "hub", "site": "home"},
            {"name": "box", "site": "home"},
            {"name": "server", "site": "cloud", "count_min": 1, "count_max": 2},
            {"name": "other"},
        ]
    }
    lan = {"from": "cloud", "to": "cloud", "channels": 0}
    networks = [{"from": "home", "to": "cloud", "both_ways": True}, lan]
    instance = two_sites(frames=extra | {"networks": networks})
    pairs = list(zip(instance.links.src.tolist(), instance.links.dst.tolist(), strict=True))
    assert pairs == [(0, 2), (1, 2), (2, 0), (2, 1), (2, 2)]
    assert instance.links.channel_group.tolist() == [0, 0, 1, 1, -1]
    stream = two_sites("steady", job={"rate_per_s": 1.0}, frames=extra | {"networks": networks})
    assert stream.links.channel_group.tolist() == [0, 0, 1, 1, 2], "streams share the bandwidth"


def test_what_streams_send_together_fits_the_network():
    frames = {
        "jobs": [{"name": "a", "rate_per_s": 0.6}, {"name": "b", "rate_per_s": 0.6}],
        "tasks": [
            {"name": f"{task}{job}", "job": job, "profile": profile, "pin": pin}
            for job in "ab"
            for task, profile, pin in (("record", "tap", "hub"), ("think", "net", "server"))
        ],
        "transfers": [{"from": f"record{j}", "to": f"think{j}", "bytes": 10.0} for j in "ab"],
        "devices": [
            {"name": "hub", "site": "home", "count_min": 2, "count_max": 2},
            {"name": "server", "site": "cloud", "count_min": 2, "count_max": 2},
        ],
    }
    solution = solve(two_sites("steady", frames=frames, objective="throughput"), time_limit=20)
    assert isinstance(solution.plan, SteadyPlan)
    assert solution.quantities["scale"] == pytest.approx(1 / 1.2), "10 B/s for 12 B/s"


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"think": {"allowed_sites": ["moon"]}}, "A site: home, cloud"),
        ({"job": {"allowed_sites": ["cloud"]}}, "A site that its job allows: cloud"),
        ({"frames": {"networks": [{"from": "home", "to": "moon"}]}}, "A site: home, cloud"),
        (
            {"energy_price_per_j": [{"from": 0, "price": 1}, {"from": 1, "price": 2}]},
            "changes over time",
        ),
        ({"sites": [HOME, {"name": "home"}, CLOUD]}, "no other row"),
    ],
)
def test_what_sites_cannot_mean_is_refused(more: dict[str, Any], match: str):
    with pytest.raises(InputError, match=match):
        two_sites(**more)


def test_the_builder_makes_sites():
    m = Model("speaker", objective="carbon")
    home = m.site("home", carbon_intensity="400 g/kWh")
    cloud = m.site("cloud", carbon_intensity="30 g/kWh", pue=1.1)
    hub = m.device("hub", site=home)
    server = m.device("server", site=cloud)
    m.network(home, cloud, bandwidth="20 Mbit/s", latency="15 ms", both_ways=True)
    hear = m.task("hear", options=[hub.option(time="1 ms", energy="1 mJ")], allowed_sites=[home])
    options = [d.option(time="5 ms", energy="20 mJ") for d in (hub, server)]
    answer_ = m.task("answer", options=options)
    m.transfer(hear, answer_, bytes="60 kB")
    instance = m.build()
    solution = answer(instance)
    assert instance.options.device[solution.plan.option].tolist() == [0, 1]
    assert solution.objective == pytest.approx((1e-3 * 400 + 20e-3 * 30 * 1.1) / 3.6e9)
