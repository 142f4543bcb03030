"""Small instances whose CP-SAT models some version of OR-Tools answered wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from hetopt import from_frames
from hetopt.instance import Instance
from tests.random_streams import random_stream
from tests.small_schedules import device, edge, instance, option, task


@dataclass(frozen=True, slots=True)
class Reproducer:
    """An instance of one objective, and its optimum (by enumeration or by hand)."""

    name: str
    make: Callable[[], Instance]
    optimum: float


def _idle_of_two() -> Instance:
    devices = pd.DataFrame(
        {
            "name": ["cpu", "gpu", "npu"],
            "kind": ["cpu", "gpu", "npu"],
            "count_min": [0, 2, 1],
            "count_max": [3, 2, 1],
            "idle_power_w": [1.0, 1.0, 0.5],
            "max_utilization": [0.8, 1.0, 1.0],
            "reserved": [0.0, 0.0, 0.25],
            "exclusive": [False, False, True],
        }
    )
    links = pd.DataFrame(
        [
            ("cpu", "gpu", 20000.0, 0.0, 0.001, False),
            ("cpu", "npu", 20000.0, 0.0, 0.001, True),
            ("gpu", "cpu", 5000.0, 0.0, 0.0, False),
            ("gpu", "gpu", 20000.0, 0.0, 0.001, True),
            ("npu", "cpu", 2000.0, 0.5, 0.0, False),
            ("npu", "npu", 5000.0, 0.0, 0.0002, False),
        ],
        columns=["from", "to", "bandwidth_b_per_s", "latency_s", "energy_j_per_b", "per_unit"],
    )
    options = pd.DataFrame(
        [
            ("p0", "cpu", "slow", 0.3, 7.0, 2),
            ("p0", "gpu", "slow", 0.7, 9.0, 1),
            ("p0", "gpu", "fast", 1.6, 2.0, 1),
            ("p1", "gpu", "slow", 0.7, 14.0, 1),
            ("p1", "npu", "slow", 1.0, 13.0, 1),
            ("p1", "npu", "fast", 2.4, 11.0, 4),
        ],
        columns=["profile", "device", "label", "time_s", "energy_j", "batch"],
    )
    frames = {
        "devices": devices,
        "links": links,
        "options": options,
        "tasks": pd.DataFrame({"name": ["t0", "t1", "t2"], "profile": ["p1", "p0", "p1"]}),
        "transfers": pd.DataFrame(
            {
                "from": ["t0", "t1"],
                "to": ["t1", "t2"],
                "bytes": [1000.0, 2000.0],
                "tensor": ["x0", ""],
                "staged": [True, True],
            }
        ),
        "jobs": pd.DataFrame({"name": ["j0"], "rate_per_s": [0.5], "latency_slo_s": [4.0]}),
    }
    settings = {
        "regime": "steady",
        "routing": "single",
        "objective": "power",
        "host": "cpu",
        "apart": [["t0", "t1"]],
    }
    return from_frames(frames, settings)


def _peak_of_one() -> Instance:
    return instance(
        [device("d0"), device("d1", count_max=2, count_min=2, idle_power_w=3.3, overlap=False)],
        [
            option("P0", "d1", 1.0, 1.0),
            option("P1", "d0", 0.0),
            option("P1", "d1", 1.0, 1.0),
            option("P2", "d0", 5.0, 1.0),
        ],
        [
            task("t0", "P2", job="j0"),
            task("t1", "P1", work=2.0, job="j0"),
            task("t2", "P0", job="j0"),
            task("t3", "P0", work=2.0, job="j0"),
        ],
        transfers=[edge("t0", "t1"), edge("t1", "t2"), edge("t1", "t3")],
        jobs=[{"name": "j0", "release_s": 3.0}],
        objective="peak_power",
        horizon_s=12.0,
    )


REPRODUCERS = (
    # 9.15.6755 proved 7.6 W, by probing: one unit on, and the more hungry option, are 4.3 W.
    Reproducer("peak of one unit", _peak_of_one, 4.3),
    # 9.15.6755 proved 3.8 W, by constraints that it found to include each other.
    Reproducer(
        "presolved optimum", lambda: replace(random_stream(71315), objective=("power",)), 3.6
    ),
    # 9.15.6755 proved that there is no plan, by a constraint that it had made for itself.
    # Idle of two gpu units, 14 + 2 + 14 J a request, and 3000 B from the host at 1 mJ/B.
    Reproducer("idle of two units", _idle_of_two, 2 + 15 + 1.5),
)
"""Found by campaigns, and made smaller."""
