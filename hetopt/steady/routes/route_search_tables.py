"""What a search for routes looks up: the options of each task, and the transfers of each tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hetopt.instance import Bools, Floats, Instance, Ints
from hetopt.steady.model.resources import resource_limits, taken_per_request
from hetopt.steady.routes.measure_prices import Prices
from hetopt.steady.routes.route import option_latency_s, usable_options
from hetopt.steady.routes.route_columns import Measures
from hetopt.steady.routes.transfers import Leg


@dataclass(frozen=True, slots=True)
class Step:
    """A task's options (K): devices, latencies, and what a request takes by each."""

    task: int
    option: Ints
    device: Ints
    latency_s: Floats
    energy_j: Floats
    use: Any
    accuracy: Floats
    key: Ints
    weights_b: Floats
    working_b: Floats


class Legs:
    """Transfers of one tensor between all pairs of the job's devices, priced on demand."""

    def __init__(self, instance: Instance, measures: Measures, legs: dict[Any, Leg | None]) -> None:
        from scipy.sparse import csr_array

        wide = len(instance.devices)
        self.wide = wide
        self.time_s = np.full((wide, wide), np.inf)
        ptr, index, value, energy, at = [0], [], [], [], []
        for (source, target), made in legs.items():
            if made is None:
                continue
            self.time_s[source, target] = made.time_s
            index += [measures.link(link) for link in made.links]
            value += [made.bytes_b] * len(made.links)
            index += [device for device, _ in made.busy_s]
            value += [extra for _, extra in made.busy_s]
            ptr.append(len(index))
            energy.append(made.energy_j)
            at.append(source * wide + target)
        self.at = np.array(at, dtype=np.int64)
        self.energy = np.array(energy, dtype=np.float64)
        shape = (len(at), len(measures))
        self.use: Any = csr_array((value, index, ptr), shape=shape, dtype=np.float64)

    def cost(self, prices: Prices, factor: float) -> Floats:
        """Return the cost of a transfer between each pair of devices (D × D)."""
        table = np.zeros(self.wide * self.wide)
        table[self.at] = factor * (prices.energy * self.energy + self.use @ prices.measures)
        return table.reshape(self.wide, self.wide)


def step_of(instance: Instance, measures: Measures, task: int, limited: Bools) -> Step:
    """Return the options of a task, without those that fit no unit of a limited device."""
    from scipy.sparse import csr_array

    options, limits = instance.options, resource_limits(instance)
    chosen = []
    for o in usable_options(instance, task):
        device = int(options.device[o])
        need = float(options.weights_b[o]) if options.weights_key[o] >= 0 else 0.0
        need += float(instance.devices.slots[device]) * float(options.memory_b[o])
        if not limited[device] or need <= room_of(instance, device):
            chosen.append(o)
    option = np.array(chosen, dtype=np.int64)
    share = float(instance.tasks.work[task]) / options.batch[option]
    time = options.time_s[option]
    ptr, index, value = [0], [], []
    for k, o in enumerate(chosen):
        taken = taken_per_request(instance, limits, task, o)
        index += [int(options.device[o]), *(measures.resource(s) for s in taken)]
        value += [float(share[k] * time[k]), *taken.values()]
        ptr.append(len(index))
    return Step(
        task=task,
        option=option,
        device=options.device[option],
        latency_s=np.array([option_latency_s(instance, task, o) for o in chosen]),
        energy_j=np.where(time > 0, share * options.energy_j[option], 0.0),
        use=csr_array((value, index, ptr), shape=(len(chosen), len(measures)), dtype=float),
        accuracy=options.accuracy[option],
        key=options.weights_key[option],
        weights_b=options.weights_b[option],
        working_b=options.memory_b[option],
    )


def room_of(instance: Instance, device: int) -> float:
    """Return the memory of a unit of a device, or of its pool where that is less."""
    devices, pools = instance.devices, instance.pools
    pool = int(devices.pool[device])
    own = float(devices.memory_b[device])
    return min(own, float(pools.memory_b[pool])) if pool >= 0 else own
