"""Columns back to tables and settings: the inverse of :mod:`hetopt.compile`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.compile.scenarios import weights_names
from hetopt.instance import Groups, Instance, Series
from hetopt.instance.column_specs import SETTINGS, TABLES

if TYPE_CHECKING:
    import pandas as pd


def to_frames(instance: Instance) -> dict[str, pd.DataFrame]:
    """Return the tables of an instance; columns that only hold defaults are left out.

    Returns
    -------
    dict
        Tables by name as ``from_frames`` takes them. Periodic jobs are unrolled, links
        one-way, prices per second, energies above idle.
    """
    import pandas as pd

    devices, links, options = instance.devices, instance.links, instance.options
    tasks, edges, tensors, jobs = instance.tasks, instance.edges, instance.tensors, instance.jobs
    pools = np.append(instance.pools.name.astype(object), "")
    sites = np.append(instance.sites.name.astype(object), "")
    channels = np.append(links.group_channels, 0)
    keys = [*instance.model_keys, ("", "")]
    profile = np.repeat(np.arange(len(instance.profiles)), np.diff(instance.profiles.ptr))
    size = np.append(tensors.bytes_b, np.nan)
    known = instance.limits.demand_known
    tables: dict[str, dict[str, Any]] = {
        "devices": {
            **_columns(devices),
            "memory_pool": pools[devices.pool],
            "site": sites[devices.site],
        },
        "boards": {k: v for k, v in _columns(instance.boards).items() if k != "per_board"},
        "pools": _columns(instance.pools),
        "sites": _columns(instance.sites),
        "links": {
            **_columns(links),
            "from": devices.name[links.src],
            "to": devices.name[links.dst],
            "channels": channels[links.channel_group],
        },
        "setups": _setups(instance),
        "options": {
            **_columns(options),
            "profile": instance.profiles.name[profile],
            "device": devices.name[options.device],
            "model": [keys[k][0] for k in options.weights_key],
            "variant": [keys[k][1] for k in options.weights_key],
        },
        "resources": {
            **_columns(instance.resources),
            "board": np.append(instance.boards.name.astype(object), "")[instance.resources.board],
        },
        "uses": _uses(instance, profile),
        "tasks": {
            **_columns(tasks),
            "profile": instance.profiles.name[tasks.profile],
            "job": jobs.name[tasks.job],
            "pin": _pins(instance),
            "forbid": _forbids(instance),
            "allowed_sites": _allowed_sites(instance),
        },
        "transfers": {
            "from": tasks.name[edges.src],
            "to": tasks.name[edges.dst],
            "bytes": size[edges.tensor],
            "tensor": np.append(tensors.name.astype(object), "")[edges.tensor],
            "staged": np.append(tensors.staged, False)[edges.tensor],
        },
        "scenarios": {}
        if not len(instance.scenarios) or len(instance.periods)
        else _columns(instance.scenarios),
        "periods": _periods(instance),
        "initial": _initial(instance),
        "rates": _rates(instance),
        "jobs": {**_columns(jobs), "share" if not known else "rate_per_s": jobs.rate_per_s},
    }
    shares = instance.kind_shares
    if len(shares):
        tables["kind_shares"] = {**_columns(shares), "min": shares.least, "max": shares.most}
    if not known:
        tables["jobs"]["rate_per_s"] = np.full(len(jobs), np.nan)
    return {
        name: pd.DataFrame(_trimmed(name, columns)) for name, columns in tables.items() if columns
    }


def to_settings(instance: Instance) -> dict[str, Any]:
    """Return the settings of an instance; those at their defaults are left out."""
    limits = instance.limits
    settings: dict[str, Any] = {
        "name": instance.name,
        "description": instance.description,
        "regime": instance.regime,
        "objective": list(instance.objective),
        "horizon_s": limits.horizon_s,
        "cycle_s": limits.cycle_s,
        "power_cap_w": limits.power_cap_w,
        "budget_per_s": limits.budget_per_s,
        "energy_price_per_j": _pieces(limits.energy_price_over_time, "price_per_j")
        or limits.energy_price_per_j,
        "carbon_kg_per_j": _pieces(limits.carbon_over_time, "kg_per_j") or limits.carbon_kg_per_j,
        "pue": limits.pue,
        "periods_cyclic": instance.periods.cyclic,
        "periods_min_up_s": instance.periods.min_up_s,
        "periods_max_changes": instance.periods.max_changes,
        "periods_invest": instance.periods.invest,
        "periods_discount_rate": instance.periods.discount_rate,
        "allow_mixed_scopes": instance.allow_mixed_scopes,
        "currency": instance.currency,
    }
    if instance.regime == "steady":
        settings["routing"] = instance.routing
    if instance.host >= 0:
        settings["host"] = str(instance.devices.name[instance.host])
    defaults = {c.name: c.default for c in SETTINGS}
    settings = {k: v for k, v in settings.items() if v != defaults.get(k)}
    for name, groups in (("together", instance.together), ("apart", instance.apart)):
        if len(groups):
            settings[name] = _group_names(groups, instance)
    return settings


def _pieces(series: Series | None, name: str) -> list[dict[str, float]]:
    if series is None:
        return []
    return [{"from_s": t, name: v} for t, v in zip(series.from_s, series.value, strict=True)]


def _columns(part: Any) -> dict[str, Any]:
    return {name: getattr(part, name) for name in part.__dataclass_fields__}


def _setups(instance: Instance) -> dict[str, Any]:
    setups = instance.setups
    if not len(setups):
        return {}
    device = instance.devices.name[setups.device]
    return {**_columns(setups), "device": device, "from": setups.source, "to": setups.target}


def _uses(instance: Instance, profile: Any) -> dict[str, Any]:
    uses, options = instance.uses, instance.options
    if not len(uses):
        return {}
    option = np.repeat(np.arange(len(options)), np.diff(uses.ptr))
    return {
        "profile": instance.profiles.name[profile[option]],
        "device": instance.devices.name[options.device[option]],
        "label": options.label[option],
        "resource": instance.resources.name[uses.resource],
        "amount": uses.amount,
    }


def _periods(instance: Instance) -> dict[str, Any]:
    periods, scenarios = instance.periods, instance.scenarios
    if not len(periods):
        return {}
    return {**_columns(scenarios), **_columns(periods), "duration_s": scenarios.weight}


def _initial(instance: Instance) -> dict[str, Any]:
    periods, names = instance.periods, weights_names(instance.model_keys)
    ptr, key = periods.initial_ptr, periods.initial_key
    if not len(periods.initial_device):
        return {}
    lists = np.empty(len(periods.initial_device), dtype=object)
    lists[:] = [[names[k] for k in key[a:b].tolist()] for a, b in pairwise(ptr.tolist())]
    return {
        "device": instance.devices.name[periods.initial_device],
        "units": periods.initial_units,
        "weights": lists,
    }


def _rates(instance: Instance) -> dict[str, Any]:
    """Return the rates that a scenario's factor does not say."""
    scenarios = instance.scenarios
    scaled = scenarios.demand[:, None] * instance.jobs.rate_per_s[None, :]
    scenario, job = np.nonzero(scenarios.rate_per_s != scaled)
    if not len(job):
        return {}
    return {
        "scenario": scenarios.name[scenario],
        "job": instance.jobs.name[job],
        "rate_per_s": scenarios.rate_per_s[scenario, job],
    }


def _pins(instance: Instance) -> list[str]:
    tasks = instance.tasks
    names = [*instance.devices.name.tolist(), ""]
    return [
        names[d] if u < 0 else f"{names[d]}#{u}"
        for d, u in zip(tasks.pin_device, tasks.pin_unit, strict=True)
    ]


def _forbids(instance: Instance) -> Any:
    """Return lists of names, as a name may hold a comma."""
    names = instance.devices.name.tolist()
    lists = np.empty(len(instance.tasks), dtype=object)
    lists[:] = [[] for _ in range(len(lists))] if len(instance.tasks.forbid_task) else ""
    for task, device in zip(instance.tasks.forbid_task, instance.tasks.forbid_device, strict=True):
        if names[device] not in lists[task]:
            lists[task].append(names[device])
    return lists


def _allowed_sites(instance: Instance) -> Any:
    names, tasks = instance.sites.name.tolist(), instance.tasks
    lists = np.empty(len(tasks), dtype=object)
    lists[:] = [[] for _ in range(len(lists))] if len(tasks.site_task) else ""
    for task, site in zip(tasks.site_task.tolist(), tasks.site_site.tolist(), strict=True):
        lists[task].append(names[site])
    return lists


def _group_names(groups: Groups, instance: Instance) -> list[list[str]]:
    return [instance.tasks.name[group].tolist() for group in groups]


def _trimmed(table: str, columns: dict[str, Any]) -> dict[str, Any]:
    """Keep required columns and those that say something, as plain types."""
    kept: dict[str, Any] = {}
    for spec in TABLES[table]:
        if spec.name not in columns:
            continue
        values = np.asarray(columns[spec.name])
        if spec.type in ("text", "names"):
            values = values.astype(object)
        default: Any = spec.default
        if spec.type == "names":
            blank = np.array([not names for names in values])
        else:
            blank = np.isnan(values) if default != default else values == default
        if spec.default is None or not np.all(blank):
            kept[spec.name] = values
    return kept
