import json
import subprocess
import sys


def test_the_core_figures_come_out_at_small_sizes(repo_path):
    result = subprocess.run(
        [sys.executable, "-m", "bench.core", "--smoke"],
        capture_output=True,
        text=True,
        cwd=repo_path,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    rows = {row["figure"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert {"gap", "verify", "load", "compare", "start", "scale", "steady"} <= set(rows)
    assert rows["gap"]["bound"] <= rows["gap"]["objective"]
    assert rows["verify"]["ok"] is True
    assert rows["scale"]["verified"] is True
    assert rows["steady"]["verified"] is True
    assert rows["steady"]["gap"] <= rows["steady"]["gap_asked"]
    assert rows["scale"]["bound"] <= rows["scale"]["objective"]
    assert 0.365 < rows["compare"]["gain_proven"] <= rows["compare"]["gain"] < 0.366
    assert rows["cold"]["installation"] == "read-only"
    assert rows["cold"]["verified"] is True
    assert rows["heft"]["makespan"] > 0
