"""``--set`` means what the same change means in the file."""

import pytest

from bench.set_round_trip import differing, shipped

EVERYTHING = {
    "schedule": """
hetopt: 1
regime: schedule
objective: [energy, makespan]
horizon: 0.4 s
power_cap: 90 W
energy_price: [{from: 0, price: 0.2 EUR/kWh}, {from: 0.1 s, price: 0.3 EUR/kWh}]
pools: [{name: dram, memory: 8 GB}]
sites: [{name: here}, {name: there}]
devices:
  - {name: cpu, kind: cpu, count: 2, slots: 2, idle_power: 3 W, memory_pool: dram, site: here}
  - {name: gpu, kind: gpu, idle_power: 9 W, memory: 4 GB, price: 900 EUR, lifetime: 3 yr}
  - {name: npu, kind: npu, count: 4, site: there}
links:
  - {from: cpu, to: gpu, bandwidth: 8 GB/s, latency: 1 us, both_ways: true}
networks: [{from: here, to: there, bandwidth: 1 Gbit/s}]
resources: [{name: bus, capacity: 4}]
profiles:
  a:
    - {device: cpu, time: 4 ms, power: 20 W}
    - {device: gpu, label: fast, time: 1 ms, power: 60 W, uses: {bus: 2}}
    - {device: gpu, label: slow, time: 2 ms, power: 30 W, weights: 1 GB, accuracy: 0.7}
  b: [{device: cpu, time: 1 ms, energy: 0.1 J}, {device: npu, time: 3 ms, energy: 0.01 J}]
jobs:
  - name: frame
    period: 100 ms
    deadline: 50 ms
    tasks: [{name: f1, profile: a}, {name: f2, profile: b, forbid: gpu}]
    transfers: [{from: f1, to: f2, bytes: 1 MB}]
  - {name: once, release: 5 ms, due: 9 ms, profile: b, work: 2}
""",
    "steady": """
hetopt: 1
regime: steady
objective: cost
budget: 9 USD/h
devices:
  - {name: small, kind: cpu, count: {min: 0, max: 6}, idle_power: 5 W, price: 1 USD/h, spare: 1}
  - {name: big, kind: gpu, count: 3, idle_power: 50 W, price: 2 USD/h, memory: 16 GB}
kind_shares: [{kind: gpu, max: 0.9}]
profiles:
  chat:
    - {device: small, time: 100 ms, energy: 1 J, weights: 1 GB, model: m}
    - {device: big, label: b4, batch: 4, time: 90 ms, latency: 99 ms, energy: 5 J, weights: 2 GB}
jobs:
  - {name: chat, profile: chat, rate: 20 /s, latency_slo: 1 s}
  - {name: mail, profile: chat, rate: 2 /s}
scenarios: [{name: day, weight: 2}, {name: night, demand: 0.5, rates: {mail: 7 /s}}]
""",
}


@pytest.mark.parametrize("regime", EVERYTHING)
def test_setting_any_field_is_changing_it_in_the_file(regime):
    compared, wrong = differing(EVERYTHING[regime], f"{regime}.yaml", most_values=1)
    assert compared > 100
    assert wrong == []


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_setting_a_field_of_a_shipped_instance_is_changing_it_in_the_file(path):
    """Every 41st field; ``python -m bench set-round-trip`` goes through all of them."""
    compared, wrong = differing(path.read_text(encoding="utf-8"), path.name, step=41, most_values=1)
    assert compared
    assert wrong == []
