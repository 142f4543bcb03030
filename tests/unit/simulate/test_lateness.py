"""The bound on late requests and on waiting, against all ways to run few requests."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import hetopt
from hetopt.simulate.bounds.lateness import Pieces, least_latency, least_misses


def pieces_of(rng: np.random.Generator, count: int, devices: int) -> Pieces:
    """Return one piece for each of some requests, each with a way on every device."""
    release = np.sort(rng.uniform(0, 4, count))
    hold = rng.uniform(0.5, 2.0, (count, devices))
    limit = release + hold.max(axis=1) * rng.uniform(1.0, 2.0, count)
    request = np.repeat(np.arange(count), devices)
    return Pieces(
        request=request,
        piece=request,
        earliest_s=np.repeat(release, devices),
        latest_s=np.repeat(limit, devices),
        device=np.tile(np.arange(devices), count),
        hold_s=hold.reshape(-1),
        share=np.ones(count * devices),
        latency_s=hold.reshape(-1),
    )


def schedules(pieces: Pieces, count: int, devices: int) -> list[np.ndarray]:
    """Return the ends of all requests in each order on each choice of devices."""
    release = pieces.earliest_s.reshape(count, devices)[:, 0]
    hold = pieces.hold_s.reshape(count, devices)
    found = []
    for choice in itertools.product(range(devices), repeat=count):
        for order in itertools.permutations(range(count)):
            free, end = [0.0] * devices, np.zeros(count)
            for i in order:
                d = choice[i]
                free[d] = end[i] = max(free[d], release[i]) + hold[i, d]
            found.append(end)
    return found


@pytest.mark.parametrize("seed", range(12))
def test_no_schedule_is_better_and_the_bound_says_more_than_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    devices = 1 + seed % 2
    count = 6 if devices == 1 else 4
    pieces = pieces_of(rng, count, devices)
    slots, shared = np.ones(devices), np.zeros(devices, dtype=bool)
    limit = pieces.latest_s.reshape(count, devices)[:, 0]
    release = pieces.earliest_s.reshape(count, devices)[:, 0]
    ends = schedules(pieces, count, devices)
    # Who is late can be run last, so the fewest late are those of the best order.
    late = min(int((end > limit + 1e-12).sum()) for end in ends)
    waited = min(float((end - release).sum()) for end in ends)
    shortest = pieces.hold_s.reshape(count, devices).min(axis=1)
    assert least_misses(pieces, slots, shared, float(late)) <= late * (1 + 1e-9)
    # Aimed too high it is still a bound.
    assert least_misses(pieces, slots, shared, float(count)) <= late * (1 + 1e-9)
    found = least_latency(pieces, slots, shared, shortest, waited)
    assert shortest.sum() * (1 - 1e-9) <= found <= waited * (1 + 1e-9)
    more = least_latency(pieces, slots, shared, shortest, 3 * waited)
    assert more <= waited * (1 + 1e-9)


def test_with_one_slot_and_many_at_once_the_bound_is_near_the_optimum() -> None:
    count = 20
    request = np.arange(count)
    hold = np.ones(count)
    pieces = Pieces(
        request,
        request,
        np.zeros(count),
        np.full(count, 5.5),
        np.zeros(count, dtype=np.int64),
        hold,
        np.ones(count),
        hold,
    )
    slots, shared = np.ones(1), np.zeros(1, dtype=bool)
    # Five of twenty fit into the limit.
    assert 14.0 <= least_misses(pieces, slots, shared, 15.0) <= 15.0
    whole = count * (count + 1) / 2
    found = least_latency(pieces, slots, shared, hold, whole)
    assert 0.8 * whole <= found <= whole


FLEET = """
hetopt: 1
name: crowded
regime: steady
objective: power
devices:
  - {name: gpu, kind: gpu, count: 2, idle_power: 10 W}
  - {name: npu, kind: npu, count: 1, idle_power: 2 W}
profiles:
  p:
    - {device: gpu, time: 90 ms, energy: 2 J}
    - {device: npu, time: 200 ms, energy: 1 J}
jobs:
  - {name: chat, profile: p, rate: 20, latency_slo: 300 ms}
"""


def test_in_a_burst_some_requests_must_be_late(tmp_path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET, encoding="utf-8")
    found = hetopt.simulate(
        hetopt.read_instance(path), policies=["greedy"], arrivals="bursty:5", requests=400
    )
    bound = found.bounds[0]
    assert 0.2 * found.mean("greedy", "misses") < bound.misses <= found.mean("greedy", "misses")
    assert 0.1 < bound.mean_latency_s <= found.mean("greedy", "mean_latency_s")
