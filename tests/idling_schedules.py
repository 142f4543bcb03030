"""Random tiny schedules with sleep and start-ups, in combinations that are seldom seen."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from hetopt.build import Model
from hetopt.instance import Instance

TICKS = ("1", "0.1", "0.25", "0.001", "3600", "1e-7")
OBJECTIVES = (
    *(("energy",), ("energy",), ("energy",), ("cost",), ("carbon",), ("makespan",)),
    *(("peak_power",), ("energy", "makespan"), ("makespan", "energy"), ("peak_power", "energy")),
    *(("tardiness", "energy"), ("cost", "makespan")),
)


def idling_schedule(seed: int, *, setups: bool = False) -> tuple[Instance, Fraction]:
    """Return an instance with 1 to 4 tasks, and the tick of which all its times are multiples.

    With ``setups`` units are set up between configurations, too, where nothing repeats.
    """
    rng = np.random.default_rng([seed, 4711])
    own = np.random.default_rng([seed, 4712])
    tick = Fraction(TICKS[int(rng.integers(len(TICKS)))])
    cyclic = rng.random() < 0.2
    objective = list(OBJECTIVES[int(rng.integers(len(OBJECTIVES)))])

    def time(low: int, high: int) -> float:
        return float(int(rng.integers(low, high + 1)) * tick)

    def chance(part: float) -> bool:
        return bool(rng.random() < part)

    varied = not cyclic and chance(0.25) and {"cost", "carbon"} & set(objective)
    settings: dict[str, Any] = {"objective": objective, "regime": "schedule"}
    if chance(0.3):
        settings["power_cap"] = float(rng.integers(4, 16))
    if varied:
        steps = [{"from": 0.0, "price": 1.0}, {"from": time(2, 5), "price": float(rng.integers(4))}]
        settings["energy_price"] = steps
        steps = [{"from": 0.0, "intensity": 2.0}, {"from": time(1, 4), "intensity": 0.5}]
        settings["carbon_intensity"] = steps
    else:
        settings["energy_price"], settings["carbon_intensity"] = 0.5, float(rng.integers(1, 3))
    cycle = int(rng.integers(5, 9))
    if cyclic:
        settings["cycle"] = float(cycle * tick)
    elif chance(0.4):
        settings["horizon"] = float(int(rng.integers(7, 12)) * tick)
    model = Model("idling", **settings)
    wide = int(rng.integers(1, 4))
    boarded: list[Any] = []
    several = int(rng.integers(1, 3)) if wide < 3 else 1
    if chance(0.35):
        idle = float(rng.integers(0, 5))
        fields: dict[str, Any] = {
            "idle_power": idle,
            "off_when_unused": chance(0.7),
            "price": float(rng.integers(0, 2)),
            "count": several if chance(0.7) else (several - 1, several),
        }
        if idle and chance(0.6):
            fields["sleep"] = {
                "power": float(rng.integers(0, int(idle) + 1)),
                "wake_time": time(0, 4),
                "wake_energy": float(rng.integers(0, 8) * tick),
            }
        if chance(0.4):
            fields["start_up"] = {
                "time": time(0, 3),
                "energy": float(rng.integers(0, 8) * tick),
                "cost": float(rng.integers(0, 3) * tick),
            }
        boarded = [model.board("board", **fields), fields["count"]]
    devices = []
    for d in range(wide):
        idle = float(rng.integers(0, 5))
        fields = {
            "idle_power": idle,
            "count": int(rng.integers(1, 3)) if wide < 3 else 1,
            "slots": 2 if chance(0.25) else 1,
            "off_when_unused": chance(0.7),
            "overlap": chance(0.5),
            "price": float(rng.integers(0, 2)),
        }
        if idle and chance(0.75):
            fields["sleep"] = {
                "power": float(rng.integers(0, int(idle) + 1)),
                "wake_time": time(0, 4),
                "wake_energy": float(rng.integers(0, 8) * tick),
            }
        if chance(0.5):
            fields["start_up"] = {
                "time": time(0, 3),
                "energy": float(rng.integers(0, 8) * tick),
                "cost": float(rng.integers(0, 3) * tick),
            }
        if setups and not cyclic:
            fields["slots"] = 1
            fields["setup"] = {
                "time": float(int(own.integers(0, 3)) * tick),
                "energy": float(own.integers(0, 5) * tick),
            }
            fields["initial_configuration"] = ("none", "")[int(own.integers(2))]
        if boarded and chance(0.75):
            fields["board"], fields["count"] = boarded
            if several == 1 and fields["count"] == 1 and wide < 3 and chance(0.3):
                fields["count"] = 2
        devices.append(model.device(f"d{d}", **fields))
    if wide > 1:
        model.link("d0", "d1", latency=time(0, 2), both_ways=True, energy_per_byte=float(tick))
    if wide > 1 and chance(0.3):
        model.link("d0", "d0", latency=time(0, 1))
    tasks = int(rng.integers(1, 5 if wide < 3 else 4))
    before = None
    for t in range(tasks):
        release = 0 if chance(0.5) else int(rng.integers(0, 5))
        fields = {"release": float(release * tick)}
        if "tardiness" in objective:
            fields["due"] = float((release + int(rng.integers(1, 5))) * tick)
        if cyclic:
            fields["period"] = float(cycle * tick)
        most = cycle if cyclic else 7
        fields["deadline"] = float((release + int(rng.integers(4, most + 1))) * tick)
        job = model.job(f"j{t}", **fields)
        on = rng.permutation(wide)[: int(rng.integers(1, min(wide, 2) + 1))]
        options = []
        for d in on.tolist():
            for label in ("a", "b")[: 2 if chance(0.15) else 1]:
                length = time(0, 3) if chance(0.3) else time(1, 3)
                energy = float(rng.integers(0, 8)) * float(tick) if length else 0.0
                more = {}
                if setups and not cyclic and length and own.random() < 0.8:
                    more["configuration"] = ("x", "y")[int(own.integers(2))]
                options.append(devices[d].option(label, time=length, energy=energy, **more))
        task = job.task(f"t{t}", options=options)
        if before is not None and chance(0.35) and not cyclic:
            if chance(0.6) and wide > 1:
                model.transfer(before, task, bytes=1.0)
            else:
                model.transfer(before, task)
        before = task
    return model.build(), tick
