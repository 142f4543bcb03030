"""Limits of latency that hold with waiting, as estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.evaluate import evaluate
from hetopt.evaluate.queueing.waits import waits
from hetopt.formats.native.document import read_yaml
from hetopt.instance import Instance
from hetopt.model_files import export_model
from hetopt.solution import SteadyPlan
from hetopt.solve import solve
from hetopt.steady.waiting import late_jobs
from hetopt.verify import verify
from hetopt.verify.steady.waiting import ROUNDING, _erlang, _Waits
from tests.oracles.campaign import run_chunk
from tests.unit.steady.program.test_formulation import make

BOX = {"name": "box", "count_min": 0, "count_max": 20, "idle_power_w": 100.0}
RUN = {"profile": "net", "device": "box", "time_s": 0.01, "energy_j": 2.0}


def stream(limit: float, quantile: float = 0.99, **more: Any) -> Instance:
    job = {"name": "net", "rate_per_s": 290.0, "latency_slo_s": limit, "latency_quantile": quantile}
    return make([BOX | more], [RUN], [job])


def estimate(instance: Instance, plan: SteadyPlan) -> float:
    return float(evaluate(instance, plan)["queueing"][0]["quantile_latency_s"])


def test_a_plan_leaves_the_room_that_its_limit_needs_and_tells_the_gap() -> None:
    instance = stream(0.03)
    solution = solve(instance, time_limit=20, workers=1)
    assert solution.status == "feasible"
    # Three units would do without waiting, at 96.7 % of their time.
    assert solution.bound == pytest.approx(880.0, rel=1e-5)
    assert solution.objective == pytest.approx(980.0)
    assert estimate(instance, solution.plan) <= 0.03
    # Four units as M/D/4: C = 0.47, and θ = 245 / s.
    assert 0.015 < estimate(instance, solution.plan) < 0.03


def test_a_limit_that_the_first_plan_keeps_stays_proven() -> None:
    solution = solve(stream(1.0), time_limit=20, workers=1)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(880.0)


def test_only_the_service_makes_an_instance_infeasible() -> None:
    assert solve(stream(0.009), time_limit=20, workers=1).status == "infeasible"
    tight = solve(stream(0.0101, 0.9999, count_max=3), time_limit=20, workers=1)
    assert tight.status == "unknown"
    assert "latency with waiting" in tight.reason


def test_the_checker_finds_a_plan_that_is_too_late() -> None:
    loose = replace(stream(0.03), name="loose")
    plan = solve(stream(1.0), time_limit=20, workers=1).plan
    assert isinstance(plan, SteadyPlan)
    assert [v.kind for v in verify(loose, plan).violations] == ["waiting"]
    assert late_jobs(loose, plan).tolist() == [True]
    more = replace(plan, units_on=np.array([4]), units_had=np.array([4]))
    assert verify(loose, more).ok


def test_the_checker_finds_the_same_waits_by_integrals_of_its_own() -> None:
    rng = np.random.default_rng(4)
    seen = 0
    for servers in (1, 1, 2, 3, 5, 10, 30, 100, 1000) * 3:
        times = 10 ** rng.uniform(-3, 0, 3)
        share = rng.dirichlet(np.full(3, 0.5)) + 1e-6
        rates = share / (share @ times) * float(rng.uniform(0.05, 0.99)) * servers
        part = float(rng.choice([0.5, 0.01, 0.001]))
        keys, each = (np.zeros(3, dtype=np.int64),), np.ones(3)
        _, queues = waits(keys, servers * each, rates, times)
        estimate = float(queues.exceeded_by(part * each)[0])
        chance = _erlang(float(servers), float(rates @ times))
        assert chance == pytest.approx(float(queues.wait_probability[0]), rel=1e-6, abs=1e-200)
        own = _Waits(float(servers), chance, list(zip(rates.tolist(), times.tolist(), strict=True)))
        # Chords lie above what is convex: what a plan is held to is never more.
        assert own.beyond(part) * (1 - 1e-5) <= estimate <= own.beyond(part) * (1 + ROUNDING)
        seen += estimate > 0
    assert seen > 10


def test_the_quantile_counts() -> None:
    half = solve(stream(0.03, 0.5), time_limit=20, workers=1)
    most = solve(stream(0.03, 0.9999), time_limit=20, workers=1)
    assert half.objective < most.objective


def test_documents_state_limit_and_quantile_together() -> None:
    text = """
hetopt: 1
regime: steady
devices: [{name: box}]
profiles: {net: [{device: box, time: 10 ms, energy: 2 J}]}
jobs: [{name: net, profile: net, rate: 10 /s, latency_slo: {limit: 30 ms, quantile: 0.9}}]
"""
    jobs = read_yaml(text, "a.yaml").jobs
    assert jobs.latency_slo_s.tolist() == [0.03]
    assert jobs.latency_quantile.tolist() == [0.9]
    changed = set_values(read_yaml(text, "a.yaml"), ["jobs.net.latency_slo.quantile=0.5"])
    assert changed.jobs.latency_quantile.tolist() == [0.5]
    with pytest.raises(InputError, match="quantile"):
        read_yaml(text.replace("0.9}", "1.0}"), "a.yaml")


def test_a_model_file_is_refused_as_no_row_says_how_long_requests_wait(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="how long requests wait"):
        export_model(stream(0.03), tmp_path / "a.lp")


@pytest.mark.parametrize("chunk", range(2))
def test_nothing_that_solve_says_of_waiting_is_contradicted(chunk: int) -> None:
    run_chunk("waiting", range(chunk * 15, (chunk + 1) * 15), time_limit=10.0)
