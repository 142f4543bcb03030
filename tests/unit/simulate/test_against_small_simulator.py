"""The compiled loop against a second, plain simulator: every decision, start and end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hetopt import solve
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.simulate.bounds.streams import clairvoyant_bound
from hetopt.simulate.events import DeviceDown, DeviceUp, Event
from hetopt.simulate.outcomes import outcome_of
from hetopt.simulate.policies.dispatching import dispatcher
from hetopt.simulate.policies.plan import plan_policy
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.requests import Requests, drawn_requests
from hetopt.simulate.streams import run_streams
from hetopt.simulate.world import Setting
from hetopt.solution import SteadyPlan
from tests.board_streams import with_boards
from tests.random_slow_streams import random_slow_stream
from tests.random_streams import random_stream
from tests.small_streams import SmallStreams, agree

COUNT = 60
NAMES = ("plan", "greedy", "energy-greedy", "price")


def policy_of(
    name: str,
    instance: Instance,
    plan: SteadyPlan,
    start_up: StartUp,
    admit: np.ndarray | None = None,
) -> StreamPolicy:
    if name == "plan":
        return plan_policy(instance, plan, start_up, admit=admit)
    return dispatcher(name, instance, plan, start_up, admit=admit)


def asks_of_slow(instance: Instance) -> np.ndarray:
    """Whether options of each device use a resource that slows, which no shared unit knows (D)."""
    found = np.zeros(len(instance.devices), dtype=bool)
    for option in range(len(instance.options)):
        slows = [instance.resources.sharing[k] == "slow" for k, _ in instance.uses.of(option)]
        found[instance.options.device[option]] |= any(slows)
    return found


def setting_of(instance: Instance, seed: int) -> Setting:
    rng = np.random.default_rng([seed, 77])
    drawn = drawn_requests(instance, "bursty:2", count=COUNT, time_s=None, seed=[seed])
    wide = drawn.work.shape[1]
    requests = Requests(
        drawn.time_s, drawn.job, rng.uniform(0.3, 2.0, (len(drawn), wide)), drawn.end_s
    )
    span = drawn.end_s
    events: list[Event] = []
    for d, name in enumerate(instance.devices.name.tolist()):
        if rng.random() < 0.4:
            at = float(rng.uniform(0, span))
            unit = None if rng.random() < 0.3 or instance.devices.count_max[d] < 2 else 0
            events.append(DeviceDown(at, name, unit))
            events.append(DeviceUp(at + float(rng.uniform(0.05, 0.5)) * span, name, unit))
    events.sort(key=lambda e: e.time_s)
    devices = len(instance.devices)
    slow = span / 20 if rng.random() < 0.5 else 0.0
    return Setting(
        requests,
        rng.standard_normal((len(drawn), wide)) if rng.random() < 0.5 else np.zeros((0, wide)),
        events,
        StartUp(rng.uniform(0.5, 1.0, devices) * slow, np.zeros(devices)),
        (rng.random(devices) < 0.25) & ~asks_of_slow(instance),
        float(rng.uniform(0.01, 0.1)) * span,
        log=True,
    )


def with_loading(instance: Instance, seed: int) -> Instance:
    """Return the instance with units that load the weights that they serve as they start."""
    rng = np.random.default_rng([seed, 78])
    devices = instance.devices
    time = rng.uniform(0.0, 0.5, len(devices)) * float(rng.random() < 0.5)
    return replace(instance, devices=replace(devices, load_time_s=time))


def compared_slow(seed: int) -> tuple[int, str]:
    """The same on devices that slow each other down; without reserved work, which is refused."""
    instance = random_slow_stream(seed)
    free = replace(instance.devices, reserved=np.zeros(len(instance.devices)))
    return compared(seed, with_loading(replace(instance, devices=free), seed))


def compared_boards(seed: int) -> tuple[int, str]:
    """The same on boards, which take time and energy to go on."""
    drawn = random_stream(seed)
    instance = None if len(drawn.scenarios) else with_boards(drawn, seed)
    if instance is None:
        return 0, ""
    rng = np.random.default_rng([seed, 79])
    boards = instance.boards
    span = COUNT / max(float(instance.jobs.rate_per_s.sum()), 1e-9)
    slow = rng.uniform(0.0, 0.1, len(boards)) * span * (rng.random(len(boards)) < 0.6)
    energy = rng.uniform(0.0, 2.0, len(boards)) * boards.idle_power_w * span / 20
    boards = replace(boards, start_up_time_s=slow, start_up_energy_j=energy)
    return compared(seed, with_loading(replace(instance, boards=boards), seed))


def compared_turning_away(seed: int) -> tuple[int, str]:
    """The same where parts of the requests are turned away; without failures: none asks again."""
    instance = with_loading(random_stream(seed), seed)
    parts = np.random.default_rng([seed, 80]).choice([0.0, 0.3, 0.77, 1.0], len(instance.jobs))
    return compared(seed, instance, parts)


def compared(
    seed: int, instance: Instance | None = None, admit: np.ndarray | None = None
) -> tuple[int, str]:
    """Return how many policies were compared on a random instance, and the first difference."""
    instance = with_loading(random_stream(seed), seed) if instance is None else instance
    if len(instance.scenarios) or not instance.limits.demand_known:
        return 0, ""
    try:
        plan = solve(instance, time_limit=5).plan
    except InputError:
        # Throughput without a limit.
        return 0, ""
    if not isinstance(plan, SteadyPlan) or not (plan.rate_per_s > 0).any():
        return 0, ""
    setting = setting_of(instance, seed)
    if admit is not None:
        setting = replace(setting, events=())
    done = 0
    for name in NAMES:
        try:
            policy = policy_of(name, instance, plan, setting.start_up, admit)
            policy.shared = setting.shared
            loop = run_streams(instance, policy, setting)
        except InputError:
            # The plan serves nothing of a job, or no route of it is left.
            continue
        again = policy_of(name, instance, plan, setting.start_up, admit)
        again.shared = setting.shared
        small = SmallStreams(instance, again, setting).run()
        scale = max(1e-9, setting.requests.end_s)
        places = int(9 - np.floor(np.log10(scale)))
        different = agree(small.log, loop.log, places)
        if different:
            return done, f"seed {seed}, {name}: {different}"
        finish = np.array([small.finish.get(i, np.inf) for i in range(len(setting.requests))])
        if small.turned_away != set(np.flatnonzero(loop.turned_away).tolist()):
            return done, f"seed {seed}, {name}: who is turned away"
        if not np.allclose(finish, loop.finish_s, rtol=1e-9, atol=0.0):
            return done, f"seed {seed}, {name}: ends of requests"
        if not np.allclose(small.energy_j, loop.energy_j, rtol=1e-6, atol=1e-12):
            return done, f"seed {seed}, {name}: energy"
        if not np.allclose(small.idle_j, loop.idle_j, rtol=1e-6, atol=1e-12):
            return done, f"seed {seed}, {name}: idle energy"
        if not np.allclose(small.board_j, loop.board_idle_j, rtol=1e-6, atol=1e-12):
            return done, f"seed {seed}, {name}: energy of boards"
        if not np.allclose(small.board_s, loop.board_on_s, rtol=1e-6, atol=1e-9 * scale):
            return done, f"seed {seed}, {name}: boards on"
        if not np.isclose(small.over_cap_s, loop.over_cap_s, rtol=1e-6, atol=1e-9 * scale):
            return done, f"seed {seed}, {name}: time above the cap"
        if np.isfinite(finish).all():
            wrong = below_bound(instance, setting, loop, policy)
            if wrong:
                return done, f"seed {seed}, {name}: {wrong}"
        done += 1
    return done, ""


def below_bound(instance: Instance, setting: Setting, loop: object, policy: StreamPolicy) -> str:
    """Return what of a run is less than its bound, which must not be."""
    totals = outcome_of(instance, policy.name, 0, setting.requests, loop, 0.0, 0.0, {}).totals
    # What the search for prices aims at is more than there is, so that it goes as far as it can.
    missed, took = 1.5 * (totals["misses"] or 0.0), 1.5 * totals["mean_latency_s"]
    bound = clairvoyant_bound(instance, setting, loop.end_s, 0.0, missed, took)
    for name in ("energy_j", "cost", "carbon_kg", "mean_latency_s", "misses"):
        value = totals[name] or 0.0
        if value < getattr(bound, name) * (1 - 1e-12):
            return f"{name} {value} below its bound {getattr(bound, name)}"
    return ""


@pytest.mark.parametrize("first", range(0, 24, 8))
def test_every_event_is_that_of_the_plain_simulator(first: int) -> None:
    found = [compared(seed) for seed in range(first, first + 8)]
    assert [text for _, text in found if text] == []
    assert sum(count for count, _ in found) >= 6


def test_every_event_is_that_of_the_plain_simulator_where_devices_slow_each_other() -> None:
    found = [compared_slow(seed) for seed in range(10)]
    assert [text for _, text in found if text] == []
    assert sum(count for count, _ in found) >= 10


def test_every_event_is_that_of_the_plain_simulator_where_requests_are_turned_away() -> None:
    found = [compared_turning_away(seed) for seed in range(8)]
    assert [text for _, text in found if text] == []
    assert sum(count for count, _ in found) >= 8


def test_every_event_and_joule_is_that_of_the_plain_simulator_on_boards() -> None:
    found = [compared_boards(seed) for seed in range(16)]
    assert [text for _, text in found if text] == []
    assert sum(count for count, _ in found) >= 16
