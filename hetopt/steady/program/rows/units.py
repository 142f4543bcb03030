"""How many units serve, are on and are had, and how busy each may and must be."""

from __future__ import annotations

import numpy as np
import pulp

from hetopt.steady.program.expressions import sum_of
from hetopt.steady.program.rows.stream_variables import StreamVariables


def capacity(model: StreamVariables) -> None:
    """Σ_r R_j b_rd f_rk ≤ cap_d n_k."""
    for k, kind in enumerate(model.kinds):
        load = [
            (model.part(r, k), model.route_rate(r) * model.routes[r].busy_s[kind.device])
            for r in kind.routes
        ]
        room = model.count[k] * (float(model.capacity[kind.device]) * model.keep)
        model.add_row(sum_of(load) <= room, f"capacity_{k}")


def least_loads(model: StreamVariables) -> None:
    """Keep every unit on busy enough; a kind's load may be spread evenly over its units."""
    for k, kind in enumerate(model.kinds):
        least, most = float(model.least[kind.device]), float(model.capacity[kind.device])
        if not least > 0:
            continue
        busy = {r: model.route_rate(r) * model.routes[r].busy_s[kind.device] for r in kind.routes}
        if not any(busy.values()):
            # Work that takes no time keeps no unit busy.
            for r in kind.routes:
                model.part(r, k).bounds(0, 0)
        load = sum_of((model.part(r, k), b) for r, b in busy.items() if b > 0)
        low = min(least * (2.0 - model.keep), max(least, most * model.keep))
        model.add_row(load >= model.count[k] * low, f"minload_{k}")
    for device in np.flatnonzero(model.least > 0).tolist():
        if device not in model.kinds_of:
            # Nothing can keep a unit of it busy.
            model.add_row(sum_of([(model.on[device], 1.0)]) <= 0, f"minload_none_{device}")


def units(model: StreamVariables) -> None:
    """Σ_{k on d} n_k ≤ v_d;  v_d + spare_d s_d ≤ h_d, = where all on are busy and never off."""
    for device, kinds in model.kinds_of.items():
        if not model.plain(device):
            counted = sum_of((model.count[k], 1.0) for k in kinds)
            row = counted == model.work[device]
            if not model.least[device] > 0:
                row = counted <= model.work[device]
            model.add_row(row, f"on_{device}")
            _named_units(model, device, kinds)
    for device, had in model.had.items():
        work = model.work[device]
        if isinstance(had, pulp.LpVariable) and had is not work:
            spare = int(model.instance.devices.spare[device])
            spares = sum_of([(model.spared[device], spare)]) if device in model.spared else 0
            row = work + spares <= had
            if model.least[device] > 0 and not model.instance.devices.off_when_unused[device]:
                row = work + spares == had
            model.add_row(row, f"had_{device}")


def _named_units(model: StreamVariables, device: int, kinds: list[int]) -> None:
    """Give a unit that a pin names one kind at most, and have the units before it on."""
    for unit in sorted({model.kinds[k].unit for k in kinds} - {-1}):
        named = [k for k in kinds if model.kinds[k].unit == unit]
        used = sum_of((model.count[k], 1.0) for k in named)
        model.add_row(used <= 1, f"named_{device}_{unit}")
        model.add_row(used * (unit + 1) <= model.work[device], f"below_{device}_{unit}")


def spares(model: StreamVariables) -> None:
    """Have the spares of a device wherever it serves at all."""
    devices = model.instance.devices
    for device, spared in model.spared.items():
        most = model.count_max(device)
        if most is not None:
            spare = int(devices.spare[device])
            room = spared * max(0, most - spare)
            shares = "units" in model.instance.kind_shares.of.tolist()
            if shares or model.question.switching:
                room = most - spared * min(most, spare)
            if isinstance(model.work[device], pulp.LpVariable):
                model.add_row(model.work[device] <= room, f"serves_{device}")
        if model.least[device] > 0 and not devices.off_when_unused[device]:
            # Only beside units that serve may some stand by.
            model.add_row(model.work[device] >= spared, f"stands_by_{device}")
        if model.most is None:
            model.incomplete = True
            continue
        for job, mine in enumerate(model.of_job):
            here = [(model.share[r], 1.0) for r in mine if device in model.routes[r].busy_s]
            if here:
                model.add_row(sum_of(here) <= spared * model.most, f"spared_{device}_{job}")


def kind_shares(model: StreamVariables) -> None:
    """Hold the share of each kind in units on, or in the price of units had."""
    shares, devices = model.instance.kind_shares, model.instance.devices
    for s in range(len(shares)):
        weight, units = np.ones(len(devices)), model.on
        if shares.of[s] == "price":
            weight, units = devices.price_per_s / devices.price_per_s.max(), model.had
        for name, limit, sign in (("least", shares.least[s], 1), ("most", shares.most[s], -1)):
            if limit == (0.0 if sign > 0 else 1.0):
                continue
            terms = [
                (
                    units[d],
                    float(weight[d]) * (float(devices.kind[d] == shares.kind[s]) - limit),
                )
                for d in range(len(devices))
            ]
            model.add_row(sum_of(terms) * sign >= 0, f"share_{name}_{s}")
