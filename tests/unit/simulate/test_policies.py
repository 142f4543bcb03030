"""Policies: what they decide from a state, and that the loop decides the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hetopt import read_instance, solve
from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.runtime.jit import plain
from hetopt.simulate.events import (
    Arrived,
    DeviceDown,
    JobState,
    Placement,
    QueueState,
    RateChanged,
    Route,
    State,
    SwitchOff,
    SwitchOn,
    Tick,
    UnitState,
    Wait,
)
from hetopt.simulate.policies.dispatching import dispatcher
from hetopt.simulate.policies.plan import plan_policy
from hetopt.simulate.policies.rolling import Rolling
from hetopt.simulate.policies.start_up import StartUp
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.rates import RateWatch
from hetopt.simulate.requests import drawn_requests
from hetopt.simulate.streams import run_streams, state_of
from hetopt.simulate.world import Setting, world_of
from hetopt.solution import SteadyPlan
from hetopt.solve import SolveOptions

TWO = """
hetopt: 1
name: two
regime: steady
objective: power
devices:
  - {name: big, kind: gpu, count: 3, idle_power: 50 W}
  - {name: small, kind: gpu, count: 4, idle_power: 5 W}
profiles:
  p:
    - {device: big, time: 0.1 s, energy: 2 J}
    - {device: small, time: 0.5 s, energy: 4 J}
jobs:
  - {name: chat, profile: p, rate: 20, latency_slo: 1 s}
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Instance:
    path = Path(tmp_path_factory.mktemp("i")) / "two.yaml"
    path.write_text(TWO, encoding="utf-8")
    return read_instance(path)


@pytest.fixture(scope="module")
def plan(two: Instance) -> SteadyPlan:
    found = solve(two, time_limit=10).plan
    assert isinstance(found, SteadyPlan)
    return found


def policies(two: Instance, plan: SteadyPlan, start_up: StartUp) -> list[StreamPolicy]:
    names = ("greedy", "energy-greedy", "price")
    return [plan_policy(two, plan, start_up)] + [dispatcher(n, two, plan, start_up) for n in names]


def everything_on(two: Instance, **changes: float) -> State:
    units = [UnitState("big", n, **changes) for n in range(3)]
    return State(5.0, (*units, *(UnitState("small", n, **changes) for n in range(4))))


def test_each_policy_decides_as_the_loop_does(two: Instance, plan: SteadyPlan) -> None:
    start_up = StartUp(np.full(2, 0.2), np.zeros(2))
    loop = plain("hetopt.simulate.kernels.loop")
    for policy in policies(two, plan, start_up):
        requests = drawn_requests(two, "poisson", count=150, time_s=None, seed=[3])
        world = world_of(
            two, policy, Setting(requests, np.zeros((0, 1)), (), start_up, np.zeros(2, dtype=bool))
        )
        for i, at in enumerate(requests.time_s.tolist()):
            loop.advance(world, at, False)
            state = state_of(policy, world, np.zeros(1, dtype=int), np.zeros(1, dtype=int))
            held = policy.rule.choice.copy()
            actions = policy.decide(state, Arrived(at, "chat", str(i)))
            policy.rule.choice[:] = held
            on = int((world.unit["status"] == 2).sum() + (world.unit["status"] == 1).sum())
            loop.advance(world, np.nextafter(at, np.inf), False)
            after = int((world.unit["status"] == 2).sum() + (world.unit["status"] == 1).sum())
            route = actions[-1]
            assert isinstance(route, Route)
            assert route.placements == policy.placements(int(world.request["route"][i]))
            assert any(isinstance(a, SwitchOn) for a in actions) == (after > on), policy.name


def test_a_unit_that_starts_at_once_gets_the_request_that_it_was_switched_on_for(
    two: Instance, plan: SteadyPlan
) -> None:
    start_up = StartUp.none(two)
    marginal = {"devices": [{"device": "big", "unit": 0.0}, {"device": "small", "unit": -1.0}]}
    price = dispatcher("price", two, plan, start_up, marginal)
    requests = drawn_requests(two, "poisson", count=300, time_s=None, seed=[0])
    setting = Setting(requests, np.zeros((0, 1)), (), start_up, np.zeros(2, dtype=bool))
    latency = run_streams(two, price, setting).finish_s - requests.time_s
    assert (latency > 1.0).mean() < 0.05


def test_greedy_takes_what_ends_first_and_prices_what_costs_least(
    two: Instance, plan: SteadyPlan
) -> None:
    _, greedy, energy, price = policies(two, plan, StartUp.none(two))
    free = everything_on(two)
    (route,) = greedy.decide(free, Arrived(5.0, "chat", "r"))
    assert route == Route("chat", (Placement("chat", "big"),), "r")
    (route,) = energy.decide(free, Arrived(5.0, "chat", "r"))
    assert isinstance(route, Route)
    assert route.placements[0].device == "big"
    # On the price of a unit that is on, 0.1 s of 50 W and 2 J beat 0.5 s of 5 W and 4 J too; not
    # where the big ones make a request wait longer than its limit.
    full = State(5.0, free.units, (QueueState("big", waiting=40, waiting_s=40.0),))
    (route,) = price.decide(full, Arrived(5.0, "chat", "r"))
    assert isinstance(route, Route)
    assert route.placements[0].device == "small"


def test_units_without_work_go_off_after_their_hold_and_only_then(
    two: Instance, plan: SteadyPlan
) -> None:
    start_up = StartUp(np.full(2, 2.0), np.zeros(2))
    energy = policies(two, plan, start_up)[2]
    idle = everything_on(two, idle_since_s=4.0)
    assert energy.decide(idle, Tick(5.0)) == (Wait(6.0),)
    later = State(6.0, idle.units)
    actions = energy.decide(later, Tick(6.0))
    assert actions
    assert all(isinstance(a, SwitchOff) for a in actions)


def test_an_unknown_job_is_an_error_that_names_those_known(two: Instance, plan: SteadyPlan) -> None:
    with pytest.raises(InputError, match="chat"):
        plan_policy(two, plan, StartUp.none(two)).decide(State(0.0), Arrived(0.0, "talk"))


def test_constant_rates_raise_no_alarm_and_a_step_does_within_ten_ticks() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        watch = RateWatch([4.0])
        assert not any(watch.tick([n], 10.0) for n in rng.poisson(40.0, 1000).tolist())
        assert any(watch.tick([n], 10.0) for n in rng.poisson(60.0, 10).tolist())
        assert watch.rates[0] == pytest.approx(6.0, rel=0.35)


def test_rolling_leaves_a_constant_load_alone_and_follows_a_step(
    two: Instance, plan: SteadyPlan
) -> None:
    rolling = Rolling(two, plan, StartUp.none(two), 10.0, SolveOptions(time_limit_s=5.0))
    rng = np.random.default_rng(1)
    on = rolling.fleet.on
    units = [UnitState("big", n, "on" if on[n] else "off") for n in range(3)]
    units += [UnitState("small", n, "on" if on[3 + n] else "off") for n in range(4)]

    def tick(k: int, count: int) -> tuple[object, ...]:
        state = State(10.0 * k, tuple(units), jobs=(JobState("chat", count),))
        return rolling.decide(state, Tick(10.0 * k))

    assert all(tick(k, int(n)) == (Wait(),) for k, n in enumerate(rng.poisson(200, 300), 1))
    assert rolling.solves == 0
    answers = [tick(301 + k, int(n)) for k, n in enumerate(rng.poisson(330, 10))]
    changed = [a for answer in answers for a in answer if not isinstance(a, Wait)]
    assert any(isinstance(a, SwitchOn) for a in changed)
    # A rate that was told is believed at once, and what fails is planned around.
    rolling.decide(State(500.0, tuple(units)), RateChanged(500.0, "chat", 7.0))
    down = [UnitState("big", n, "down") for n in range(3)] + units[3:]
    actions = rolling.decide(State(501.0, tuple(down)), DeviceDown(501.0, "big"))
    routes = [a for a in actions if isinstance(a, Route)]
    assert routes
    assert {p.device for r in routes for p in r.placements} == {"small"}


def test_start_ups_of_the_devices_hold_where_none_is_asked_for() -> None:
    from hetopt.simulate.question import start_up_times
    from tests.unit.steady.program.test_periods import day

    instance = day(start="1 kJ")
    assert start_up_times(instance, None) == {"box": 60.0}
    assert start_up_times(instance, "5 s") == {"box": 5.0}
    assert start_up_times(instance, {"box": "0 s"}) == {"box": 0.0}


def test_a_unit_that_goes_on_loads_the_weights_that_it_serves(tmp_path: Path) -> None:
    path = tmp_path / "loads.yaml"
    stated = TWO.replace("count: 4,", "count: 4, load: {time: 300 ms, energy_per_byte: 1 nJ/B},")
    both = stated.replace("energy: 4 J}", "energy: 4 J, model: m, weights: 2 GB}")
    path.write_text(both, encoding="utf-8")
    loads = read_instance(path)
    found = solve(loads, time_limit=10).plan
    assert isinstance(found, SteadyPlan)
    small = plan_policy(loads, found, StartUp.none(loads))
    starts = StartUp(np.full(2, 0.2), np.ones(2)).of_units(loads, small.fleet, small.table)
    where = small.fleet.device == 1
    serves = np.isin(small.fleet.unit_station, small.table.station)
    assert starts.time_s[where & serves] == pytest.approx(0.5)
    assert starts.energy_j[where & serves] == pytest.approx(3.0)
    assert starts.time_s[~where] == pytest.approx(0.2)
