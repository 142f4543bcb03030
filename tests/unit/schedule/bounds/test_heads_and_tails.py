"""Unavoidable messages: joins and forks, units, slots, pools, and double edges."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from hetopt import from_frames
from hetopt.constants import GAP_TOLERANCE
from hetopt.instance import Instance
from hetopt.schedule.bounds.heads_and_tails import Reach, idle_makespan
from hetopt.schedule.bounds.objective_bounds import bound, reach_of
from hetopt.solve import solve


def join(
    message: float,
    parents: int = 3,
    *,
    forward: bool = True,
    own_link: float | None = None,
    twice: bool = False,
    bare: bool = False,
    pool: bool = False,
    **device: Any,
) -> Instance:
    """Equal tasks of 1 s whose results one more task of 1 s needs, on equal devices a and b.

    Backwards: one task whose results the others need. With ``bare`` the last two tasks exchange a
    message and the others are mere precedence.
    """
    names = [f"p{k}" for k in range(parents)]
    ends = ("from", "to") if forward else ("to", "from")
    sent: list[dict[str, Any]] = [
        {ends[0]: name, ends[1]: "last", "bytes": message} for name in names
    ]
    if twice:
        sent += [dict(row) for row in sent]
    tasks = [*names, "last"]
    if bare:
        tasks = [*tasks[:-1], "other", "last"]
        sent = [{"from": name, "to": "last"} for name in names]
        sent.append({"from": "p0", "to": "other", "bytes": message})
    links = [{"from": "a", "to": "b", "time_s": 0.0}, {"from": "b", "to": "a", "time_s": 0.0}]
    if own_link is not None:
        links.append({"from": "a", "to": "a", "time_s": own_link})
    bandwidth = [message / row["time_s"] if row["time_s"] else 1.0 for row in links]
    pools = {"pools": pd.DataFrame({"name": ["shared"], "zero_copy": [True]})} if pool else {}
    return from_frames(
        {
            **pools,
            "devices": pd.DataFrame({"name": ["a", "b"], **device}),
            "links": pd.DataFrame(
                {
                    "from": [row["from"] for row in links],
                    "to": [row["to"] for row in links],
                    "bandwidth_b_per_s": bandwidth,
                }
            ),
            "options": pd.DataFrame(
                {"profile": ["x", "x"], "device": ["a", "b"], "time_s": [1.0, 1.0]}
            ),
            "tasks": pd.DataFrame({"name": tasks, "profile": "x"}),
            "transfers": pd.DataFrame(sent),
        },
        {"regime": "schedule", "objective": "makespan"},
    )


def known(instance: Instance) -> Reach:
    found = reach_of(instance)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("message", "parents", "slots", "least"),
    [
        (0.25, 1, [1, 1], 1.0),
        (0.25, 3, [1, 1], 1.25),
        (1.5, 3, [1, 1], 2.5),
        (9.0, 3, [1, 1], 3.0),
        (9.0, 4, [2, 1], 2.0),
        (9.0, 3, [2, 2], 1.5),
    ],
)
def test_parents_run_here_in_turn_or_send_a_message(
    message: float, parents: int, slots: list[int], least: float
) -> None:
    found = known(join(message, parents, slots=slots))
    assert found.start.min(axis=1)[-1] == pytest.approx(least)
    assert found.makespan == pytest.approx(least + 1.0)


def test_the_bound_of_the_makespan_counts_them() -> None:
    assert bound(join(9.0), "makespan") == pytest.approx(4.0)
    # Without messages: three tasks of 1 s on two devices, and the last one after them.
    assert bound(join(0.0), "makespan") == pytest.approx(2.5)


def test_children_in_turn_follow_a_task_as_parents_precede_it() -> None:
    children = known(join(9.0, forward=False))
    assert children.rest.min(axis=1)[-1] == pytest.approx(3.0)
    assert children.start.min(axis=1)[-1] == 0.0
    assert children.makespan == pytest.approx(4.0)


def test_a_link_of_a_device_to_itself_reaches_its_other_units() -> None:
    assert known(join(9.0, count=[2, 1])).makespan == pytest.approx(4.0)
    assert known(join(9.0, own_link=0.5, count=[2, 1])).makespan == pytest.approx(2.5)


def test_messages_in_a_zero_copy_pool_are_free() -> None:
    made = join(9.0, memory_pool=["shared", "shared"], pool=True)
    assert known(made).makespan == pytest.approx(2.0)


def test_two_messages_of_one_parent_do_not_make_it_two() -> None:
    assert known(join(9.0, parents=1, twice=True)).makespan == pytest.approx(2.0)


def test_precedence_alone_needs_no_unit_in_common() -> None:
    found = known(join(9.0, bare=True))
    assert found.start.min(axis=1)[-1] == pytest.approx(1.0)


def forked(units: int, slots: int = 1) -> Instance:
    """A task and three that wait for its messages of 0.5 s, 1 s each, on units of one device."""
    names = ["root", "x", "y", "z"]
    return from_frames(
        {
            "devices": pd.DataFrame({"name": ["core"], "count": [units], "slots": [slots]}),
            "links": pd.DataFrame({"from": ["core"], "to": ["core"], "bandwidth_b_per_s": [2.0]}),
            "options": pd.DataFrame({"profile": ["x"], "device": ["core"], "time_s": [1.0]}),
            "tasks": pd.DataFrame({"name": names, "profile": "x"}),
            "transfers": pd.DataFrame({"from": "root", "to": names[1:], "bytes": 1.0}),
        },
        {"regime": "schedule", "objective": "makespan"},
    )


@pytest.mark.parametrize(
    ("units", "slots", "least"),
    [
        (1, 1, 4.0),
        (2, 1, 2.75),  # (4 of work + 1.5 until a message arrives) / 2
        (9, 1, 7.0 / 3.0),  # three in use: (4 + 1.5 + 1.5) / 3
        (2, 2, 0.0),
    ],
)
def test_units_idle_until_their_first_message_arrives(units: int, slots: int, least: float) -> None:
    made = forked(units, slots)
    assert idle_makespan(made, known(made)) == pytest.approx(least)
    assert bound(made, "makespan") >= least * (1 - GAP_TOLERANCE)


def test_idle_time_proves_forks_on_equal_units_at_once() -> None:
    made = forked(2)
    best = solve(made, time_limit=10, workers=1)
    assert best.status == "optimal"
    assert best.objective == 3.0
