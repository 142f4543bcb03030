import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hetopt import read_instance, solve
from hetopt.methods import METHOD_NAMES, methods_for
from tests.command_line import hetopt

ROOT = Path(__file__).resolve().parents[2]

EDGE = """\
hetopt: 1
name: edge
objective: energy
devices:
  - {name: cpu, kind: cpu, idle_power: 2 W}
  - {name: npu, kind: npu, idle_power: 0.5 W}
links:
  - {from: cpu, to: npu, bandwidth: 1 GB/s, both_ways: true}
profiles:
  grab:
    - {device: cpu, time: 2 ms, energy: 4 mJ}
  detect:
    - {device: cpu, label: fp32, time: 20 ms, energy: 80 mJ}
    - {device: npu, label: int8, time: 5 ms, energy: 10 mJ}
jobs:
  - {name: frame, deadline: 33 ms}
tasks:
  - {name: grab, profile: grab}
  - {name: detect, profile: detect}
transfers:
  - {from: grab, to: detect, bytes: 1 MB}
"""


def process(*arguments, stdin=None, timeout=120):
    """Run the command in a process of its own, which has its own exit code, streams and hashes."""
    return subprocess.run(
        [sys.executable, "-m", "hetopt", *map(str, arguments)],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=timeout,
        cwd=ROOT,
        check=False,
    )


@pytest.fixture
def edge(tmp_path):
    path = tmp_path / "edge.yaml"
    path.write_text(EDGE, encoding="utf-8")
    return path


def assert_refused(result, *words):
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith(("error: ", "Usage: "))
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


def test_solve_prints_one_json_object_with_the_documented_keys(edge):
    result = process("solve", edge, "--json")
    assert result.returncode == 0
    answer = json.loads(result.stdout)
    keys = (
        "status termination objective_name objective bound gap wall_time_s method verified seed "
        "version plan"
    )
    assert set(keys.split()) <= set(answer)
    assert answer["status"] == "optimal"
    assert answer["verified"] is True
    assert [a["device"] for a in answer["plan"]["assignments"]] == ["cpu", "npu"]
    # 4 mJ + 10 mJ and both devices on for 2 + 1 + 5 ms.
    assert answer["objective"] == pytest.approx(0.014 + 2.5 * 0.008)


def test_what_solve_writes_is_what_it_prints_and_verify_accepts_it(edge, tmp_path):
    plan = tmp_path / "plan.json"
    printed = hetopt("solve", edge, "--json", "-o", plan)
    assert json.loads(plan.read_text(encoding="utf-8")) == json.loads(printed.stdout)
    checked = hetopt("verify", edge, plan)
    assert checked.returncode == 0
    assert "holds every limit" in checked.stdout


def test_verify_exits_with_5_and_names_every_violation(edge, tmp_path):
    plan = tmp_path / "plan.json"
    hetopt("solve", edge, "-o", plan)
    broken = json.loads(plan.read_text(encoding="utf-8"))
    broken["plan"]["assignments"][1]["start_s"] = 0.001
    plan.write_text(json.dumps(broken), encoding="utf-8")
    result = hetopt("verify", edge, plan)
    assert result.returncode == 5
    assert "detect" in result.stdout
    answer = json.loads(hetopt("verify", edge, plan, "--json").stdout)
    assert answer["ok"] is False
    assert answer["violations"]


def test_an_instance_may_come_from_stdin(edge):
    result = process("solve", "-", "--json", stdin=EDGE)
    assert json.loads(result.stdout)["status"] == "optimal"


def test_overrides_change_the_question(edge):
    result = hetopt(
        *("solve", edge, "--objective", "makespan,energy", "--deadline", "50ms", "--json"),
        *("--set", "devices.npu.idle_power=1 W", "--forbid", "detect=npu"),
    )
    answer = json.loads(result.stdout)
    assert answer["objective_name"] == ["makespan", "energy"]
    assert answer["objective"] == pytest.approx([0.022, 0.084 + 2 * 0.022])
    assert len(answer["bound"]) == len(answer["gap"]) == 2


def test_a_proven_infeasible_instance_exits_with_3(edge):
    result = process("solve", edge, "--deadline", "6ms", "--json")
    assert result.returncode == 3
    answer = json.loads(result.stdout)
    assert (answer["status"], answer["termination"], answer["plan"]) == (
        "infeasible",
        "proved",
        None,
    )


def test_compare_tells_both_gains_and_how_firm_they_are(edge):
    answer = json.loads(hetopt("compare", edge, "--host", "cpu", "--json").stdout)
    assert answer["best_homogeneous"] == "npu"
    assert answer["gain"] == pytest.approx(0, abs=1e-6)
    npu = next(r for r in answer["homogeneous"] if r["name"] == "npu")
    assert npu["hosted"] == ["grab"]
    alone = json.loads(hetopt("compare", edge, "--json").stdout)
    assert alone["best_homogeneous"] == "cpu"
    assert 0 < alone["gain_proven"] <= alone["gain"]
    assert [s["change"] for s in alone["sensitivity"]] == [
        "idle power x 0",
        "idle power x 0.5",
        "idle power x 1",
        "without cpu",
        "without npu",
    ]


def test_compare_without_a_file_is_about_the_shipped_instance():
    result = hetopt("compare", "--no-sensitivity")
    assert result.returncode == 0
    assert "Gain: 29.00 % less power." in result.stdout
    assert "Proven: at least 29.00 %" in result.stdout
    assert "MLCommons" in result.stdout


def test_equal_seeds_give_equal_bytes_when_deterministic(edge):
    first, second = (
        process("solve", edge, "--deterministic", "--seed", "7", "--time-limit", "5", "--json")
        for _ in range(2)
    )
    assert first.stdout == second.stdout
    answer = json.loads(first.stdout)
    assert answer["wall_time_s"] is None
    assert all(entry["time_s"] is None for entry in answer["history"])


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--objective", "throughput"), "makespan"),
        (("--objective", "enrgy"), "energy"),
        (("--deadline", "33 parsecs"), "--deadline"),
        (("--deadline", "-1"), "--deadline"),
        (("--power-cap", "0"), "--power-cap"),
        (("--time-limit", "0"), "--time-limit"),
        (("--gap", "-1"), "gap"),
        (("--workers", "0"), "workers"),
        (("--method", "magic"), "method"),
        (("--method", "mip"), "method"),
        (("--demand", "2"), "demand"),
        (("--set", "devices.tpu.count=2"), "tpu"),
        (("--set", "nonsense"), "PATH=VALUE"),
        (("--pin", "detect"), "TASK=DEVICE"),
        (("--pin", "detect=tpu"), "cpu, npu"),
        (("--start", "no-such-plan.json"), "no-such-plan.json"),
        (("--from", "floppy"), "floppy"),
        (("-o", "no/such/folder/plan.json"), "no/such/folder"),
        (("--seed", "minus"), "--seed"),
        (("--no-such-flag",), "--no-such-flag"),
    ],
)
def test_a_wrong_argument_is_refused_with_one_clear_error(edge, arguments, word):
    assert_refused(hetopt("solve", edge, *arguments), word)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--basis", "luck"), "units, power, price"),
        (("--basis", "power"), "power_cap"),
        (("--rival", "team"), "device, kind"),
        (("--host", "tpu"), "cpu, npu"),
    ],
)
def test_a_wrong_argument_of_compare_is_refused(edge, arguments, word):
    assert_refused(hetopt("compare", edge, *arguments), word)


def test_a_missing_file_is_refused_by_name(tmp_path):
    assert_refused(process("solve", tmp_path / "nowhere.yaml"), "nowhere.yaml")


def test_an_error_names_file_line_value_and_expectation_all_at_once(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(
        EDGE.replace("time: 2 ms", "time: 2 parsecs").replace("from: grab", "from: grap"),
        encoding="utf-8",
    )
    result = hetopt("solve", path)
    assert_refused(result, "wrong.yaml:11", "2 parsecs", "wrong.yaml", "grap")


def wait_for_cpu(running, seconds):
    """Wait until a process has worked that long, and not for ever: where that is not told, 12 s."""
    stat = Path(f"/proc/{running.pid}/stat")
    ends = time.monotonic() + (60 if stat.exists() else 12)
    while time.monotonic() < ends:
        if stat.exists():
            ticks = stat.read_text().rpartition(")")[2].split()[11:13]
            if sum(map(int, ticks)) >= seconds * os.sysconf("SC_CLK_TCK"):
                return
        time.sleep(0.1)


def test_ctrl_c_returns_the_best_plan_and_a_bound(tmp_path):
    path = tmp_path / "big.yaml"
    made = hetopt("generate", "schedule", "--tasks", 80, "--devices", 5, "--seed", 3, "-o", path)
    assert made.returncode == 0, made.stderr
    running = subprocess.Popen(
        [sys.executable, "-m", "hetopt", "solve", str(path), "--json", "--time-limit", "100"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    wait_for_cpu(running, 3)
    began = time.monotonic()
    os.kill(running.pid, signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert time.monotonic() - began < 10
    answer = json.loads(out)
    assert running.returncode == 0, err
    assert answer["termination"] in ("interrupted", "proved")
    assert answer["plan"] is not None
    assert 0 < answer["bound"] <= answer["objective"]


def test_the_time_limit_counts_everything(tmp_path):
    path = tmp_path / "big.yaml"
    hetopt("generate", "schedule", "--tasks", 60, "--devices", 5, "--seed", 4, "-o", path)
    answer = json.loads(process("solve", path, "--json", "--time-limit", "4").stdout)
    # The limit holds to within a second; the other one is for tests that share the cores.
    assert answer["wall_time_s"] < 6
    assert answer["plan"] is not None


def test_convert_keeps_the_instance_through_every_form(edge, tmp_path):
    source = edge
    for name in ("edge.json", "tables", "again.yaml"):
        target = tmp_path / name
        assert hetopt("convert", source, "-o", target).returncode == 0
        source = target
    answer = json.loads(hetopt("solve", source, "--json").stdout)
    assert answer["objective"] == pytest.approx(0.034)


def test_devices_are_listed_filtered_and_shown_with_source_licence_and_scope():
    listed = json.loads(hetopt("devices", "--kind", "fpga", "--json").stdout)
    assert listed["devices"]
    assert all(row["kind"] == "fpga" for row in listed["devices"])
    first = listed["devices"][0]
    assert {"source", "licence", "scope"} <= set(first)
    shown = hetopt("devices", "--show", first["device"])
    assert shown.returncode == 0
    assert_refused(hetopt("devices", "--show", "no-such-device"), "no-such-device")


def test_the_schema_is_one_json_object(tmp_path):
    printed = hetopt("schema").stdout
    schema = json.loads(printed)
    hetopt("schema", "-o", tmp_path / "schema.json")
    assert (tmp_path / "schema.json").read_text() == printed
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_the_methods_are_listed_with_a_line_each_and_each_solves(edge):
    listed = process("solve", "--method")
    assert listed.returncode == 0
    assert listed.stdout == hetopt("solve", edge, "--method", "list").stdout
    lines = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert tuple(lines) == METHOD_NAMES
    for method in methods_for("schedule"):
        assert len(lines[method].split()) > 3
        answer = solve(read_instance(edge), method=method, time_limit=5)
        assert answer.verified
        assert answer.bound <= answer.objective


def test_help_names_every_command():
    result = process("--help")
    assert result.returncode == 0
    commands = ["solve", "compare", "verify", "devices", "schema", "generate", "convert", "export"]
    assert [c for c in commands if c not in result.stdout] == []


def test_a_document_is_read_without_what_only_large_tables_and_solvers_need():
    code = (
        "import sys\n"
        "from hetopt import read_instance\n"
        "read_instance('synthetic/power-cap')\n"
        "heavy = {'pandas', 'ortools', 'pulp', 'scipy', 'pyarrow', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stdout.strip() == "[]"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['hetopt', '--help']\n"
        "from hetopt.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'pandas', 'ortools', 'pulp', 'scipy', 'pyarrow', 'pydantic', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert result.stderr.strip() == "[]"


SMALLEST = """
hetopt: 1
regime: schedule
objective: energy
devices: [{name: cpu, kind: cpu, idle_power: 1 W}, {name: npu, kind: npu, idle_power: 1 W}]
tasks:
  - name: a
    options: &both
      - {device: cpu, time: 4 ms, energy: 2 mJ}
      - {device: npu, time: 2 ms, energy: 1 mJ}
  - {name: b, options: *both}
"""


def test_a_small_schedule_is_proven_without_what_only_large_ones_need(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALLEST)
    code = (
        f"import sys; sys.argv = ['hetopt', 'solve', {str(path)!r}]\n"
        "from hetopt.cli.app import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'pulp', 'scipy.optimize', 'pyarrow', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)), 'ortools' in sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "optimal (proved twice)" in result.stdout
    assert result.stderr.strip() == "[] True"
