import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.compile.set_values import set_values
from hetopt.errors import InputError
from hetopt.formats import read_instance
from hetopt.instance import Instance
from hetopt.instance.overrides import (
    restrict,
    scale_demand,
    scale_idle,
    with_deadline,
    with_free_counts,
    with_placement,
    without_device,
)


def steady() -> Instance:
    return from_frames(
        {
            "devices": pd.DataFrame(
                {
                    "name": ["cpu", "gpu", "npu"],
                    "count": [2, 1, 1],
                    "idle_power_w": [10.0, 20.0, 2.0],
                }
            ),
            "options": pd.DataFrame(
                {
                    "profile": ["a", "a", "b", "b"],
                    "device": ["cpu", "gpu", "cpu", "npu"],
                    "time_s": [0.2, 0.1, 0.4, 0.1],
                    "power_w": [50.0, 120.0, 40.0, 12.0],
                }
            ),
            "tasks": pd.DataFrame({"name": ["a", "b"], "job": ["a", "b"]}),
            "jobs": pd.DataFrame({"name": ["a", "b"], "rate_per_s": [1.0, 2.0]}),
        },
        {"objective": "power"},
    )


def schedule() -> Instance:
    return from_frames(
        {
            "devices": pd.DataFrame({"name": ["cpu", "gpu"], "count": [2, 1]}),
            "options": pd.DataFrame(
                {"profile": ["a", "a"], "device": ["cpu", "gpu"], "time_s": [0.2, 0.1]}
            ),
            "tasks": pd.DataFrame({"name": ["t", "u"], "profile": ["a", "a"]}),
            "jobs": pd.DataFrame({"name": ["j"], "release_s": [0.1]}),
        },
        {"objective": "makespan"},
    )


def test_a_deadline_counts_from_the_release_in_exact_decimals():
    assert with_deadline(schedule(), 0.2).jobs.deadline_s.tolist() == [0.3]


def test_streams_have_no_deadline():
    with pytest.raises(InputError, match="latency_slo of a job"):
        with_deadline(steady(), 1.0)


def test_demand_scales_every_rate():
    assert scale_demand(steady(), 4).jobs.rate_per_s.tolist() == [4.0, 8.0]


@pytest.mark.parametrize("factor", [0.0, -1.0, np.inf, np.nan])
def test_a_demand_factor_is_positive_and_finite(factor):
    with pytest.raises(InputError, match="more than 0"):
        scale_demand(steady(), factor)


@pytest.mark.filterwarnings("error")
def test_a_demand_factor_beyond_all_numbers_is_refused_without_a_warning():
    with pytest.raises(InputError, match="1e-30 to 1e"):
        scale_demand(steady(), 1.7e308)


def test_scaling_idle_power_keeps_the_whole_draw_of_a_busy_unit():
    before, after = steady(), scale_idle(steady(), 0.75)

    def draw(i):
        return i.devices.idle_power_w[i.options.device] + i.options.energy_j / i.options.time_s

    assert after.devices.idle_power_w.tolist() == [7.5, 15.0, 1.5]
    np.testing.assert_allclose(draw(after), draw(before))


def test_a_restricted_instance_tells_its_options_by_the_old_indices():
    instance = steady()
    restricted, old, hosted = restrict(instance, np.array([False, True, False]))
    assert instance.options.device[old].tolist() == [1]
    assert restricted.task_options(1).tolist() == []
    assert hosted.tolist() == []


def test_the_host_runs_only_what_a_rival_has_no_option_for():
    restricted, old, hosted = restrict(steady(), np.array([False, True, False]), host=0)
    assert hosted.tolist() == [1]
    devices = [restricted.options.device[restricted.task_options(t)].tolist() for t in (0, 1)]
    assert devices == [[1], [0]]
    assert len(old) == 3


def test_a_device_left_out_has_no_units_and_no_options():
    instance = without_device(steady(), 2)
    assert instance.devices.count_max[2] == 0
    assert 2 not in instance.options.device


def test_free_counts_have_no_maximum_in_the_steady_regime():
    devices = with_free_counts(steady()).devices
    assert devices.count_min.tolist() == [0, 0, 0]
    assert devices.count_max.tolist() == [-1, -1, -1]


def test_pins_and_forbids_by_name_restrict_the_options():
    instance = with_placement(schedule(), [("t", "gpu")], [("u", "gpu")])
    devices = [instance.options.device[instance.task_options(t)].tolist() for t in (0, 1)]
    assert devices == [[1], [0]]


def test_every_unknown_name_of_a_pin_or_forbid_is_named():
    with pytest.raises(InputError) as caught:
        with_placement(schedule(), [("x", "gpu"), ("t", "tpu"), ("t", "gpu#1")], [("u", "dsp")])
    assert [p.value for p in caught.value.problems] == ["x=gpu", "t=tpu", "t=gpu#1", "u=dsp"]


def test_set_changes_settings_and_cells_by_name():
    instance = set_values(
        steady(),
        ["power_cap=300 W", "devices.npu.count=3", "options.a/gpu.time=50 ms", "jobs.b.rate=5 /s"],
    )
    assert instance.limits.power_cap_w == 300
    assert instance.devices.count_max[2] == 3
    assert instance.options.time_s[instance.task_options(0)].tolist() == [0.2, 0.05]
    assert instance.jobs.rate_per_s.tolist() == [1.0, 5.0]


def test_set_names_every_path_that_leads_nowhere():
    paths = ["horizon", "devices.tpu.count=1", "devices.npu.colour=1", "nothing.x.y=1"]
    with pytest.raises(InputError) as caught:
        set_values(steady(), paths)
    assert len(caught.value.problems) == len(paths)


def periodic() -> Instance:
    return read_instance(
        "box.yaml",
        text="hetopt: 1\nhorizon: 0.1\ndevices: [{name: a}, {name: b, count: 4}]\n"
        "links: [{from: a, to: b, bandwidth: 100, both_ways: true}]\n"
        "profiles: {p: [{device: b, time: 0.01}, {device: a, label: x/y=1, time: 0.02}]}\n"
        "jobs: [{name: j, period: 0.05, tasks: [{name: t, profile: p}]}]\n",
    )


def test_setting_the_count_of_one_device_leaves_that_of_the_others():
    for instance in (steady(), steady().with_objective("cost")):
        changed = set_values(instance, ["devices.gpu.count=7"]).devices
        assert changed.count_min.tolist() == [2, 7, 1]
        assert changed.count_max.tolist() == [2, 7, 1]


def test_a_horizon_or_period_that_is_set_repeats_jobs_anew():
    assert len(set_values(periodic(), ["horizon_s=0.2"]).tasks) == 4
    assert len(set_values(periodic(), ["jobs.j.period=20 ms"]).tasks) == 5


def test_a_horizon_is_not_set_where_jobs_are_repeated_already():
    with pytest.raises(InputError, match="as it was read"):
        set_values(periodic().with_objective("makespan"), ["horizon=1"])


def test_one_direction_of_a_link_both_ways_can_be_set_alone():
    links = set_values(periodic(), ["links.b->a.bandwidth=7"]).links
    assert sorted(zip(links.src.tolist(), links.bandwidth_b_per_s.tolist(), strict=True)) == [
        (0, 100.0),
        (1, 7.0),
    ]


def test_a_row_whose_name_holds_the_signs_of_a_path_can_be_set():
    options = set_values(periodic(), ["options.p/a/x/y=1.time=0.03"]).options
    assert options.time_s.tolist() == [0.01, 0.03]


def test_a_value_that_does_not_fit_is_named_by_its_assignment():
    with pytest.raises(InputError, match=r"^--set devices.b.slots=0: got 0; A value"):
        set_values(periodic(), ["devices.b.slots=0"])


def test_the_job_that_nobody_wrote_can_be_set():
    instance = read_instance(
        "one.yaml",
        text="hetopt: 1\ndevices: [{name: a}]\ntasks: [{name: t, options: [{device: a, time: 1}]}]",
    )
    assert set_values(instance, ["jobs.job.deadline=3"]).jobs.deadline_s.tolist() == [3.0]
