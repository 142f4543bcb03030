"""Infeasible instances made by hand, each with a known smallest repair."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from hetopt import Instance, Model, SolveOptions, explain, from_frames, read_instance, solve, verify
from hetopt.analysis.explanation import Explanation, questions
from hetopt.analysis.explanation.repairs import Repair
from hetopt.report.terminal.explanation import explanation_view
from tests.small_schedules import device, edge, instance, link, option, task

MIB = 2.0**20
QUICK = SolveOptions(time_limit_s=20, workers=1)


@dataclass(frozen=True)
class Case:
    """An instance, what conflicts in it, and its smallest repairs as {limit: new value}."""

    make: Callable[[], Instance]
    conflict: list[str]
    repairs: list[dict[str, float | None]]


def camera(deadline: float, **npu) -> Instance:
    return instance(
        [device("cpu", idle_power_w=1.0), device("npu", idle_power_w=0.5, **npu)],
        [
            option("grab", "cpu", 0.005, 0.01),
            option("detect", "cpu", 0.040, 0.2),
            option("detect", "npu", 0.010, 0.02, weights_b=100 * MIB, model="detect"),
            option("segment", "cpu", 0.050, 0.3),
            option("segment", "npu", 0.012, 0.03, weights_b=150 * MIB, model="segment"),
            option("plan", "cpu", 0.009, 0.01),
        ],
        [task(name, job="frame") for name in ("grab", "detect", "segment", "plan")],
        links=[link("cpu", "npu", 1e9, both_ways=True)],
        transfers=[
            edge("grab", "detect", 1e6),
            edge("grab", "segment", 1e6),
            edge("detect", "plan", 1e3),
            edge("segment", "plan", 1e3),
        ],
        jobs=[{"name": "frame", "deadline_s": deadline}],
        objective="energy",
    )


def models(sizes: dict[str, float], memory: float) -> Instance:
    return instance(
        [device("npu", memory_b=memory)],
        [option(m, "npu", 1.0, weights_b=size, model=m) for m, size in sizes.items()],
        [task(m) for m in sizes],
        objective="makespan",
    )


def pair(**settings) -> Instance:
    """Two tasks of 2 and 3 W that one device each can run, for 4 s each."""
    return instance(
        [device("cpu", idle_power_w=1.0), device("gpu", idle_power_w=1.0)],
        [option("a", "cpu", 4.0, 8.0), option("b", "gpu", 4.0, 12.0)],
        [task("a"), task("b")],
        objective="makespan",
        **settings,
    )


def three_apart() -> Instance:
    return instance(
        [device("cpu", count=2)],
        [option("p", "cpu", 1.0)],
        [task(name, "p") for name in "abc"],
        apart=[["a", "b", "c"]],
        objective="makespan",
    )


def far_away() -> Instance:
    return instance(
        [device("cpu"), device("npu")],
        [option("a", "cpu", 1.0), option("b", "npu", 1.0)],
        [task("a"), task("b")],
        transfers=[edge("a", "b", 10.0)],
        objective="makespan",
    )


def two_reasons() -> Instance:
    """A deadline of 3 s for 4 s of work, and models of 3 MiB in 2 MiB."""
    return instance(
        [device("cpu"), device("npu", memory_b=2 * MIB)],
        [option("a", "cpu", 4.0), option("b", "npu", 1.0, weights_b=3 * MIB, model="b")],
        [task("a", job="late"), task("b", job="large")],
        jobs=[{"name": "late", "deadline_s": 3.0}, {"name": "large"}],
        objective="makespan",
    )


def licences() -> Instance:
    tables = {
        "devices": pd.DataFrame([device("cpu")]),
        "options": pd.DataFrame([option("p", "cpu", 1.0)]),
        "tasks": pd.DataFrame([task(name, "p") for name in "abcd"]),
        "resources": pd.DataFrame([{"name": "credits", "budget": 10.0}]),
        "uses": pd.DataFrame(
            [{"profile": "p", "device": "cpu", "resource": "credits", "amount": 3.0}]
        ),
    }
    return from_frames(tables, {"regime": "schedule", "objective": "makespan"})


def exact_enough() -> Instance:
    return instance(
        [device("npu")],
        [
            option("detect", "npu", 2.0, accuracy=0.7, label="int8"),
            option("detect", "npu", 6.0, accuracy=0.9, label="fp16"),
        ],
        [task("detect", job="frame")],
        jobs=[{"name": "frame", "deadline_s": 4.0, "min_accuracy": 0.8}],
        objective="makespan",
    )


def fleet(slo: float = 1.0, **settings) -> Instance:
    """40 requests/s of 0.1 s each: 4 units of cpu at 25 W or of npu at 12 W."""
    return from_frames(
        {
            "devices": pd.DataFrame(
                {
                    "name": ["cpu", "npu"],
                    "count_min": [0, 0],
                    "count_max": [9, 3],
                    "idle_power_w": [5.0, 2.0],
                    "price_per_s": [1.0, 3.0],
                }
            ),
            "options": pd.DataFrame(
                {
                    "profile": ["a", "a"],
                    "device": ["cpu", "npu"],
                    "time_s": [0.1, 0.1],
                    "power_w": [25.0, 12.0],
                }
            ),
            "tasks": pd.DataFrame({"name": ["a"], "job": ["chat"]}),
            "jobs": pd.DataFrame({"name": ["chat"], "rate_per_s": [40.0], "latency_slo_s": [slo]}),
        },
        {"objective": "power", **settings},
    )


CASES = {
    "deadline": Case(
        lambda: camera(0.033),
        ["deadline:frame"],
        [{"deadline:frame": 0.037001}, {"units:npu": 2}],
    ),
    "deadline-or-memory": Case(
        lambda: camera(0.050, memory_b=200 * MIB),
        ["deadline:frame", "memory:npu"],
        [{"deadline:frame": 0.054}, {"memory:npu": 250 * MIB + 1e6 + 1e3}, {"units:npu": 2}],
    ),
    "weights": Case(
        lambda: models({"a": 900.0, "b": 500.0}, 1000.0), ["memory:npu"], [{"memory:npu": 1400.0}]
    ),
    "pin": Case(
        lambda: three_pinned(),
        ["pin:b"],
        [{"pin:b": None}],
    ),
    "site": Case(
        lambda: kept_at_home(),
        ["allowed_sites:b"],
        [{"allowed_sites:b": None}],
    ),
    "power-cap": Case(lambda: pair(power_cap_w=4.5), ["power_cap"], [{"power_cap": 5.0}]),
    "power-cap-or-horizon": Case(
        lambda: pair(power_cap_w=6.0, horizon_s=5.0),
        ["horizon", "power_cap"],
        [{"horizon": 8.0}, {"power_cap": 7.0}],
    ),
    "apart": Case(three_apart, ["apart:a, b, c"], [{"apart:a, b, c": None}, {"units:cpu": 3}]),
    "no-link": Case(far_away, ["no_link:cpu->npu"], [{"no_link:cpu->npu": None}]),
    "two-reasons": Case(
        two_reasons, ["deadline:late"], [{"deadline:late": 4.0, "memory:npu": 3 * MIB}]
    ),
    "resource": Case(licences, ["resource_budget:credits"], [{"resource_budget:credits": 12.0}]),
    "accuracy-or-deadline": Case(
        exact_enough,
        ["deadline:frame", "min_accuracy:frame"],
        [{"deadline:frame": 6.0}, {"min_accuracy:frame": 0.7}],
    ),
    "fleet-power": Case(
        lambda: fleet(power_cap_w=40.0),
        ["power_cap", "demand"],
        [{"power_cap": 61.0}, {"demand": 0.75}],
    ),
    "fleet-latency": Case(lambda: fleet(slo=0.06), ["latency:chat"], [{"latency:chat": 0.1}]),
    "fleet-budget": Case(
        lambda: fleet(budget_per_s=3.0),
        ["budget", "demand"],
        [{"budget": 4.0}, {"demand": 0.75}],
    ),
}


def kept_at_home() -> Instance:
    m = Model("home", objective="makespan")
    m.site("home")
    m.site("cloud")
    cpu = m.device("cpu", kind="cpu", site="home")
    npu = m.device("npu", kind="npu", site="cloud")
    job = m.job("job")
    job.task("a", options=[cpu.option(time="1 s")])
    job.task("b", options=[npu.option(time="1 s")], allowed_sites=["home"])
    return m.build()


def three_pinned() -> Instance:
    return instance(
        [device("cpu"), device("npu")],
        [option("a", "cpu", 1.0), option("b", "npu", 1.0)],
        [task("a"), task("b", pin="cpu")],
        objective="makespan",
    )


@pytest.mark.parametrize("name", CASES)
def test_the_smallest_repair_is_found_and_proven_sufficient_and_minimal(name):
    case = CASES[name]
    question = case.make()
    explanation = explain(question, options=QUICK)
    assert explanation.status == "infeasible"
    conflict = explanation.conflicts[0]
    assert sorted(limit.key for limit in conflict.limits) == sorted(case.conflict)
    assert conflict.minimal
    assert conflict.reproved
    assert explanation.complete
    for known in case.repairs:
        repair = find(explanation.repairs, known)
        assert repair.minimal
        assert all(move.exact for move in repair.moves)
        assert verify(repair.instance, repair.plan).ok
        assert solve(repair.instance, time_limit=10, gap=1e9, workers=1).plan is not None
        assert not_one_can_be_left_out(question, repair)


def find(repairs: tuple[Repair, ...], known: dict[str, float | None]) -> Repair:
    for repair in repairs:
        moved = {move.limit.key: move.value for move in repair.moves}
        if sorted(moved) == sorted(known) and all(
            (moved[key] is None) == (value is None)
            and (value is None or math.isclose(moved[key], value, rel_tol=2e-6))
            for key, value in known.items()
        ):
            return repair
    found = [{m.limit.key: m.value for m in r.moves} for r in repairs]
    raise AssertionError(f"{known} is not among {found}")


def not_one_can_be_left_out(question: Instance, repair: Repair) -> bool:
    """Whether every move a thousandth smaller, or left out, is proven not to do."""
    for weak in repair.moves:
        changed = question
        for move in repair.moves:
            amount, value = move.limit.amount, move.value
            if amount is None or value is None:
                changed = changed if move is weak else move.limit.lift(changed)
                continue
            if move is weak:
                less = value - (value - amount.value) / 1000
                value = value - 1 if amount.whole else less
            changed = amount.at(changed, value)
        changed = replace(changed, objective=question.objective)
        if solve(changed, time_limit=10, gap=1e9, workers=1).status != "infeasible":
            return False
    return True


def test_memory_is_lifted_for_as_many_units_as_the_demand_may_need() -> None:
    """More units alone, or more memory alone, do not serve 2.5 requests/s; both together do."""
    pool = read_instance(
        "x.yaml",
        text="""
hetopt: 1
regime: steady
objective: power
pools: [{name: dram, memory: 1000}]
devices: [{name: d, count: 1, memory_pool: dram}]
jobs: [{name: j, rate: 2.5, options: [{device: d, time: 1, energy: 1, weights: 1000}]}]
""",
        format="yaml",
    )
    found = explain(pool, options=QUICK)
    assert found.status == "infeasible"
    assert {frozenset(limit.key for limit in g.limits) for g in found.conflicts} == {
        frozenset({"units:d", "demand"}),
        frozenset({"pool:dram", "demand"}),
    }
    wanted = {"units:d": 3.0, "pool:dram": 3000.0}
    assert any({m.limit.key: m.value for m in r.moves} == wanted for r in found.repairs)


def test_links_that_a_staged_message_lacks_are_to_blame() -> None:
    lacking = read_instance(
        "x.yaml",
        text="""
hetopt: 1
regime: schedule
objective: makespan
host: cpu
devices: [{name: cpu}, {name: a}, {name: b}]
links: [{from: a, to: b}]
jobs: [{name: j}]
tasks:
  - {name: t, job: j, options: [{device: a, time: 1}]}
  - {name: u, job: j, options: [{device: b, time: 1}]}
transfers: [{from: t, to: u, bytes: 1000, tensor: x, staged: true}]
""",
        format="yaml",
    )
    found = explain(lacking, options=QUICK)
    keys = {frozenset(limit.key for limit in g.limits) for g in found.conflicts}
    assert keys == {frozenset({"no_link:a->cpu"}), frozenset({"no_link:cpu->b"})}
    (repair,) = found.repairs
    assert {m.limit.key for m in repair.moves} == {"no_link:a->cpu", "no_link:cpu->b"}
    text = shown(found)
    assert "no limit can be blamed" not in text.lower()
    assert "no link from a to cpu, and so no plan, even with a link from cpu to b" in text


def test_sentences_name_what_was_lifted_for_them() -> None:
    """The only unit is too slow: nothing to lift but the demand, and the sentence says no more."""
    alone = read_instance(
        "x.yaml",
        text="""
hetopt: 1
regime: steady
routing: single
objective: power
devices: [{name: d, count: 1}]
jobs: [{name: j, rate: 2.5, options: [{device: d, time: 1, energy: 1}]}]
""",
        format="yaml",
    )
    text = shown(explain(alone, options=QUICK))
    assert "too much for these devices, even without the number of units of d" in text


CAPPED = """
hetopt: 1
regime: steady
objective: throughput
power_cap: 50
devices: [{{name: d, count: {count}, idle_power: 1}}]
jobs: [{{name: j, rate: 1, options: [{{device: d, time: 0.1, energy: 1}}]}}]
"""


def test_what_a_power_cap_costs_is_told_only_where_throughput_is_bounded_without_it() -> None:
    """Forty units serve 400/s and draw 440 W; of any number there is no most."""
    finite = read_instance("x.yaml", text=CAPPED.format(count=40), format="yaml")
    told = explain(finite, options=QUICK).plan
    assert told is not None
    (cap,) = [e for e in told.effects if e.limit.kind == "power_cap"]
    assert cap.without == pytest.approx(400, rel=1e-6)
    free = read_instance("x.yaml", text=CAPPED.format(count="{min: 0}"), format="yaml")
    told = explain(free, options=QUICK).plan
    assert told is not None
    assert not [e for e in told.effects if e.limit.kind == "power_cap"]


def shown(found: Explanation) -> str:
    console = Console(width=200, file=io.StringIO())
    console.print(explanation_view(found))
    return console.file.getvalue()


def test_without_a_clock_the_number_of_solves_follows_from_the_limit():
    rack = read_instance("llm-two-gpus").with_limits(power_cap_w=1e4)
    counts = [
        explain(rack, options=SolveOptions(limit, workers=1, deterministic=True)).solves
        for limit in (0.1, 0.4)
    ]
    assert counts[0] <= 3
    assert counts[0] < counts[1] <= 9


def test_without_a_clock_a_question_about_many_options_counts_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rack = read_instance("llm-two-gpus").with_limits(power_cap_w=1e4)
    options = SolveOptions(0.4, workers=1, deterministic=True)
    many = explain(rack, options=options).solves
    monkeypatch.setattr(questions, "DETERMINISTIC_CHOICES", 10)
    assert explain(rack, options=options).solves < many


def test_a_deadline_of_a_microsecond_for_a_robot_is_explained_with_the_least_that_helps() -> None:
    robot = read_instance("robot")
    tight = replace(robot, jobs=replace(robot.jobs, deadline_s=np.full(len(robot.jobs), 1e-6)))
    found = explain(tight, options=QUICK)
    assert found.status == "infeasible"
    assert any("critical path" in screen.text for screen in found.screens)
    (repair,) = found.repairs
    (move,) = repair.moves
    assert move.limit.kind == "deadline"
    assert verify(move.limit.amount.at(tight, move.value), repair.plan).ok
    assert move.value == pytest.approx(0.0390393, rel=1e-4)
    shorter = move.limit.amount.at(tight, move.bound * (1 - 1e-4))
    assert solve(shorter, time_limit=20, workers=1).status == "infeasible"


@pytest.mark.filterwarnings("error")
def test_limits_of_a_job_that_is_not_served_have_no_use() -> None:
    model = Model("capped", regime="steady", objective="throughput", power_cap=1.0)
    npu = model.device("npu", kind="npu", count=1, idle_power=10.0)
    job = model.job("j", rate=1.0, latency_slo="1 s", min_accuracy=0.5)
    job.task("t", options=[npu.option(time=0.1, energy=1.0, accuracy=0.7)])
    rack = model.build()
    found = explain(rack, solve(rack, time_limit=20), options=QUICK)
    assert found.plan is not None
    slacks = [s for s in found.plan.slacks if s.limit.kind in ("latency", "min_accuracy")]
    assert len(slacks) == 2
    assert all(math.isnan(slack.use) for slack in slacks)
