"""A few mutated runs of the fuzzer of ``bench``, and that it sees what ends badly."""

import os
import random
import subprocess
import sys

import pytest

from bench.fuzz import MOST_BYTES, Outcome, judged, mutated

SOLVE = ["solve", "x.yaml"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forks, which this system has none of")
def test_mutated_files_end_well(repo_path):
    """``python -m bench fuzz --runs 10000`` goes on from here."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "fuzz", "--runs", "40", "--seed", "0"],
        cwd=repo_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 runs, 0 ended badly" in done.stdout


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(0, 0.1, 0, ""), ""),
        (Outcome(2, 0.1, 0, "error: x.yaml: got 1;"), ""),
        (Outcome(2, 0.1, 0, ""), "without an error"),
        (Outcome(1, 0.1, 0, "error: internal"), "exit code 1"),
        (Outcome(-9, 0.1, 0, ""), "exit code -9"),
        (Outcome(71, 0.1, 0, ""), "verify rejects"),
        (Outcome(0, 0.1, 0, "RuntimeWarning: overflow"), "warning on stderr"),
        (Outcome(0, 9.0, 0, ""), "s of CPU time"),
        (Outcome(0, 0.1, 2 * MOST_BYTES, ""), "8.0 GiB"),
        (Outcome(-9, 0.1, 0, "", hung=True), "it hung"),
    ],
)
def test_what_ends_badly_is_seen(outcome, said):
    found = judged(SOLVE, outcome, 0.5)
    assert (said in found) if said else not found


def test_each_solve_of_a_comparison_may_take_the_limit():
    assert not judged(["compare", "x.yaml"], Outcome(0, 30.0, 0, "", solves=101), 0.3)
    assert "s of CPU time" in judged(["compare", "x.yaml"], Outcome(0, 30.0, 0, ""), 0.3)


def test_a_deterministic_second_may_take_several_of_cpu():
    outcome = Outcome(0, 4.0, 0, "")
    assert "s of CPU time" in judged(["solve", "x.yaml"], outcome, 0.5)
    assert not judged(["solve", "x.yaml", "--deterministic"], outcome, 0.5)


def test_a_note_that_a_plan_refuted_a_proof_is_a_fault():
    assert "refutes" in judged(SOLVE, Outcome(0, 0.1, 0, "", contradicted=True), 0.5)


def test_mutations_follow_from_the_seed():
    text = "a: 1\nb: {time: 3 ms, power: 4 W}\n"
    made = [mutated(text, random.Random(seed)) for seed in range(60)]
    assert made == [mutated(text, random.Random(seed)) for seed in range(60)]
    assert len(set(made)) > 20
