"""Energy counters of this machine, read with the checks that make their figures worth having.

RAPL's package zones (and memory zones beside them) count microjoules and wrap; ``core`` and
``uncore`` lie inside the package, ``psys`` around it, so neither is added. NVML counts millijoules
since the driver was loaded. A figure that fails a check is not used, and what was wrong is said.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RAPL = Path("/sys/class/powercap")
IDLE_S = 1.0
"""How long the draw of the idle machine is watched."""
MOST_FOREIGN = 0.1
"""Cores that other processes may use during a measurement: a counter counts them too."""
AGREE = 0.25
"""Part by which power sampled and the energy counter may differ."""


@dataclass(frozen=True, slots=True)
class Counter:
    """An energy counter.

    Attributes
    ----------
    name
        What it counts: ``package-0``, ``gpu-0`` ...
    read_j
        Joules since some time.
    range_j
        Joules after which it begins at 0 again; inf where it does not.
    power_w
        Power as the device itself samples it; ``None`` where it has no such reading.
    """

    name: str
    read_j: Callable[[], float]
    range_j: float = float("inf")
    power_w: Callable[[], float] | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """Energy of something that ran, or why there is none.

    ``energy_j`` is above idle and NaN where ``missing`` says why.
    """

    energy_j: float
    idle_w: float
    missing: str = ""


def counters(kind: str, root: Path = RAPL) -> tuple[list[Counter], str]:
    """Return the counters of a kind of processor, and why there are none.

    Parameters
    ----------
    kind
        ``cpu`` (RAPL) or ``gpu`` (NVML).
    root
        Where the kernel shows its power zones.
    """
    if kind == "gpu":
        found = _nvml()
        return found, "" if found else "no NVML (NVIDIA's driver) on this machine"
    if kind != "cpu":
        return [], f"no energy counter known for a {kind}"
    zones, closed = _rapl(root)
    if zones:
        return zones, ""
    if closed:
        return [], f"RAPL's counters are closed to this user ({closed})"
    return [], "no RAPL counters on this machine (virtual machines hide them)"


def difference_j(before: float, after: float, range_j: float) -> float:
    """Return the energy between two readings of a counter that wraps at most once."""
    return after - before if after >= before else after - before + range_j


def idle_power(found: Sequence[Counter], seconds: float = IDLE_S) -> float:
    """Return the power in watts while nothing is asked of the processor."""
    return watch(found, lambda: time.sleep(seconds))[1]


def watch(found: Sequence[Counter], run: Callable[[], object]) -> tuple[float, float, str]:
    """Run something; return its joules, watts, and what is wrong with them (empty: nothing)."""
    foreign, begin = _busy_elsewhere(), time.perf_counter()
    before = [c.read_j() for c in found]
    run()
    sampled = [c.power_w() if c.power_w is not None else None for c in found]
    seconds = time.perf_counter() - begin
    energies = [difference_j(b, c.read_j(), c.range_j) for b, c in zip(before, found, strict=True)]
    total = sum(energies)
    wrong = ""
    if any(e <= 0 for e in energies):
        wrong = "a counter stood still"
    elif any(e > c.range_j / 2 for e, c in zip(energies, found, strict=True)):
        wrong = "a counter may have wrapped more than once"
    elif (_busy_elsewhere() - foreign) / seconds > MOST_FOREIGN:
        wrong = "other processes used the machine meanwhile"
    else:
        for e, power, c in zip(energies, sampled, found, strict=True):
            if power is not None and abs(power - e / seconds) > AGREE * max(power, e / seconds):
                wrong = f"{c.name} samples {power:.1f} W where its counter says {e / seconds:.1f} W"
    return total, total / seconds, wrong


def energy_of(
    found: Sequence[Counter], idle_w: float, run: Callable[[], object], runs: int, missing: str
) -> Reading:
    """Return the energy above idle of each of ``runs`` executions that ``run`` does."""
    if not found:
        return Reading(float("nan"), float("nan"), missing)
    begin = time.perf_counter()
    joules, _, wrong = watch(found, run)
    if wrong:
        return Reading(float("nan"), idle_w, wrong)
    above = joules - idle_w * (time.perf_counter() - begin)
    if above <= 0:
        return Reading(float("nan"), idle_w, "it drew no more than the idle machine")
    return Reading(above / runs, idle_w)


def _rapl(root: Path) -> tuple[list[Counter], str]:
    found: list[Counter] = []
    closed = ""
    for zone in sorted(root.glob("*:*")) if root.is_dir() else []:
        try:
            name = (zone / "name").read_text(encoding="ascii").strip()
        except OSError:
            continue
        if not name.startswith(("package", "dram")):
            continue
        try:
            range_j = float((zone / "max_energy_range_uj").read_text(encoding="ascii")) / 1e6
            (zone / "energy_uj").read_text(encoding="ascii")
        except OSError as error:
            closed = f"{zone}: {error.strerror}"
            continue
        found.append(Counter(name, _microjoules(zone / "energy_uj"), range_j))
    return found, closed


def _microjoules(path: Path) -> Callable[[], float]:
    return lambda: float(path.read_text(encoding="ascii")) / 1e6


def _nvml() -> list[Counter]:
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []
    count = ctypes.c_uint()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    found = []
    for number in range(count.value):
        handle = ctypes.c_void_p()
        if library.nvmlDeviceGetHandleByIndex_v2(number, ctypes.byref(handle)):
            continue

        def energy(handle: ctypes.c_void_p = handle) -> float:
            value = ctypes.c_ulonglong()
            library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value))
            return value.value / 1e3

        def power(handle: ctypes.c_void_p = handle) -> float:
            value = ctypes.c_uint()
            library.nvmlDeviceGetPowerUsage(handle, ctypes.byref(value))
            return value.value / 1e3

        found.append(Counter(f"gpu-{number}", energy, power_w=power))
    return found


def _busy_elsewhere() -> float:
    """Return the processor seconds that other processes have used, of all cores."""
    try:
        with Path("/proc/stat").open(encoding="ascii") as file:
            fields = [int(n) for n in file.readline().split()[1:]]
    except (OSError, ValueError):
        return 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    own = sum(os.times()[:4])
    busy = sum(fields[:3]) + sum(fields[5:8])  # all but idle and waiting for disks
    return busy / ticks - own - _of_workers()


WORKERS: list[int] = []
"""Process IDs of workers whose time counts as one's own."""


def _of_workers() -> float:
    ticks, total = os.sysconf("SC_CLK_TCK"), 0.0
    for number in WORKERS:
        try:
            text = Path(f"/proc/{number}/stat").read_text(encoding="ascii")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total
