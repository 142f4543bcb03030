"""A fleet of two kinds with models that fill memory."""

import pytest

from hetopt import read_instance, solve

FLEET = """
hetopt: 1
name: two kinds
regime: steady
objective: power
devices:
  - {name: big, kind: gpu, count: {min: 0, max: 3}, idle_power: 60 W, memory: 24 GiB}
  - {name: small, kind: npu, count: {min: 0, max: 6}, idle_power: 8 W, memory: 8 GiB}
profiles:
  chat:
    - {device: big, time: 10 ms, energy: 2 J, weights: 14 GiB, model: chat}
  see:
    - {device: big, time: 4 ms, energy: 0.8 J, weights: 2 GiB, model: see}
    - {device: small, time: 12 ms, energy: 0.2 J, weights: 2 GiB, model: see}
  hear:
    - {device: small, time: 20 ms, energy: 0.3 J, weights: 3 GiB, model: hear}
    - {device: big, time: 5 ms, energy: 0.9 J, weights: 3 GiB, model: hear}
tasks:
  - {name: chat, profile: chat, job: chat}
  - {name: see, profile: see, job: see}
  - {name: hear, profile: hear, job: hear}
jobs:
  - {name: chat, rate: 60/s}
  - {name: see, rate: 120/s}
  - {name: hear, rate: 60/s}
"""


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    path = tmp_path_factory.mktemp("fleet") / "fleet.yaml"
    path.write_text(FLEET, encoding="utf-8")
    return read_instance(path)


@pytest.fixture(scope="session")
def planned(fleet):
    return solve(fleet, time_limit=5)
