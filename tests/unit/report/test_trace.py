"""Schedules over time: what they draw and hold, and the trace for Perfetto."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from hetopt import Instance, SchedulePlan, evaluate, verify
from hetopt.cli.app import app
from hetopt.evaluate.timeline import memory_over_time, power_over_time
from hetopt.generate import generate_schedule
from hetopt.report.lanes import lanes
from hetopt.report.trace import trace
from hetopt.schedule.list_scheduling.constructors import heft
from tests.random_schedules import random_schedule


def planned(seed: int) -> tuple[Instance, SchedulePlan] | None:
    question, _ = random_schedule(seed)
    plan = heft(question)
    return None if plan is None else (question, plan)


PLANNED = [made for made in map(planned, range(60)) if made is not None]


@pytest.mark.parametrize("made", PLANNED)
def test_power_over_time_peaks_where_the_checker_says(made) -> None:
    instance, plan = made
    peak = power_over_time(instance, plan).peak
    assert peak == pytest.approx(evaluate(instance, plan)["peak_power_w"], abs=1e-12)


@pytest.mark.parametrize("made", PLANNED)
def test_memory_over_time_is_what_the_checker_needs_and_no_more(made) -> None:
    instance, plan = made
    held = memory_over_time(instance, plan)
    peak = np.zeros(len(instance.devices))
    for (device, _), steps in held.items():
        peak[device] = max(peak[device], steps.peak)
        assert (steps.value >= 0).all()
    devices = instance.devices

    def with_memory(memory: np.ndarray) -> Instance:
        return replace(instance, devices=replace(devices, memory_b=memory))

    assert verify(with_memory(peak), plan).ok
    for device in np.flatnonzero(peak > 0):
        less = peak.copy()
        less[device] *= 1 - 1e-6
        report = verify(with_memory(less), plan)
        assert {v.kind for v in report.violations} == {"memory"}


def test_lanes_keep_what_overlaps_apart_and_use_no_more_than_that() -> None:
    begin = np.array([0.0, 1.0, 2.0, 2.0, 5.0])
    end = np.array([2.0, 4.0, 3.0, 6.0, 6.0])
    lane = lanes(begin, end)
    assert lane.max() == 2
    for i in range(5):
        for j in range(i):
            if begin[i] < end[j] and begin[j] < end[i]:
                assert lane[i] != lane[j]


@pytest.fixture(scope="module")
def traced() -> tuple[Instance, SchedulePlan, dict]:
    instance = generate_schedule(30, 4, seed=2, slots=2, ccr=0.5)
    plan = heft(instance)
    assert plan is not None
    return instance, plan, json.loads(json.dumps(trace(instance, plan), allow_nan=False))


def test_a_trace_has_every_task_and_hop_once_at_its_time(traced) -> None:
    instance, plan, made = traced
    slices = [e for e in made["traceEvents"] if e["ph"] == "X"]
    tasks = {e["name"]: e for e in slices if e["cat"] == "task"}
    assert len(tasks) == len(instance.tasks)
    assert len(slices) - len(tasks) == len(plan.hops)
    for name, start in zip(instance.tasks.name.tolist(), plan.start_s.tolist(), strict=True):
        assert tasks[name]["ts"] == pytest.approx(start * 1e6, abs=1e-5)


def test_slices_of_one_thread_never_overlap_and_every_thread_has_a_name(traced) -> None:
    _, _, made = traced
    named = {(e["pid"], e["tid"]) for e in made["traceEvents"] if e["name"] == "thread_name"}
    by_thread = defaultdict(list)
    for e in made["traceEvents"]:
        if e["ph"] == "X":
            by_thread[e["pid"], e["tid"]].append((e["ts"], e["ts"] + e["dur"]))
    assert set(by_thread) == named
    for spans in by_thread.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-3 for a, b in pairwise(spans))


def test_flows_begin_inside_their_producer_and_end_at_their_consumer(traced) -> None:
    _, _, made = traced
    slices = [e for e in made["traceEvents"] if e["ph"] == "X"]
    flows = defaultdict(list)
    for e in made["traceEvents"]:
        if e["ph"] in "stf":
            flows[e["id"]].append(e)
            assert any(
                (s["pid"], s["tid"]) == (e["pid"], e["tid"])
                and s["ts"] - 1e-3 <= e["ts"] <= s["ts"] + s["dur"] + 1e-3
                for s in slices
            )
    assert flows
    for steps in flows.values():
        assert [e["ph"] for e in steps] == ["s", *"t" * (len(steps) - 2), "f"]
        assert steps[-1]["bp"] == "e"
        assert [e["ts"] for e in steps] == sorted(e["ts"] for e in steps)


def test_the_command_writes_a_trace_and_refuses_what_has_none(tmp_path, repo_path) -> None:
    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(a) for a in arguments])

    edge = repo_path / "instances" / "edge-box.yaml"
    plan, out = tmp_path / "p.json", tmp_path / "t.json"
    assert run("solve", edge, "--method", "heft", "-o", plan).exit_code == 0
    assert run("report", edge, plan, "-o", out).exit_code == 0
    assert json.loads(out.read_text())["displayTimeUnit"] == "ms"
    late = run("report", edge, plan, "--set", "jobs.*.deadline_s=0.001", "-o", out)
    assert late.exit_code == 2
    assert "deadline" in late.stderr
    assert run("report", edge, plan, "-o", tmp_path / "t.pdf").exit_code == 2
