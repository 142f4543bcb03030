"""Whether a task's memory would have room on a unit, as a policy can tell from a state."""

from __future__ import annotations

import numpy as np

from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Instance
from hetopt.simulate.schedules.expected import Expected
from hetopt.simulate.schedules.shared.messages import Unit


class Fitting:
    """Weights, working memory, outputs and inputs of tasks against the limits of units and pools.

    A task that fits may still have to wait for what others hold there; one that does not fit never
    begins.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        devices, pools = instance.devices, instance.pools
        limited = np.isfinite(devices.memory_b)
        limited[devices.pool >= 0] |= np.isfinite(pools.memory_b[devices.pool[devices.pool >= 0]])
        self.limited: list[bool] = limited.tolist()
        self._makes = np.zeros(len(instance.tasks))
        np.add.at(self._makes, instance.tensors.producer, instance.tensors.bytes_b)

    def fits(self, t: int, option: int, unit: Unit, expected: Expected) -> bool:
        """Whether a task could run there, beside the weights of what is there and goes there."""
        if not self.limited[unit[0]]:
            return True
        instance, options = self.instance, self.instance.options
        key, slack = int(options.weights_key[option]), 1.0 + LIMIT_TOLERANCE
        held = self._weights(expected)
        new = key >= 0 and (unit, key) not in held
        more = float(options.weights_b[option]) if new else 0.0
        if new and more > expected.free_b.get(unit, np.inf) + LIMIT_TOLERANCE * more:
            return False
        need = more + float(self._makes[t]) + self._inputs(t, unit, expected)
        if instance.tasks.work[t] * options.time_s[option] > 0:
            need += float(options.memory_b[option])
        pool = int(instance.devices.pool[unit[0]])
        own = sum(size for (place, _), size in held.items() if place == unit)
        if own + need > float(instance.devices.memory_b[unit[0]]) * slack:
            return False
        if pool < 0:
            return True
        pooled = [s for (place, _), s in held.items() if instance.devices.pool[place[0]] == pool]
        return sum(pooled) + need <= float(instance.pools.memory_b[pool]) * slack

    def _weights(self, expected: Expected) -> dict[tuple[Unit, int], float]:
        options = self.instance.options
        return {
            (unit, int(options.weights_key[o])): float(options.weights_b[o])
            for unit, o in ((expected.home[t], o) for t, o in expected.option.items())
            if options.weights_key[o] >= 0
        }

    def _inputs(self, t: int, unit: Unit, expected: Expected) -> float:
        """Return the bytes of copies that a task reads there."""
        instance, edges = self.instance, self.instance.edges
        ptr, rows = instance.predecessors
        found = {}
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            n, source = int(edges.tensor[e]), expected.home[int(edges.src[e])]
            if n < 0 or source == unit or expected.network.zero_copy(source[0], unit[0]):
                continue
            if not (instance.tensors.staged[n] and expected.network.near_host(unit[0])):
                found[n] = float(instance.tensors.bytes_b[n])
        return sum(found.values())
