"""Models written for other solvers: those find hetopt's own optimum in the file."""

from __future__ import annotations

import json
import math
import re
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pulp
import pytest
from google.protobuf import text_format
from ortools.linear_solver.python import model_builder
from ortools.sat.python import cp_model

from hetopt import export_model, from_frames, read_instance, solve
from hetopt.errors import InputError
from hetopt.instance import Instance
from tests.command_line import hetopt
from tests.random_schedules import random_schedule
from tests.random_streams import random_stream

# PuLP 3.3.2 announces PuLP 4 wherever CBC is asked for.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

NEAR = 2e-6
"""Relative: hetopt's tolerance of gaps, and the file's 12 digits."""
ROOT = Path(__file__).resolve().parents[2]


def cbc(path: Path) -> float:
    """The optimum of an MPS or LP file by CBC's own readers, NaN where there is none."""
    answer = path.with_suffix(".sol")
    solver = pulp.PULP_CBC_CMD().path
    command = [solver, str(path), "-ratioGap", "0", "-allowableGap", "1e-12", "-solve"]
    done = subprocess.run(
        [*command, "-solution", str(answer)], capture_output=True, text=True, check=True
    )
    assert "read with 0 errors" in done.stdout or path.suffix == ".lp", done.stdout
    head = answer.read_text(encoding="utf-8").splitlines()[0]
    if not head.startswith("Optimal"):
        return math.nan
    return float(re.search(r"objective value\s+(\S+)", head)[1])


def scip(path: Path) -> float:
    """The optimum of an MPS file by SCIP behind OR-Tools' reader."""
    model = model_builder.Model()
    assert model.import_from_mps_file(str(path))
    solver = model_builder.Solver("SCIP")
    assert solver.solve(model) == model_builder.SolveStatus.OPTIMAL
    return solver.objective_value


def cpsat(path: Path) -> float:
    """The optimum of a CP-SAT file, NaN where there is none, as a reader without hetopt has it."""
    model = cp_model.CpModel()
    if path.suffix == ".pb":
        model.proto.ParseFromString(path.read_bytes())
    else:
        text_format.Parse(path.read_text(encoding="utf-8"), model.proto)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.relative_gap_limit = 0.0
    status = solver.solve(model)
    assert status in (cp_model.OPTIMAL, cp_model.INFEASIBLE)
    return solver.objective_value if status == cp_model.OPTIMAL else math.nan


def streams(routing: str, first: int, count: int) -> list[Instance]:
    """Random steady instances, each cut to its first objective."""
    found: list[Instance] = []
    for seed in range(first, first + 40 * count):
        made = random_stream(seed)
        if made.routing == routing and made.objective[0] != "accuracy" and len(found) < count:
            found.append(replace(made, objective=made.objective[:1]))
    return found


@pytest.mark.parametrize("instance", streams("split", 40, 10), ids=lambda i: i.objective[0])
def test_cbc_finds_the_optimum_of_a_steady_instance_in_both_files(instance, tmp_path):
    solution = solve(instance, time_limit=20, workers=1)
    for form in ("mps", "lp"):
        path = tmp_path / f"model.{form}"
        try:
            written = export_model(instance, path)
        except InputError:
            # Some job has no route: no program says so.
            assert solution.status == "infeasible"
            continue
        value = cbc(path) / written.factor
        if solution.status == "infeasible":
            assert math.isnan(value)
        else:
            assert solution.status == "optimal"
            assert value == pytest.approx(solution.objective, rel=NEAR, abs=1e-9)


SERVERS = ROOT / "instances" / "mlperf-v3.0-server.yaml"


@pytest.mark.parametrize("objective", ["power", "throughput"])
def test_the_headline_scenario_has_the_same_optimum_in_other_solvers(objective, tmp_path):
    instance = replace(read_instance(SERVERS), objective=(objective,))
    if objective == "throughput":
        instance = instance.with_limits(power_cap_w=20_000.0)
    solution = solve(instance, time_limit=30)
    written = export_model(instance, tmp_path / "model.mps")
    assert scip(tmp_path / "model.mps") / written.factor == pytest.approx(
        solution.objective, rel=NEAR
    )
    assert cbc(tmp_path / "model.mps") / written.factor == pytest.approx(
        solution.objective, rel=NEAR
    )
    assert written.sense == "min"
    assert (written.factor < 0) == (objective == "throughput")


def test_scenarios_and_slices_are_one_program_with_names_of_their_own(tmp_path):
    instance = read_instance(ROOT / "instances" / "synthetic" / "scenarios.yaml")
    written = export_model(instance, tmp_path / "model.lp")
    text = (tmp_path / "model.lp").read_text(encoding="ascii")
    assert "\\ s1. begins what belongs to scenario night" in text
    assert "row_fleet_0_2.gpu: - s0.had_0.gpu + s2.had_0.gpu = 0" in text
    assert re.search(r"s2\.row_slices_\d+\.translate: .*s2\.slices_\d+\.translate", text)
    export_model(instance, tmp_path / "model.mps")
    optimum = solve(instance, time_limit=20, workers=1).objective
    assert cbc(tmp_path / "model.mps") / written.factor == pytest.approx(optimum, rel=NEAR)


def test_names_say_what_variables_and_rows_are(tmp_path):
    export_model(read_instance(SERVERS), tmp_path / "model.lp")
    text = (tmp_path / "model.lp").read_text(encoding="ascii")
    assert re.search(r"share_\d+\.resnet50", text)
    assert re.search(r"on_\d+\.a100", text)
    assert re.search(r"row_capacity_\d+\.n3000", text)
    assert re.search(r"\\ share_11: of 221541\S+ requests/s of dlrm-99: dlrm-99 on n3000", text)
    assert "\\ Objective: power in W, minimised." in text


def box(**settings: object) -> Instance:
    """One stream on a box whose name no solver would take, beside one that is always on."""
    devices = [
        {"name": "große + kleine box [1]", "count_min": 0, "count_max": 9, "idle_power_w": 100.0},
        {
            "name": "gate",
            "count_min": 1,
            "count_max": 1,
            "idle_power_w": 7.0,
            "off_when_unused": False,
            "price_per_s": 0.003,
        },
    ]
    option = {"profile": "net", "device": "große + kleine box [1]", "time_s": 0.01, "energy_j": 2.0}
    frames = {
        "devices": devices,
        "options": [option],
        "tasks": [{"name": "net", "job": "net"}],
        "jobs": [{"name": "net", "rate_per_s": 250.0}],
    }
    return from_frames(
        {k: pd.DataFrame(v) for k, v in frames.items()},
        {"regime": "steady", "objective": "power", **settings},
    )


@pytest.mark.parametrize("form", ["mps", "lp"])
def test_constants_of_the_objective_and_odd_names_survive(form, tmp_path):
    path = tmp_path / f"model.{form}"
    written = export_model(box(), path)
    # 3 boxes, 250 requests of 2 J, and the gate that is always on.
    assert cbc(path) / written.factor == pytest.approx(3 * 100 + 250 * 2 + 7)
    assert path.read_bytes().isascii()


def test_an_objective_of_tiny_coefficients_is_scaled_and_the_factor_is_told(tmp_path):
    instance = box(objective="carbon", carbon_kg_per_j=1e-10)
    written = export_model(instance, tmp_path / "model.lp")
    assert written.factor == pytest.approx(1e10)
    assert any("carbon in kg/s × 1e+10, minimised" in note for note in written.notes)
    assert cbc(tmp_path / "model.lp") / written.factor == pytest.approx(807e-10, rel=NEAR)


@pytest.mark.parametrize("instance", streams("single", 7, 6), ids=lambda i: i.objective[0])
def test_cpsat_finds_the_optimum_of_a_placement_in_its_file(instance, tmp_path):
    solution = solve(instance, time_limit=20, workers=1)
    path = tmp_path / "model.pbtxt"
    if solution.status == "infeasible":
        with suppress(InputError):  # a task without any option has no model
            export_model(instance, path)
            assert math.isnan(cpsat(path))
        return
    export_model(instance, path)
    value = cpsat(path)
    if instance.objective == ("throughput",):
        value = math.nan if not value else float(instance.jobs.rate_per_s.sum()) / value
        if math.isnan(value) or solution.objective == 0:
            pytest.skip("nothing can be served, or more than the file's parts of T count")
    assert value == pytest.approx(solution.objective, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("seed", range(100, 110))
def test_cpsat_finds_the_optimum_of_a_schedule_in_its_file(seed, tmp_path):
    made, _ = random_schedule(seed)
    instance = replace(made, objective=made.objective[:1])
    solution = solve(instance, time_limit=20, workers=1)
    path = tmp_path / ("model.pb" if seed % 2 else "model.pbtxt")
    try:
        written = export_model(instance, path)
    except InputError:
        assert solution.status == "infeasible"
        return
    value = cpsat(path)
    if solution.status == "infeasible":
        assert math.isnan(value)
        return
    assert any("the grid is exact" in note for note in written.notes)
    assert value == pytest.approx(solution.objective, rel=NEAR, abs=1e-9)
    assert written.sense == ("max" if instance.objective[0] == "accuracy" else "min")


def uneven() -> Instance:
    """Two tasks whose times have no common tick that is coarse."""
    options = [
        {"profile": p, "device": d, "time_s": t, "energy_j": 1.0}
        for p, d, t in (
            ("a", "x", 1.000000000013),
            ("a", "y", 2 / 3),
            ("b", "x", math.pi),
            ("b", "y", math.e),
        )
    ]
    frames = {
        "devices": [{"name": "x"}, {"name": "y"}],
        "options": options,
        "tasks": [{"name": "a"}, {"name": "b"}],
    }
    return from_frames({k: pd.DataFrame(v) for k, v in frames.items()}, {"objective": "makespan"})


def test_off_an_exact_grid_the_file_that_rounds_is_below_or_above_the_optimum(tmp_path):
    instance = uneven()
    optimum = solve(instance, time_limit=20).objective
    below = export_model(instance, tmp_path / "down.pb")
    above = export_model(instance, tmp_path / "up.pb", rounding="up")
    assert any("its optimum is a bound" in note for note in below.notes)
    assert any("its plans hold" in note for note in above.notes)
    assert cpsat(tmp_path / "down.pb") <= optimum <= cpsat(tmp_path / "up.pb")
    assert cpsat(tmp_path / "up.pb") == pytest.approx(optimum, rel=1e-5)


def test_a_text_file_says_in_comments_what_its_numbers_mean(tmp_path):
    export_model(uneven(), tmp_path / "model.pbtxt")
    text = (tmp_path / "model.pbtxt").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert re.search(r"# Objective: makespan in s, minimised", text)
    assert re.search(r'name: "run\(a, y#0\)"', text)
    assert 'name: "start(b)"' in text


@pytest.mark.parametrize(
    ("instance", "name", "expected"),
    [
        (uneven(), "x.mps", r"\.pb or \.pbtxt, as a schedule is a CP-SAT model"),
        (box(), "x.pb", r"\.mps or \.lp, as a steady instance"),
        (box(routing="single"), "x.lp", r"\.pb or \.pbtxt, as `routing: single`"),
        (box(), "x.json", r"got \.json; A model file"),
        (box(), "no/such/folder/x.lp", r"A path that can be written"),
    ],
)
def test_a_form_that_an_instance_has_no_model_in_is_refused(instance, name, expected, tmp_path):
    with pytest.raises(InputError, match=expected):
        export_model(instance, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_later_objectives_are_named_and_left_out(tmp_path):
    instance = replace(uneven(), objective=("makespan", "energy"))
    written = export_model(instance, tmp_path / "model.pb")
    assert written.objective == "makespan"
    assert any("energy would follow it" in note for note in written.notes)


def test_the_command_writes_the_question_that_it_is_asked(tmp_path):
    path = tmp_path / "model.lp"
    done = hetopt("export", SERVERS, "--objective", "power", "--demand", "2", "-o", path)
    assert done.returncode == 0, done.stderr
    assert "Objective: power in W, minimised." in done.stdout
    answer = solve(read_instance(SERVERS), objective="power", time_limit=20)
    assert cbc(path) > 1.5 * answer.objective
    shown = json.loads(hetopt("export", SERVERS, "-o", path, "--json").stdout)
    assert shown["form"] == "lp"
    refused = hetopt("export", SERVERS, "-o", tmp_path / "model.pb")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: ")
