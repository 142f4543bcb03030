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
    begins, or keeps another from it that waits there for its turn.
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
        held = expected.weights
        new = key >= 0 and (unit, key) not in held
        more = float(options.weights_b[option]) if new else 0.0
        if new and more > expected.free_b.get(unit, np.inf) + LIMIT_TOLERANCE * more:
            return False
        own = sum(size for (place, _), size in held.items() if place == unit)
        need = more + self._most([(t, option, unit), *expected.waiting(unit)], expected)
        if own + need > float(instance.devices.memory_b[unit[0]]) * slack:
            return False
        pool = int(instance.devices.pool[unit[0]])
        if pool < 0:
            return True
        members = [u for u in expected.units if instance.devices.pool[u[0]] == pool]
        waiting = [row for u in members for row in expected.waiting(u)]
        need = more + self._most([(t, option, unit), *waiting], expected)
        pooled = sum(size for (place, _), size in held.items() if place in members)
        return pooled + need <= float(instance.pools.memory_b[pool]) * slack

    def _most(self, tasks: list[tuple[int, int, Unit]], expected: Expected) -> float:
        """Return what the largest of some tasks needs beside weights, on the units they go to."""
        instance = self.instance
        found = 0.0
        for t, option, unit in tasks:
            need = float(self._makes[t]) + self._inputs(t, unit, expected)
            if instance.tasks.work[t] * instance.options.time_s[option] > 0:
                need += float(instance.options.memory_b[option])
            found = max(found, need)
        return found

    def _inputs(self, t: int, unit: Unit, expected: Expected) -> float:
        """Return the bytes of copies that a task reads there."""
        instance, edges = self.instance, self.instance.edges
        ptr, rows = instance.predecessors
        found = {}
        for e in rows[ptr[t] : ptr[t + 1]].tolist():
            n, source = int(edges.tensor[e]), expected.home.get(int(edges.src[e]), unit)
            if n < 0 or source == unit or expected.network.zero_copy(source[0], unit[0]):
                continue
            if not (instance.tensors.staged[n] and expected.network.near_host(unit[0])):
                found[n] = float(instance.tensors.bytes_b[n])
        return sum(found.values())
