"""Tables to columns: set-ups of units between configurations."""

from __future__ import annotations

import numpy as np

from hetopt.compile.periodic import remedy
from hetopt.compile.problems import Checker, Table, listed
from hetopt.instance import Devices, Instance, Options, Setups
from hetopt.instance.states.setups import NOTHING, configured_devices, device_setups
from hetopt.instance.states.slow_domains import slow_domains


def make_setups(table: Table, devices: Devices, options: Options, check: Checker) -> Setups:
    """Return the set-ups; each names configurations that options of its device have."""
    device = check.lookup("setups", "device", table["device"], devices.name, "device")
    setups = Setups(device, table["from"], table["to"], table["time_s"], table["energy_j"])
    _check_rows(table, setups, devices, options, check)
    _check_devices(devices, setups, options, check)
    check.rows(
        "options",
        "configuration",
        {"configuration": options.configuration},
        options.configuration == NOTHING,
        f"A configuration; one that needs nothing loaded states none, and {NOTHING} is no name.",
    )
    return setups


def _known(device: int, options: Options) -> list[str]:
    own = options.configuration[options.device == device].tolist()
    return [name for name in dict.fromkeys(own) if name]


def _check_rows(
    table: Table, setups: Setups, devices: Devices, options: Options, check: Checker
) -> None:
    seen: set[tuple[int, str, str]] = set()
    both: set[int] = set()
    for row, (device, source, target) in enumerate(
        zip(setups.device.tolist(), setups.source.tolist(), setups.target.tolist(), strict=True)
    ):
        if device < 0 or not source or not target:
            continue
        known = _known(device, options)
        for column, name, allowed in (
            ("from", source, [*known, NOTHING]),
            ("to", target, known),
        ):
            if name not in allowed and not check.unsure("options", "configuration"):
                expected = f"A configuration of its options: {listed(name, allowed)}."
                check.add("setups", row, column, name, expected)
        if source == target:
            check.add("setups", row, "to", target, "Another configuration than it comes from.")
        if (device, source, target) in seen:
            check.add("setups", row, "to", target, "Each pair of configurations once a device.")
        seen.add((device, source, target))
        for column in ("setup_time_s", "setup_energy_j"):
            value = float(getattr(devices, column)[device])
            if value and device not in both:
                text = "Either setups of pairs, or one setup for each change, not both."
                check.add("devices", device, column, value, text)
                both.add(device)


def _check_devices(devices: Devices, setups: Setups, options: Options, check: Checker) -> None:
    takes = (devices.setup_time_s > 0) | (devices.setup_energy_j > 0)
    takes[setups.device[setups.device >= 0]] = True
    rows = {"slots": devices.slots, "initial_configuration": devices.initial_configuration}
    text = "One slot: a unit with set-ups runs one task at once."
    check.rows("devices", "slots", rows, takes & (devices.slots > 1), text)
    stated = np.flatnonzero(devices.initial_configuration != "").tolist()
    for device in stated if not check.unsure("options", "configuration") else ():
        name = str(devices.initial_configuration[device])
        known = [*_known(device, options), NOTHING]
        if name not in known:
            expected = f"A configuration of its options: {listed(name, known)}."
            check.add("devices", device, "initial_configuration", name, expected)


def check_configured(table: Table, check: Checker) -> None:
    """Refuse configurations of options that take no time, in the order of the options' rows."""
    instant = (table["configuration"] != "") & (table["time_s"] == 0)
    text = "A time of more than 0: what needs a configuration occupies its unit."
    check.rows("options", "time_s", table, instant, text)


def check_setups(instance: Instance, check: Checker) -> None:
    """Refuse set-ups and configurations where no plan knows them."""
    if np.isfinite(instance.limits.cycle_s) and device_setups(instance):
        name = str(instance.devices.name[min(device_setups(instance))])
        text = (
            f"A schedule with an end, as device {name} has set-ups: they are planned there only"
            f"{remedy(check)}."
        )
        stated = check.was_written("settings", "cycle_s")
        value = float(instance.limits.cycle_s)
        check.setting("cycle_s" if stated else "cyclic", value if stated else True, text)
    if instance.regime == "steady":
        _check_streams(instance, check)


def _check_streams(instance: Instance, check: Checker) -> None:
    """Refuse what is not known beside units of one configuration each, of streams."""
    devices = instance.devices
    pool = np.append(instance.pools.memory_b, np.inf)[devices.pool]
    limited = np.isfinite(devices.memory_b) | np.isfinite(pool)
    for device in np.flatnonzero(configured_devices(instance)).tolist():
        name = str(devices.name[device])
        if limited[device]:
            text = "Either a memory limit or options of several configurations, in streams."
            check.add("devices", device, "memory_b", float(devices.memory_b[device]), text)
        if len(instance.periods):
            text = "Units of one configuration for ever: none is loaded anew between periods."
            check.add("devices", device, "name", name, text)
        if slow_domains(instance):
            text = "Options of one configuration, where devices slow each other down."
            check.add("devices", device, "name", name, text)
