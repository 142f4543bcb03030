import numpy as np
import pytest

from hetopt import InputError, Model
from hetopt.instance.mixes import balanced_shares


def rack(**settings) -> Model:
    m = Model("rack", **settings)
    gpu = m.device("gpu", kind="gpu", count=(0, None), idle_power="10 W")
    npu = m.device("npu", kind="npu", count=(0, None), idle_power="1 W")
    m.job("a", options=[gpu.option(time="1 s", power="40 W"), npu.option(time="2 s", power="5 W")])
    m.job("b", options=[gpu.option(time="2 s", power="50 W", batch=4)])
    return m


def test_a_balanced_mix_gives_each_job_the_same_energy_on_the_device_that_runs_all() -> None:
    instance = rack(mix="balanced", demand_per_s=13).build()
    energy = np.array([40.0, 2 * 50 / 4])
    assert instance.jobs.rate_per_s * energy == pytest.approx(np.full(2, 13 * 40 * 25 / 65))


def test_without_a_device_that_runs_all_each_job_counts_its_own() -> None:
    shares = balanced_shares(np.array([[4.0, np.nan, 9.0], [np.nan, 3.0, np.nan]]))
    assert shares == pytest.approx([1 / 3, 2 / 3])


def test_a_balanced_mix_without_a_demand_is_a_ratio() -> None:
    instance = rack(mix="balanced").build()
    assert not instance.limits.demand_known
    assert instance.objective == ("throughput",)


def test_a_mix_beside_rates_is_refused() -> None:
    m = rack(mix="balanced", demand_per_s=13)
    m.job("c", rate=3, options=[m.option("gpu", time="1 s", power="40 W")])
    with pytest.raises(InputError, match="Jobs without rate and share"):
        m.build()


def test_jobs_that_cost_nothing_cannot_be_balanced() -> None:
    m = Model("free", mix="balanced")
    m.job("a", options=[m.device("d").option(time="1 s", energy=0)])
    with pytest.raises(InputError, match="energy or idle power"):
        m.build()
