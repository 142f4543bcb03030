"""The shipped instances: each loads, says its sources, and is solved to a checked optimum."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from hetopt.analysis.compare import compare
from hetopt.cli.app import app
from hetopt.formats.registry import read_instance
from hetopt.instance import Instance
from hetopt.instance.column_specs import SETTINGS, TABLES
from hetopt.instance.overrides import with_deadline
from hetopt.profiling.catalogue import devices, options_for
from hetopt.solution import SchedulePlan, SteadyPlan
from hetopt.solve import SolveOptions, solve

FOLDER = Path(__file__).resolve().parents[2] / "instances"
FILES = sorted(FOLDER.glob("*.yaml")) + sorted(FOLDER.glob("synthetic/*.yaml"))
MEASURED = [f for f in FILES if f.parent == FOLDER]

OPTIMA: dict[str, tuple[float, ...]] = {
    "chip-shared-dram": (208.778807082014,),
    "day-24": (0.000552544769772029,),
    "edge-boards": (50.39747281927712,),
    "edge-box": (0.34299024,),
    "fpga-bitstreams": (0.36312,),
    "llm-prefill-decode": (0.04491666666666667,),
    "llm-two-generations": (6907.31064974355,),
    "llm-two-gpus": (3764.792,),
    "mlperf-v3.0-server": (2008.6049831238743,),
    "mlperf-v3.0-server-h100": (2878.8195695818217,),
    "pipeline-clocks": (675.0576,),
    "rack-shed": (32964.64462602858, 3000.0),
    "robot": (4.625282308749738,),
    "sensor-node": (0.0008793919,),
    "sensor-sleep": (0.004143119,),
    "staged-services": (6113.492507577646,),
    "training-power-limits": (5008311.25,),
    "voice-assistant": (748.3178250280001,),
    "wearable": (8.9568185168,),
    "accuracy-schedule": (0.1635,),
    "balanced-mix": (93.33829834,),
    "batches-accuracy": (118.075,),
    "channels-bus": (0.0103,),
    "cost-carbon": (4.894968378995434,),
    "exclusive": (616.5,),
    "fleet-budget": (10000.0,),
    "fleet-growth": (0.0018784797281392565,),
    "intervals": (0.134,),
    "least-load": (84000.0,),
    "stream-boards": (26.0,),
    "memory-packing": (464.0,),
    "memory-schedule": (0.042,),
    "multi-hop-path": (0.0365,),
    "optional-jobs": (14.0, 0.241),
    "peak-power": (44.0, 0.718),
    "cycle-stated": (0.167772, 0.1122),
    "cyclic-frames": (0.246,),
    "periodic-always-on": (0.304,),
    "periods": (2.0366570216049384e-05,),
    "power-cap": (3000.0,),
    "self-link": (0.02504,),
    "set-ups": (0.0495,),
    "board": (0.3072,),
    "board-memory": (0.02,),
    "shared-bandwidth": (0.032,),
    "scenarios": (0.0016076901041666668,),
    "shared-tensors": (0.01901,),
    "single-routing": (312.5,),
    "training-stages": (1000 / 18,),
    "slots-pins-release": (0.3,),
    "sites": (7.371555555555555e-06,),
    "spares-shares": (0.003918842592592593,),
    "staged-no-overlap": (0.022,),
    "steady-graph": (200.0976,),
    "tardiness": (0.003, 2.355),
    "together-apart": (0.0058,),
    "waiting-limit": (720.0,),
    "zero-copy-pool": (0.0444, 0.018),
}
"""Proven optimal objectives, SI units, level by level."""


def load(name: str) -> Instance:
    return read_instance(next(f for f in FILES if f.stem == name))


def header(path: Path) -> str:
    """Return the comment at the top of a file as running text."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_instance_is_solved_to_its_proven_optimum(path: Path) -> None:
    instance = read_instance(path)
    assert instance.name == path.stem
    solution = solve(instance, time_limit=30)
    assert solution.verified
    assert solution.status == "optimal"
    assert solution.objectives == pytest.approx(OPTIMA[path.stem], rel=2e-6)


def test_no_instance_is_without_a_known_optimum() -> None:
    assert sorted(OPTIMA) == sorted(path.stem for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_header_says_where_the_figures_come_from(path: Path) -> None:
    text = header(path)
    assert "yaml-language-server: $schema=" in text
    schema = re.search(r"\$schema=(\S+)", text)
    assert schema is not None
    assert (path.parent / schema[1]).resolve() == FOLDER.parent / "docs" / "instance.schema.json"
    if path in MEASURED:
        assert re.search(r"Apache-2\.0|MIT", text)
        assert "repository" in text
    else:
        assert text.split(" ", 2)[2].strip().startswith("Feature: ")
        assert "Made-up figures." in text


@pytest.mark.parametrize(
    "path", [p for p in MEASURED if "MLPerf" in p.read_text("utf-8")], ids=lambda p: p.stem
)
def test_mlperf_figures_carry_round_division_submitter_and_the_notice(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\n# ", " ").replace("\n#", " ")
    assert re.search(r"MLPerf (Inference|Tiny) v\d\.\d, (closed|open) division", text)
    assert re.search(r"[Ss]ubmitter", text)
    assert "not verified by MLCommons" in text
    assert "MLPerf is a trademark of MLCommons" in text


def test_the_default_instance_is_the_headline_without_h100(repo_path: Path) -> None:
    shipped = (repo_path / "hetopt" / "data" / "default.yaml").read_bytes()
    assert shipped == (FOLDER / "mlperf-v3.0-server.yaml").read_bytes()


def test_the_headline_files_are_what_the_script_makes(
    repo_path: Path, shared_path: Callable[..., Path]
) -> None:
    script = module_from(repo_path / "tools" / "build_instances.py")
    table = script.read(shared_path("data", "mlperf_inference_power.csv"))
    for path, text in script.built(table).items():
        assert (repo_path / path).read_text(encoding="utf-8") == text


def commands() -> list[str]:
    """Return the commands that the headers propose."""
    pattern = re.compile(r"^#   (hetopt (?:solve|compare) instances/.*)$", re.MULTILINE)
    return [c for path in FILES for c in pattern.findall(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("command", commands())
def test_the_commands_in_the_headers_run(
    command: str, repo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo_path)
    arguments = [*shlex.split(command)[1:], "--time-limit", "30", "--json"]
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    answer = json.loads(outcome.stdout)
    if "compare" in arguments:
        assert answer["gain"] is not None
    else:
        assert answer["status"] == "optimal"


def test_every_instance_stands_in_the_docs(repo_path: Path) -> None:
    text = (repo_path / "docs" / "instances.md").read_text(encoding="utf-8")
    assert [path.name for path in FILES if f"`{path.name}`" not in text] == []


def test_the_example_of_the_catalogue_page_is_solved(repo_path: Path) -> None:
    page = (repo_path / "docs" / "catalogue.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert example is not None
    instance = read_instance("docs/catalogue.md", format="yaml", text=example[1])
    assert solve(instance, time_limit=30).status == "optimal"


def test_the_examples_show_every_field_of_the_format() -> None:
    shown: set[str] = set()
    for path in FILES:
        collect_keys(YAML(typ="safe").load(path), shown)
    shown |= {"count_min", "count_max"} if "count" in shown else set()
    # In a document a use is an entry of a mapping: resource: amount.
    shown |= {"resource", "amount"} if "uses" in shown else set()
    # And a rate of a scenario one of another: job: rate.
    shown |= {"scenario", "job"} if "rates" in shown else set()
    # A limit and its quantile are a mapping.
    shown |= {"latency_quantile"} if "quantile" in shown else set()
    for columns in (*TABLES.values(), SETTINGS):
        for column in columns:
            names = {column.name, *column.aliases, column.within} - {""}
            assert shown & names, column.name


@pytest.mark.parametrize(
    ("name", "host", "gain"),
    [
        ("edge-box", "cpu", 0.0946),
        ("edge-boards", None, 0.2228),
        ("llm-prefill-decode", None, 0.0577),
        ("llm-two-gpus", None, 0.0136),
        ("staged-services", None, 0.4380),
        ("sensor-node", None, 0.9468),
        ("sensor-node", "mcu", 0.0),
        ("training-power-limits", None, 0.0680),
    ],
)
def test_measured_instances_have_the_documented_gain_over_the_best_device(
    name: str, host: str | None, gain: float
) -> None:
    options = SolveOptions(time_limit_s=30, gap=0.005)
    comparison = compare(load(name), host=host, options=options, sensitivity=False)
    assert comparison.gain.value == pytest.approx(gain, abs=0.003)
    assert comparison.gain.proven <= comparison.gain.value + 1e-12
    assert comparison.gain.proven == pytest.approx(gain, abs=0.006)


def test_the_stages_of_the_language_model_take_what_the_catalogue_has() -> None:
    instance = load("llm-prefill-decode")
    stages = {
        "chat-prefill": ("prompt/context1024", 1),
        "chat-decode": ("token/context512", 129),
        "code-prefill": ("prompt/context2048", 1),
        "code-decode": ("token/context512", 13),
    }
    for r, name in enumerate(instance.profiles.name.tolist()):
        measured, steps = stages[name]
        for o in range(instance.profiles.ptr[r], instance.profiles.ptr[r + 1]):
            device = instance.devices.name[instance.options.device[o]]
            table = options_for(f"splitwise/llama2-70b/{measured}", f"splitwise/{device}-80gb-x2")
            row = table[table["label"] == f"b{instance.options.batch[o]}"].iloc[0]
            assert instance.options.time_s[o] == pytest.approx(steps * row["time_s"], rel=1e-8)
    # Keys and values of 80 layers, 8 heads of 128 numbers in 16 bits, per token of the prompt.
    assert instance.tensors.bytes_b.tolist() == [2 * 80 * 8 * 128 * 2 * n for n in (1020, 1500)]


def test_a_rival_that_lacks_a_network_is_shown_with_it() -> None:
    options = SolveOptions(time_limit_s=30, gap=0.005)
    comparison = compare(load("edge-boards"), options=options, sensitivity=False)
    lacking = {r.name: r.cannot_run for r in comparison.rivals if r.type == "device"}
    assert lacking == {
        "orin": (),
        "gloria": ("listen",),
        "heimdall": ("listen",),
        "eb6": ("listen",),
    }


def test_the_gain_of_the_edge_box_is_over_the_best_kind_as_well() -> None:
    comparison = compare(load("edge-box"), host="cpu", rival="kind", sensitivity=False)
    assert comparison.gain.proven == pytest.approx(0.0946, abs=1e-4)


def test_a_shorter_deadline_takes_a_second_stick_into_the_edge_box() -> None:
    assert devices_used(load("edge-box")) == {"cpu", "gpu", "edgetpu"}
    assert devices_used(with_deadline(load("edge-box"), 0.016)) == {"cpu", "gpu", "edgetpu", "ncs2"}


def test_instances_use_no_measured_figures_that_are_in_doubt() -> None:
    doubtful = set(devices().query("caution != ''")["device"])
    for path in MEASURED:
        assert not any(id_ in path.read_text(encoding="utf-8") for id_ in doubtful)


def test_messages_without_a_direct_link_travel_over_two_hops() -> None:
    solution = solve(load("multi-hop-path"), time_limit=30)
    assert isinstance(solution.plan, SchedulePlan)
    assert solution.plan.hops.ordinal.tolist() == [0, 1]


def test_a_zero_copy_pool_needs_no_transfer() -> None:
    instance = load("zero-copy-pool")
    solution = solve(instance, time_limit=30)
    assert isinstance(solution.plan, SchedulePlan)
    assert len(np.unique(instance.options.device[solution.plan.option])) > 1
    assert len(solution.plan.hops) == 0


def test_a_staged_tensor_is_written_once_and_read_once_a_unit() -> None:
    solution = solve(load("staged-no-overlap"), time_limit=30)
    assert isinstance(solution.plan, SchedulePlan)
    legs = solution.plan.hops.leg.tolist()
    assert legs.count(1) == 1
    assert legs.count(2) >= 1


def test_exclusive_units_cost_more_than_shared_ones() -> None:
    instance = load("exclusive")
    shared = replace(instance.devices, exclusive=np.zeros(len(instance.devices), dtype=bool))
    apart = solve(instance, time_limit=30)
    mixed = solve(replace(instance, devices=shared), time_limit=30)
    assert mixed.status == "optimal"
    assert mixed.objective <= apart.bound


def test_memory_makes_a_steady_plan_name_units() -> None:
    solution = solve(load("memory-packing"), time_limit=30)
    assert isinstance(solution.plan, SteadyPlan)
    assert (solution.plan.unit >= 0).all()


def devices_used(instance: Instance) -> set[str]:
    solution = solve(instance, time_limit=30)
    assert solution.status == "optimal"
    assert isinstance(solution.plan, SchedulePlan)
    used = np.unique(instance.options.device[solution.plan.option])
    return set(instance.devices.name[used].tolist())


def collect_keys(data: Any, keys: set[str]) -> None:
    if isinstance(data, dict):
        for key, value in data.items():
            keys.add(str(key))
            collect_keys(value, keys)
    elif isinstance(data, list):
        for value in data:
            collect_keys(value, keys)


def module_from(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
