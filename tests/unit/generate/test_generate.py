"""Random instances: the distributions that docs/generate.md states, and equal bytes for a seed."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from hetopt import from_frames, to_frames, to_settings
from hetopt.errors import InputError
from hetopt.generate import generate_schedule, generate_steady
from hetopt.generate.graphs import SHAPES
from hetopt.generate.schedule import heft_makespan
from hetopt.instance import Instance
from hetopt.instance.paths import Network

TICK = Fraction(1, 100_000)


def is_on_grid(seconds: float) -> bool:
    return (Fraction(repr(float(seconds))) / TICK).denominator == 1


@pytest.mark.parametrize("shape", sorted(SHAPES))
@pytest.mark.parametrize("ccr", [0.0, 0.5])
def test_all_times_are_multiples_of_ten_microseconds(shape: str, ccr: float) -> None:
    instance = generate_schedule(40, 5, shape=shape, ccr=ccr, seed=3)
    assert all(is_on_grid(t) for t in instance.options.time_s)
    assert is_on_grid(instance.jobs.deadline_s[0])
    network = Network(instance)
    assert all(is_on_grid(network.time_s(0, 1, b)) for b in instance.tensors.bytes_b.tolist())
    assert all(round(e, 6) == e for e in instance.options.energy_j.tolist())
    assert (instance.edges.tensor >= 0).all() == (ccr > 0) or not len(instance.edges)


def test_equal_arguments_and_seed_give_equal_instances() -> None:
    def columns(instance: Instance) -> dict[str, str]:
        return {name: table.to_json() for name, table in to_frames(instance).items()}

    made = columns(generate_schedule(30, 4, seed=5, memory="tight", slots=2))
    assert made == columns(generate_schedule(30, 4, seed=5, memory="tight", slots=2))
    assert made != columns(generate_schedule(30, 4, seed=6, memory="tight", slots=2))
    assert columns(generate_steady(5, 3, 2, seed=5)) == columns(generate_steady(5, 3, 2, seed=5))
    assert columns(generate_steady(5, 3, 2, seed=5)) != columns(generate_steady(5, 3, 2, seed=6))


def test_a_generated_instance_passes_the_checks_of_any_other() -> None:
    for shape in SHAPES:
        instance = generate_schedule(50, 4, shape=shape, memory="tight", power_cap_factor=0.5)
        again = from_frames(to_frames(instance), to_settings(instance))
        assert again.tasks.name.tolist() == instance.tasks.name.tolist()
        assert again.edges.src.tolist() == instance.edges.src.tolist()
        assert again.tensors.bytes_b.tolist() == instance.tensors.bytes_b.tolist()


def test_layers_have_one_to_three_parents_in_the_layer_before() -> None:
    n, layers = 400, 20
    src, dst = SHAPES["layered"](n, np.random.default_rng(0))
    layer = np.arange(n) * layers // n
    near = layer[dst] - layer[src] == 1
    parents = np.bincount(dst[near], minlength=n)[layer > 0]
    assert (layer[src] < layer[dst]).all()
    assert set(parents.tolist()) >= {1, 2, 3}
    # A fourth may come from the draw among all earlier layers.
    assert parents.min() >= 1
    assert parents.max() <= 4
    further = (~near).sum() / (layer > 0).sum()
    assert 0.03 < further < 0.15


def test_platform_follows_the_stated_distributions() -> None:
    instance = generate_schedule(3000, 12, seed=1)
    devices, options = instance.devices, instance.options
    assert devices.kind.tolist()[:5] == ["cpu", "gpu", "npu", "fpga", "cpu"]
    assert int((~devices.off_when_unused).sum()) == 6
    assert ((devices.idle_power_w >= 0.5) & (devices.idle_power_w <= 15.0)).all()
    assert len(instance.profiles) == 1000
    per_device = np.bincount(options.device, minlength=12) / 1000
    cpu = devices.kind == "cpu"
    assert (per_device[cpu] == 1).all()
    assert np.abs(per_device[~cpu] - 0.9).max() < 0.05
    assert (options.time_s > 0).all()


def test_ccr_is_the_ratio_of_mean_transfer_to_mean_task() -> None:
    instance = generate_schedule(2000, 6, ccr=0.5, seed=2)
    rows = np.diff(instance.profiles.ptr)
    mean = np.add.reduceat(instance.options.time_s, instance.profiles.ptr[:-1]) / rows
    transfer = instance.tensors.bytes_b.mean() / 1e9
    assert transfer / mean[instance.tasks.profile].mean() == pytest.approx(0.5, rel=0.05)


def test_the_deadline_is_a_multiple_of_hefts_makespan_rounded_up() -> None:
    instance = generate_schedule(60, 4, deadline_factor=1.3, seed=4)
    makespan = heft_makespan(instance)
    assert 1.3 * makespan <= instance.jobs.deadline_s[0] + 1e-9
    assert instance.jobs.deadline_s[0] <= 1.3 * makespan + 1.1e-5
    assert np.isinf(generate_schedule(60, 4, deadline_factor=None).jobs.deadline_s[0])


def test_heft_of_a_hand_made_graph() -> None:
    # One profile: 2 s on the cpu, 1 s on the gpu; two independent tasks end after 2 s.
    import pandas as pd

    frames = {
        "devices": pd.DataFrame({"name": ["cpu", "gpu"], "kind": ["cpu", "gpu"]}),
        "options": pd.DataFrame(
            {"profile": ["p", "p"], "device": ["cpu", "gpu"], "time_s": [2.0, 1.0]}
        ),
        "tasks": pd.DataFrame({"name": ["a", "b", "c"], "profile": ["p", "p", "p"]}),
        "links": pd.DataFrame(
            {"from": ["gpu"], "to": ["cpu"], "bandwidth_b_per_s": [1.0], "both_ways": [True]}
        ),
        "transfers": pd.DataFrame({"from": ["a"], "to": ["b"], "bytes": [5.0]}),
    }
    instance = from_frames(frames, {"regime": "schedule"})
    # a and b follow each other on the gpu (0 to 2 s), c runs on the cpu (0 to 2 s).
    assert heft_makespan(instance) == pytest.approx(2.0)


def test_heft_fills_an_idle_stretch() -> None:
    import pandas as pd

    frames = {
        "devices": pd.DataFrame({"name": ["cpu", "gpu"], "kind": ["cpu", "gpu"]}),
        "options": pd.DataFrame(
            {
                "profile": ["first", "second", "filler"],
                "device": ["gpu", "cpu", "cpu"],
                "time_s": [4.0, 4.0, 3.0],
            }
        ),
        "tasks": pd.DataFrame({"name": ["first", "second", "filler"]}),
        "transfers": pd.DataFrame({"from": ["first"], "to": ["second"]}),
    }
    instance = from_frames(frames, {"regime": "schedule"})
    # The filler ranks last (3 s) and fits before the second task on the cpu.
    assert heft_makespan(instance) == pytest.approx(8.0)


def test_streams_keep_about_two_thirds_of_their_options_within_the_latency_limit() -> None:
    instance = generate_steady(200, 6, 4, seed=1)
    options, jobs = instance.options, instance.jobs
    workload = np.repeat(np.arange(200), np.diff(instance.profiles.ptr))
    latency = np.where(options.batch > 1, 2, 1) * options.time_s
    kept = latency <= jobs.latency_slo_s[workload]
    assert 0.6 < kept.mean() < 0.75
    runs = len(options) / (200 * 6 * 4)
    assert 0.65 < runs < 0.75
    assert (instance.devices.count_max == -1).all()
    four = options.time_s[options.batch == 4] / options.time_s[options.batch == 2]
    assert four == pytest.approx(2**0.7, rel=0.02)  # times are whole microseconds


@pytest.mark.parametrize(
    "wrong",
    [
        {"tasks": 0},
        {"devices": 0},
        {"shape": "tree"},
        {"ccr": -1.0},
        {"deadline_factor": 0.0},
        {"profiles": 0},
        {"memory": "little"},
        {"slots": 0},
        {"count": 0},
        {"seed": -1},
        {"power_cap_factor": 0.0},
    ],
    ids=lambda w: next(iter(w)),
)
def test_arguments_out_of_range_are_named(wrong: dict[str, object]) -> None:
    arguments: dict[str, object] = {"tasks": 5, "devices": 2} | wrong
    with pytest.raises(InputError) as caught:
        generate_schedule(**arguments)  # type: ignore[arg-type]  # that is the point
    assert next(iter(wrong)) in str(caught.value)


def test_a_large_instance_is_generated_without_a_python_object_per_edge() -> None:
    generate_schedule(20_000, 32, seed=0)
    began = time.process_time()
    instance = generate_schedule(100_000, 64, seed=0)
    assert len(instance.tasks) == 100_000
    assert time.process_time() - began < 10.0


@pytest.mark.parametrize(
    "values",
    [
        {"tasks": 10**9, "devices": 3},
        {"tasks": 9, "devices": 10**9},
        {"tasks": 9, "devices": 3, "count": 10**9},
        {"tasks": 9, "devices": 3, "count": 10**5, "slots": 10**5},
        {"tasks": 9, "devices": 3, "deadline_factor": 1e300},
    ],
)
def test_sizes_that_no_memory_holds_are_refused(values):
    with pytest.raises(InputError, match=r"[Aa]t most"):
        generate_schedule(**values)


def test_streams_of_sizes_that_no_memory_holds_are_refused():
    for values in ((10**9, 3, 1), (9, 10**9, 1), (9, 3, 10**9), (10**6, 10**6, 1)):
        with pytest.raises(InputError, match="At most"):
            generate_steady(*values)
