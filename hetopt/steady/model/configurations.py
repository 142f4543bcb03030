"""One configuration a unit: streams of an instance as those of one with memory limits.

A unit serves for ever what it has loaded, so it has one configuration, and nothing is set up. That
is a memory of one byte, in which each configuration takes one: units whose weights fit are those
that have one configuration at most, options without one take nothing, and plans name units, as they
must. Rates, times, energies and everything else stay, so plans and bounds of either instance are
those of the other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.derived import once
from hetopt.instance.states.setups import configured_devices


@once
def with_configurations_held(instance: Instance) -> Instance:
    """Return the instance with configurations as weights; itself where no unit has a choice."""
    devices, options = instance.devices, instance.options
    several = configured_devices(instance)
    if not several.any():
        return instance
    memory = np.where(several, 1.0, devices.memory_b)
    on = several[options.device]
    names = [name for name in dict.fromkeys(options.configuration[on].tolist()) if name]
    number = {name: len(instance.model_keys) + k for k, name in enumerate(names)}
    needs = on & (options.configuration != "")
    key = np.where(on, -1, options.weights_key)
    key[needs] = [number[name] for name in options.configuration[needs].tolist()]
    return replace(
        instance,
        devices=replace(devices, memory_b=memory),
        options=replace(
            options,
            memory_b=np.where(on, 0.0, options.memory_b),
            weights_b=np.where(on, needs.astype(np.float64), options.weights_b),
            weights_key=key,
        ),
        model_keys=(*instance.model_keys, *((name, "configuration") for name in names)),
    )
