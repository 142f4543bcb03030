"""Tables to columns: profiles, their options, and the weights that these need."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.compile.problems import Checker, Table
from hetopt.compile.states.setups import check_configured
from hetopt.compile.strings import codes, keys_of
from hetopt.constants import LIMIT_TOLERANCE
from hetopt.instance import Boards, Bools, Devices, Floats, Ints, Options, Profiles
from hetopt.instance.grouping import ptr_of


def make_options(
    table: Table, devices: Devices, boards: Boards, check: Checker
) -> tuple[Profiles, Options, tuple[tuple[str, str], ...]]:
    """Return profiles, options grouped by them, and the names of the weights keys."""
    code, names = codes(check.keys(table["profile"]))
    ptr = ptr_of(np.bincount(code, minlength=len(names)))
    device = check.lookup("options", "device", table["device"], devices.name, "device")
    energy = _energy(table, device, devices, boards, check)
    _check_interval("time", table["time_s"], table, check)
    _check_interval("energy", energy, table, check)
    key, keys = _weights_keys(table, check)
    _check_labels(table, code, device, check)
    check_configured(table, check)
    columns = {**table, "device": device, "energy_j": energy, "weights_key": key}
    if (code[1:] < code[:-1]).any():
        order = np.argsort(code, kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
    return Profiles(names, ptr.astype(np.int64)), Options.from_cells(columns), keys


def _check_interval(what: str, value: Floats, table: Table, check: Checker) -> None:
    """Refuse half an interval, and one that does not hold the value that plans count on."""
    unit = "s" if what == "time" else "j"
    low, high = f"{what}_low_{unit}", f"{what}_high_{unit}"
    stated = {name: ~np.isnan(table[name]) for name in (low, high)}
    for one, other in ((low, high), (high, low)):
        for row in np.flatnonzero(stated[one] & ~stated[other]):
            check.add("options", int(row), other, "", f"Both ends of the interval: {other} too.")
    slack = LIMIT_TOLERANCE * np.abs(value)
    both = stated[low] & stated[high]
    for row in np.flatnonzero(both & (table[low] > value + slack)):
        told = check.told("options", int(row), f"{what}_{unit}", float(value[row]))
        text = f"At most the {what} of the option, {told}."
        check.add("options", int(row), low, table[low][row], text)
    for row in np.flatnonzero(both & (table[high] < value - slack)):
        told = check.told("options", int(row), f"{what}_{unit}", float(value[row]))
        text = f"At least the {what} of the option, {told}."
        check.add("options", int(row), high, table[high][row], text)


def _check_labels(table: Table, code: Ints, device: Ints, check: Checker) -> None:
    label, labels = codes(check.keys(table["label"]))
    place = (code * (device.max(initial=0) + 2) + device + 1) * max(len(labels), 1) + label
    _, first = np.unique(place, return_index=True)
    again = np.ones(len(place), dtype=bool)
    again[first] = False
    for row in np.flatnonzero(again & (device >= 0)) if "devices" not in check.twice else ():
        check.add(
            "options",
            int(row),
            "label",
            table["label"][row],
            f"A label is expected that no other option of profile {table['profile'][row]} on "
            f"device {table['device'][row]} has.",
        )


def _energy(table: Table, device: Ints, devices: Devices, boards: Boards, check: Checker) -> Floats:
    """Return energies above idle, from what each option states."""
    energy, power, time = table["energy_j"], table["power_w"], table["time_s"]
    has_energy, has_power = ~np.isnan(energy), ~np.isnan(power)
    # Where the source states no idle power, the energy is the whole energy.
    # A draw is measured at the board, where there is one: above the board's idle power too.
    carried = np.append(boards.idle_power_w, 0.0)[devices.on_board]
    counted = np.append(np.where(devices.idle_known, devices.idle_power_w + carried, 0.0), 0.0)
    idle = counted[device]

    def complain(rows: Bools, column: str, value: Any, expected: str) -> None:
        for row in np.flatnonzero(rows):
            check.add("options", int(row), column, value[row], expected)

    complain(has_energy & has_power, "power_w", power, "Either energy or power, not both.")
    if has_energy.any() or has_power.any():
        complain(
            ~has_energy & ~has_power,
            "energy_j",
            np.full(len(time), ""),
            "energy (above idle) or power (whole draw), as other options state one.",
        )
    for row in np.flatnonzero(has_power & (power < idle)):
        d, name = int(device[row]), table["device"][row]
        b = int(devices.on_board[d])
        own = check.told("devices", d, "idle_power_w", float(devices.idle_power_w[d]))
        least = f"the idle power of device {name}, {own}"
        if b >= 0:
            carried_w = float(boards.idle_power_w[b])
            more = check.told("boards", b, "idle_power_w", carried_w)
            least = f"the idle power, {own} of {name} + {more} of its board {boards.name[b]}"
        text = f"The whole draw of the unit is at least {least}; "
        text += "energy above idle goes into energy."
        check.add("options", int(row), "power_w", power[row], text)
    stated = np.nan_to_num(energy)
    if has_power.any():
        stated = np.where(has_power, (np.nan_to_num(power) - idle) * time, stated)
    complain((time == 0) & (stated > 0), "energy_j", stated, "0 for a task of time 0.")
    result: Floats = stated
    return result


def _weights_keys(table: Table, check: Checker) -> tuple[Ints, tuple[tuple[str, str], ...]]:
    """Key weights by (model, variant); a key has one size."""
    size = table["weights_b"]
    key = np.full(len(size), -1, dtype=np.int64)
    has = np.flatnonzero(size > 0)
    if not len(has):
        return key, ()
    model, variant = table["model"][has], table["variant"][has]
    unnamed = model == ""
    plain = unnamed & (variant == "")
    model = np.where(unnamed, table["profile"][has], model)
    variant = np.where(plain, table["label"][has], variant)
    model_code, models = codes(keys_of(model))
    variant_code, variants = codes(keys_of(variant))
    both = model_code * len(variants) + variant_code
    _, first, number = np.unique(both, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    key[has] = rank[number]
    first = np.sort(first)
    keys = tuple(
        zip(models[model_code[first]].tolist(), variants[variant_code[first]].tolist(), strict=True)
    )
    one = has[first][key[has]]
    for i in np.flatnonzero(size[has] != size[one]):
        name = keys[key[has[i]]]
        check.add(
            "options",
            int(has[i]),
            "weights_b",
            size[has[i]],
            f"Weights of model {name[0]}, variant {name[1] or '(none)'}, have one size; "
            f"another option says {check.told('options', int(one[i]), 'weights_b', size[one[i]])}.",
        )
    return key, keys
