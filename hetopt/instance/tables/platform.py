"""Tables of the platform: devices, boards, memory pools, sites, set-ups, links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from hetopt.instance.dtypes import Bools, Floats, Ints, Strings
from hetopt.instance.tables.table import Table

DeviceKind = Literal["cpu", "gpu", "npu", "fpga", "tpu", "dsp", "mcu", "other"]
"""Kinds of processor."""
KINDS: tuple[DeviceKind, ...] = get_args(DeviceKind)
NO_MAXIMUM = -1


@dataclass(frozen=True, slots=True)
class Devices(Table):
    """Types of processor, length D; a device stands for ``count`` identical units.

    ``count_max`` is ``NO_MAXIMUM`` (-1) where a range has no upper end (steady regime only). A
    fixed count has ``count_min == count_max``. ``memory_b`` is inf where unlimited, ``pool`` -1
    where the device is in no memory pool. ``price_per_s`` is money per second of a unit
    *provisioned*, ``purchase_price`` what one was bought for (NaN where it was not), which is in no
    cost itself. ``idle_known`` is False where the source of the figures states no idle power (then
    ``idle_power_w`` is 0 and option energies are whole energies). ``scope`` says what the power
    meter covered (wall, board, gpu, ...), empty where not stated. ``spare`` units (steady regime)
    are provisioned beyond those that serve, wherever the device serves at all. ``site`` is -1 where
    the device is at none. ``start_up_*`` is what a unit that goes on takes (energy above idle);
    ``sleep_power_w`` is NaN where a unit does not sleep in gaps. ``load_*`` is what loading weights
    onto a unit takes. ``setup_time_s`` and ``setup_energy_j`` are of each set-up from one
    configuration to another, 0 where none counts or ``Setups`` has rows for pairs;
    ``initial_configuration`` is what each unit has loaded at first, empty where the first set-up is
    free (:mod:`hetopt.instance.states.setups`).
    """

    name: Strings
    kind: Strings
    count_min: Ints
    count_max: Ints
    spare: Ints
    slots: Ints
    memory_b: Floats
    pool: Ints
    idle_power_w: Floats
    idle_known: Bools
    max_utilization: Floats
    min_load: Floats
    reserved: Floats
    off_when_unused: Bools
    start_up_time_s: Floats
    start_up_energy_j: Floats
    start_up_cost: Floats
    sleep_power_w: Floats
    wake_time_s: Floats
    wake_energy_j: Floats
    load_time_s: Floats
    load_energy_j_per_b: Floats
    setup_time_s: Floats
    setup_energy_j: Floats
    initial_configuration: Strings
    exclusive: Bools
    overlap: Bools
    price_per_s: Floats
    purchase_price: Floats
    site: Ints
    scope: Strings
    preview: Bools
    source: Strings
    caution: Strings
    board: Strings
    on_board: Ints


@dataclass(frozen=True, slots=True)
class Boards(Table):
    """What carries units of devices and draws its idle power once for all, length B; often 0.

    Units of a device on a board are spread over its ``count``: the numbers of units are multiples
    of the numbers of boards, ``per_board`` (D; 0 for devices on none) for each, and unit i stands
    on board i // ``per_board``. A board is on if any unit on it is. Other columns are as of
    devices.
    """

    name: Strings
    count_min: Ints
    count_max: Ints
    idle_power_w: Floats
    off_when_unused: Bools
    price_per_s: Floats
    start_up_time_s: Floats
    start_up_energy_j: Floats
    start_up_cost: Floats
    sleep_power_w: Floats
    wake_time_s: Floats
    wake_energy_j: Floats
    per_board: Ints

    @staticmethod
    def none(devices: int) -> Boards:
        """Return no boards, for so many devices."""
        ints, floats = np.zeros(0, dtype=np.int64), np.zeros(0)
        return Boards(
            name=np.zeros(0, dtype=np.dtypes.StringDType()),
            count_min=ints,
            count_max=ints,
            idle_power_w=floats,
            off_when_unused=np.zeros(0, dtype=bool),
            price_per_s=floats,
            start_up_time_s=floats,
            start_up_energy_j=floats,
            start_up_cost=floats,
            sleep_power_w=floats,
            wake_time_s=floats,
            wake_energy_j=floats,
            per_board=np.zeros(devices, dtype=np.int64),
        )


@dataclass(frozen=True, slots=True)
class Pools(Table):
    """Memory capacities shared by the units of several devices, length P.

    In a ``zero_copy`` pool a message between any two units of the pool's devices takes no time,
    no energy and no channel, and makes no copy: the output itself stays held, on the producer's
    unit, until the last of these consumers ends.
    """

    name: Strings
    memory_b: Floats
    zero_copy: Bools


@dataclass(frozen=True, slots=True)
class Sites(Table):
    """Places where devices stand, length G: on the device, at the edge, in the cloud.

    What a joule costs and emits there, and its PUE; NaN where the site does not state it and the
    instance's own figure holds (:mod:`hetopt.instance.joule_prices`).
    """

    name: Strings
    energy_price_per_j: Floats
    carbon_kg_per_j: Floats
    pue: Floats


@dataclass(frozen=True, slots=True)
class Setups(Table):
    """Set-ups of a device from one configuration to another, each pair at most once.

    A device has rows or a ``setup_time_s`` of its own, not both; a pair without a row takes
    nothing.
    """

    device: Ints
    source: Strings
    target: Strings
    time_s: Floats
    energy_j: Floats


@dataclass(frozen=True, slots=True)
class Links(Table):
    """One-way links between devices, length L, in file order; ``both_ways`` is already expanded.

    ``src == dst`` joins the units of one device. ``bandwidth_b_per_s`` may be inf.
    ``channel_group`` is the index of the group whose channels a hop on this link holds (links of
    one bus share a group), -1 where there is no contention; ``group_channels[g]`` is the number of
    hops that group g carries at once. ``per_unit`` (steady) multiplies capacity by units on.
    """

    src: Ints
    dst: Ints
    bandwidth_b_per_s: Floats
    latency_s: Floats
    energy_j_per_b: Floats
    channel_group: Ints
    group_channels: Ints
    bus: Strings
    per_unit: Bools
