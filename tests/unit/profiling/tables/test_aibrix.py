"""Profiles of AIBrix's GPU optimizer, in the form that its gen_profile.py writes."""

from __future__ import annotations

import json

import pytest

import hetopt
from hetopt.errors import InputError
from hetopt.profiling.tables.read import read_measurements
from tests.command_line import hetopt as command

PROFILE = {
    "gpu": "simulator-a100",
    "cost": 1.0,
    "tputs": [[4.0, 2.0], [1.0, 0]],
    "indexes": [[4, 8], [128, 256]],
    "created": 1700000000.0,
    "e2e": [[0.5, 1.0], [2.0, 0.0]],
    "slos": {"percentile": 0, "e2e": 5.0},
}


def written(tmp_path, **changes):
    path = tmp_path / "a100.json"
    path.write_text(json.dumps(PROFILE | changes))
    return path


def test_a_size_is_a_task_and_a_rate_the_time_of_a_request(tmp_path):
    rows = read_measurements([written(tmp_path)])
    assert [(r.device, r.task, r.time_s, r.latency_s) for r in rows] == [
        ("simulator-a100", "128+4", 0.25, 0.5),
        ("simulator-a100", "256+4", 0.5, 1.0),
        ("simulator-a100", "128+8", 1.0, 2.0),
    ]
    assert all(row.streams and "e2e 5.0" in row.source for row in rows)


def test_it_becomes_an_instance(tmp_path):
    output = tmp_path / "fleet.yaml"
    done = command("profile", written(tmp_path), "--as", "options", "-o", output)
    assert done.returncode == 0, done.stderr
    instance = hetopt.read_instance(output)
    assert instance.regime == "steady"
    assert sorted(instance.options.time_s.tolist()) == [0.25, 0.5, 1.0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": ""}, "gpu"),
        ({"indexes": [[4, 8]]}, "indexes"),
        ({"tputs": [[1.0, 2.0]]}, "tputs"),
        ({"tputs": [[1.0, -2.0], [1.0, 1.0]]}, "tputs"),
        ({"e2e": "fast"}, "e2e"),
    ],
)
def test_what_has_another_shape_is_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        read_measurements([written(tmp_path, **changes)])
