"""Repetitions stop when the median is known; its interval is that of order statistics."""

from __future__ import annotations

import time

import numpy as np
import pytest

from hetopt.errors import InputError
from hetopt.profiling.measure import places
from hetopt.profiling.measure.places import parse_place
from hetopt.profiling.measure.timing import FEWEST, WARM_UP, median_interval, repeat


def test_the_interval_of_the_median_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(2000):
        low, high = median_interval(rng.lognormal(0.0, 1.0, 30).tolist())
        covered += low <= 1.0 <= high
    assert covered / 2000 >= 0.95


def test_a_steady_run_is_repeated_as_few_times_as_the_interval_needs():
    calls = []
    ((found,),) = repeat([[lambda: (calls.append(1), time.sleep(0.003))]], 0.5, 10.0)
    assert found.settled
    assert len(found.times) >= FEWEST
    assert len(calls) == len(found.times) + WARM_UP
    assert min(found.times) >= 0.003


def test_runs_of_a_group_take_turns_and_groups_take_blocks():
    order = []
    runs = {name: (lambda name=name: (order.append(name), time.sleep(0.001))) for name in "abc"}
    repeat([[runs["a"]], [runs["b"], runs["c"]]], 0.9, 5.0)
    counted = "".join(order[3 * WARM_UP :])
    assert counted.startswith("aaaa" + "bc" * 4 + "aaaa" + "bc" * 4)


def test_a_run_that_never_settles_ends_in_time_and_says_so():
    rng = np.random.default_rng(1)
    begin = time.perf_counter()
    ((found,),) = repeat([[lambda: time.sleep(rng.uniform(0.0, 0.02))]], 0.0001, 0.3)
    assert time.perf_counter() - begin < 3.0
    assert not found.settled


def test_processor_time_leaves_out_what_others_take():
    ((found,),) = repeat([[lambda: time.sleep(0.005)]], 0.5, 0.2, threads=1)
    assert max(found.times) < 0.004
    assert min(found.walls) >= 0.005


def test_places_are_read_and_named_alike(monkeypatch):
    monkeypatch.setattr(places, "allowed_cores", lambda: (0, 1, 2, 3))
    place = parse_place("openvino:CPU@0+2-3")
    assert (place.runtime, place.device, place.cores) == ("openvino", "CPU", (0, 2, 3))
    assert place.name == "openvino:CPU@0+2-3"
    assert place.pinned(2) == (0, 2)
    assert parse_place("onnxruntime:cpu").name == "onnxruntime:cpu"
    assert parse_place("onnxruntime:cuda").kind == "gpu"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tflite:cpu", "runtimes: onnxruntime, openvino"),
        ("onnxruntime", "RUNTIME:DEVICE"),
        ("onnxruntime:cpu@0-", "Cores as 0, 0-3 or 0+2."),
        ("onnxruntime:cpu@900", "Cores that this process may use"),
    ],
)
def test_bad_places_are_named(text, words):
    with pytest.raises(InputError, match=words.replace("+", r"\+")):
        parse_place(text)
