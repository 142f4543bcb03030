"""Pricing finds the states that are worth most, and never says less of any."""

from __future__ import annotations

import importlib

import numpy as np
import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.instance import Instance
from hetopt.instance.states.slow_domains import slow_domains
from hetopt.steady.states import pricing
from hetopt.steady.states.pricing import StatePrices, worthiest
from hetopt.steady.states.states import State, listed_states


def chip(rng: np.random.Generator) -> tuple[Instance, dict[int, list[int]]]:
    devices = ["a", "b", "c"]
    rows = [(d, f"o{i}") for d in devices for i in range(2)]
    frames = {
        "devices": pd.DataFrame({"name": devices, "slots": [2, 1, 1], "count": [1, 2, 1]}),
        "resources": pd.DataFrame(
            {"name": ["r", "s"], "capacity": [1.0, 1.0], "sharing": "slow", "loss": [0.1, 0.0]}
        ),
        "options": pd.DataFrame(rows, columns=["device", "label"]).assign(profile="p", time_s=1.0),
        "uses": pd.DataFrame(
            [
                ("p", d, o, k, float(rng.uniform(0.1, 1.0)))
                for d, o in rows
                for k in ("r", "s")
                if rng.random() < 0.8
            ],
            columns=["profile", "device", "label", "resource", "amount"],
        ),
        "tasks": pd.DataFrame({"name": ["t"], "profile": ["p"], "job": ["j"]}),
        "jobs": pd.DataFrame({"name": ["j"], "rate_per_s": [1.0]}),
    }
    instance = from_frames(frames, {"regime": "steady", "objective": "throughput"})
    (domain,) = slow_domains(instance)
    of = instance.options.device
    return instance, {d: [o for o in range(len(of)) if of[o] == d] for d in domain.devices}


def random_prices(rng: np.random.Generator) -> StatePrices:
    work = {
        o: [(0.0, float(rng.uniform(0, 2))), (0.6, float(rng.uniform(0, 1)))]
        for o in range(6)
        if rng.random() < 0.9
    }
    return StatePrices(work, {0: float(rng.uniform(0, 0.3))}, {1: [0.1, 0.2], 2: [0.1]})


def worth(state: State, prices: StatePrices, instance: Instance) -> float:
    total = 0.0
    for option, slots, rate in state.runs:
        device = int(instance.options.device[option])
        price = sum(p for f, p in prices.work.get(option, ()) if rate >= f * (1 - 1e-11))
        total += slots * (rate * price - prices.slot.get(device, 0.0))
    return total - sum(sum(prices.unit.get(d, ())[:units]) for d, units in state.units)


@pytest.mark.parametrize("seed", range(20))
def test_the_best_state_is_found_and_what_is_said_of_it_is_true(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance, options = chip(rng)
    prices = random_prices(rng)
    (domain,) = slow_domains(instance)
    listed = listed_states(instance, options)
    assert listed is not None
    best = max(0.0, *(worth(state, prices, instance) for state in listed.states))
    found = worthiest(instance, domain, options, prices)
    assert found.most == pytest.approx(best, abs=1e-9)
    assert found.most >= best - 1e-12
    if best > 0:
        assert found.best[0][0] == pytest.approx(best)


def test_a_search_that_is_cut_short_still_bounds_every_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pricing, "MOST_NODES", 3)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        instance, options = chip(rng)
        prices = random_prices(rng)
        (domain,) = slow_domains(instance)
        listed = listed_states(instance, options)
        assert listed is not None
        best = max(0.0, *(worth(state, prices, instance) for state in listed.states))
        assert worthiest(instance, domain, options, prices).most >= best - 1e-12


def test_compiled_and_plain_loops_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    instance, options = chip(rng)
    prices = random_prices(rng)
    (domain,) = slow_domains(instance)
    plain = worthiest(instance, domain, options, prices)
    monkeypatch.setattr(pricing, "kernels", lambda name, steps: importlib.import_module(name))
    assert worthiest(instance, domain, options, prices) == plain
