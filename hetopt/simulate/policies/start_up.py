"""What it takes to switch units on, and how long they stay on without work for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetopt.instance import Floats, Instance
from hetopt.instance.states.stream_boards import going_on_j
from hetopt.simulate.routes import Fleet, RouteTable


@dataclass(frozen=True)
class StartUp:
    """What it takes to switch a unit of each device on (D): time, and energy above idle."""

    time_s: Floats
    energy_j: Floats

    @staticmethod
    def none(instance: Instance) -> StartUp:
        """No time and no energy."""
        count = len(instance.devices)
        return StartUp(np.zeros(count), np.zeros(count))

    def of_units(self, instance: Instance, fleet: Fleet, table: RouteTable) -> StartUp:
        """Return what a start of each unit takes (G), with loading the weights that it serves."""
        options, devices = instance.options, instance.devices
        keys: list[dict[int, float]] = [{} for _ in fleet.station_device]
        for station, option in zip(table.station.tolist(), table.option.tolist(), strict=True):
            if options.weights_key[option] >= 0 and options.weights_b[option] > 0:
                keys[station][int(options.weights_key[option])] = float(options.weights_b[option])
        # A unit in reserve has no station, and loads nothing.
        number = np.array([*map(len, keys), 0.0])[fleet.unit_station]
        size = np.array([*(sum(k.values()) for k in keys), 0.0])[fleet.unit_station]
        d = fleet.device
        return StartUp(
            self.time_s[d] + devices.load_time_s[d] * number,
            self.energy_j[d] + devices.load_energy_j_per_b[d] * size,
        )

    def with_loading(self, instance: Instance, fleet: Fleet, table: RouteTable) -> StartUp:
        """Return the most that a start of a unit of each device takes (D).

        With loading, and with its board, which draws its own idle power while it starts up.
        """
        units = self.of_units(instance, fleet, table)
        time, energy = self.time_s.copy(), self.energy_j.copy()
        np.maximum.at(time, fleet.device, units.time_s)
        np.maximum.at(energy, fleet.device, units.energy_j)
        boards, of = instance.boards, instance.devices.on_board
        time = np.maximum(time, np.append(boards.start_up_time_s, 0.0)[of])
        return StartUp(time, energy + np.append(going_on_j(instance), 0.0)[of])


def hold_times(instance: Instance, start_up: StartUp) -> Floats:
    """Return how long units stay on without work (D): while that costs less than a start."""
    own = instance.devices.idle_power_w
    spent = start_up.energy_j + own * start_up.time_s
    # With the last unit its board goes off.
    idle = own + np.append(instance.boards.idle_power_w, 0.0)[instance.devices.on_board]
    return np.asarray(np.divide(spent, idle, out=start_up.time_s.copy(), where=idle > 0))
