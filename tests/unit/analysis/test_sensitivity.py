"""What a change cannot touch is not solved again: only where nothing ties the devices."""

from __future__ import annotations

import pytest

from hetopt import Instance, SolveOptions, compare, read_instance
from hetopt.instance.overrides import without_device

QUICK = SolveOptions(time_limit_s=10)

SERVERS = """
hetopt: 1
regime: steady
objective: power
{extra}
devices:
  - {{name: g, kind: gpu, count: 1, idle_power: 1{of_g}}}
  - {{name: c1, kind: cpu, count: 1, idle_power: 1{of_c}}}
  - {{name: c2, kind: cpu, count: 1, idle_power: 30{of_c}}}
jobs:
  - name: j
    rate: 1
    options:
      - {{device: g, time: 0.5, energy: 10}}
      - {{device: c1, time: 0.5, energy: 60}}
      - {{device: c2, time: 0.5, energy: 60}}
"""


def servers(extra: str = "", of_g: str = "", of_c: str = "") -> Instance:
    text = SERVERS.format(extra=extra, of_g=of_g, of_c=of_c)
    return read_instance("x.yaml", text=text, format="yaml")


TIES = {
    "shares of kinds": {"extra": "kind_shares: [{kind: cpu, min: 0.5, of: units}]"},
    "always on": {"of_c": ", off_when_unused: false"},
    "had at a price": {
        "extra": "budget: 3",
        "of_c": ", price: 1",
        "of_g": ", price: 1",
    },
    "a memory pool": {"extra": "pools: [{name: p, memory: 10}]", "of_c": ", memory_pool: p"},
    "nothing": {},
}


@pytest.mark.parametrize("tie", TIES)
def test_every_line_equals_a_comparison_without_the_device(tie: str) -> None:
    instance = servers(**TIES[tie])
    lines = {s.change: s.gain for s in compare(instance, options=QUICK).sensitivity}
    for d, name in enumerate(["g", "c1", "c2"]):
        afresh = compare(without_device(instance, d), options=QUICK, sensitivity=False).gain
        line = lines[f"without {name}"]
        assert line.value == pytest.approx(afresh.value, abs=2e-6, nan_ok=True)
        assert line.proven == pytest.approx(afresh.proven, abs=2e-6, nan_ok=True)
        assert not line.value < 0


def test_without_a_device_that_a_share_needs_the_rival_pays_for_another() -> None:
    lines = {s.change: s.gain for s in compare(servers(**TIES["shares of kinds"])).sensitivity}
    assert lines["without c1"].value == pytest.approx(0, abs=1e-6)


def test_where_nothing_ties_devices_a_left_out_one_costs_one_solve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hetopt.analysis import rivals

    seen = []
    original = rivals.solve_with

    def counted(*args, **kwargs):
        seen.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(rivals, "solve_with", counted)
    compare(servers(), options=QUICK, sensitivity=False)
    alone = len(seen)
    compare(servers(), options=QUICK)
    # Idle power twice anew, each with three rivals; then one solve for each device left out.
    assert len(seen) - 2 * alone == 2 * 4 + 3
