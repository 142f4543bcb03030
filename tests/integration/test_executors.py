"""Loops over solves in processes and on a Ray cluster: the bytes of a run in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

import hetopt
from hetopt.report.front import front_to_dict
from tests.command_line import hetopt as command

FRONT = ("pareto", "llm-two-gpus", "--objective", "power,cost", "--deterministic", "--json")
SHORT = ("--deterministic", "--json", "--time-limit", "2")


def test_processes_give_the_bytes_of_one_process():
    for arguments in (
        (*FRONT, "--points", "6"),
        ("compare", "synthetic/exclusive", *SHORT),
        ("whatif", "llm-two-gpus", "--case", "drop h100", "--case", "demand 2", *SHORT),
    ):
        alone = command(*arguments, "--jobs", "1")
        beside = command(*arguments, "--jobs", "2")
        assert alone.returncode == beside.returncode == 0, beside.stderr
        assert beside.stdout == alone.stdout


def test_ctrl_c_ends_all_processes(tmp_path):
    output = tmp_path / "front.json"
    arguments = ("pareto", "edge-box", "--objective", "energy,makespan", "--points", "40")
    running = subprocess.Popen(
        [sys.executable, "-m", "hetopt", *arguments, "--jobs", "2", "-o", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(6)
    os.kill(running.pid, signal.SIGINT)
    running.communicate(timeout=30)
    if running.returncode == 0:  # it had found points by then, and shows them
        assert json.loads(output.read_text())["points"]
    else:
        assert running.returncode == 130
    # Nobody of its session is left; a child takes a moment to see that its parent is gone.
    for _ in range(50):
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a process outlived the command")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--jobs", "0"), "--jobs: got 0"),
        (("--jobs", "2", "--ray", "local"), "Either --jobs"),
        (("--ray", "127.0.0.1:9"), "--ray"),
    ],
)
def test_wrong_places_are_bad_usage(arguments, message):
    done = command(*FRONT, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_node_that_is_lost_changes_nothing():
    try:
        from ray.cluster_utils import Cluster

        from hetopt.runtime.executors.ray_cluster import RayExecutor
    except ImportError:
        pytest.skip("needs Ray: pip install 'hetopt[ray]'")
    instance = hetopt.read_instance("llm-two-gpus")
    asked = {"points": 30, "deterministic": True, "time_limit": 5}
    objectives = ("power", "cost")
    alone = hetopt.pareto(instance, objectives, **asked)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost: list[str] = []
    try:
        node = cluster.add_node(num_cpus=1)
        cluster.wait_for_nodes()

        def lose_a_node(line: str) -> None:
            # In the middle: some solves of the wave are done, two run, others wait.
            if not lost and line.count(" on ") == 2 and not line.startswith("0 "):
                lost.append(line)
                cluster.remove_node(node, allow_graceful=False)

        with RayExecutor(cluster.address) as executor:
            assert executor.width == 2
            far = hetopt.pareto(
                instance, objectives, executor=executor, report=lose_a_node, **asked
            )
    finally:
        cluster.shutdown()
    assert lost
    assert json.dumps(front_to_dict(far)) == json.dumps(front_to_dict(alone))
