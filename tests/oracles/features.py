"""Which features a random instance uses."""

from __future__ import annotations

import numpy as np

from hetopt.instance import Instance
from tests.oracles.paths import Paths, exact


def schedule_features(instance: Instance) -> set[str]:
    """Names of the features that are switched on."""
    jobs, limits, links = instance.jobs, instance.limits, instance.links
    found = _common(instance) | _paths(instance)
    flags = {
        "release": jobs.release_s.any(),
        "deadline": np.isfinite(jobs.deadline_s).any(),
        "due": np.isfinite(jobs.due_s).any(),
        "horizon": np.isfinite(limits.horizon_s),
        "count": (instance.devices.count_max > 1).any(),
        "several jobs": len(jobs) > 1,
        "infinite bandwidth": np.isinf(links.bandwidth_b_per_s).any(),
    }
    return found | {name for name, on in flags.items() if on}


def steady_features(instance: Instance) -> set[str]:
    """Names of the features that are switched on."""
    devices, options, links = instance.devices, instance.options, instance.links
    shares = bool(np.isclose(instance.jobs.rate_per_s.sum(), 1.0)) or not (
        instance.limits.demand_known
    )
    flags = {
        instance.routing: True,
        "shares": shares,
        "rates": not shares,
        "count without maximum": (devices.count_max < 0).any(),
        "max utilization": (devices.max_utilization < 1).any(),
        "reserved": devices.reserved.any(),
        "least load": devices.min_load.any(),
        "value": "value" in instance.objective,
        "least share": instance.jobs.min_share.any(),
        "batches": (options.batch > 1).any(),
        "measured latency": (~np.isnan(options.latency_s)).any(),
        "latency limit": np.isfinite(instance.jobs.latency_slo_s).any(),
        "links": len(links) and len(instance.tensors),
        "per unit": links.per_unit.any(),
        "exclusive": devices.exclusive.any(),
        "budget": np.isfinite(instance.limits.budget_per_s),
        "scenarios": len(instance.scenarios),
        "rates of a scenario": (instance.scenarios.rate_per_s == 0).any(),
        "slices": instance.jobs.slices.any(),
        "spare units": devices.spare.any(),
        "share of units": (instance.kind_shares.of == "units").any(),
        "share of price": (instance.kind_shares.of == "price").any(),
        "graph job": np.bincount(instance.tasks.job).max() > 1,
    }
    return _common(instance) | {name for name, on in flags.items() if on}


def _common(instance: Instance) -> set[str]:
    devices, options, tasks = instance.devices, instance.options, instance.tasks
    edges, links, limits = instance.edges, instance.links, instance.limits
    readers = np.bincount(edges.tensor[edges.tensor >= 0], minlength=1)
    keyed = options.weights_key[options.weights_key >= 0]
    pairs = np.stack(
        [
            np.repeat(np.arange(len(instance.profiles)), np.diff(instance.profiles.ptr)),
            options.device,
        ]
    )
    pooled = devices.pool[devices.pool >= 0]
    flags = {
        "apart": len(instance.apart),
        "together": len(instance.together),
        "pin": (tasks.pin_device >= 0).any(),
        "unit pin": (tasks.pin_unit >= 0).any(),
        "forbid": len(tasks.forbid_task),
        "count range": ((devices.count_min != devices.count_max) & (devices.count_max >= 0)).any(),
        "slots": (devices.slots > 1).any(),
        "precedence": (edges.tensor < 0).any(),
        "message": (edges.tensor >= 0).any(),
        "shared tensor": (readers > 1).any(),
        "staged": instance.tensors.staged.any(),
        "channels": (links.channel_group >= 0).any(),
        "bus": (np.bincount(links.channel_group[links.channel_group >= 0], minlength=1) > 1).any(),
        "zero-copy pool": instance.pools.zero_copy[pooled].any(),
        "pool memory": np.isfinite(instance.pools.memory_b[pooled]).any(),
        "no overlap": not devices.overlap.all(),
        "weights": len(keyed),
        "shared weights": len(np.unique(keyed)) < len(keyed),
        "working memory": options.memory_b.any(),
        "renewable": np.isfinite(instance.resources.capacity[instance.uses.resource]).any(),
        "resource budget": np.isfinite(instance.resources.budget[instance.uses.resource]).any(),
        "power cap": np.isfinite(limits.power_cap_w),
        "always on": not devices.off_when_unused.all(),
        "min accuracy": instance.jobs.min_accuracy.any(),
        "price": devices.price_per_s.any(),
        "sites": (devices.site >= 0).any(),
        "site price": (~np.isnan(instance.sites.energy_price_per_j)).any(),
        "site carbon": (~np.isnan(instance.sites.carbon_kg_per_j)).any(),
        "site pue": (~np.isnan(instance.sites.pue)).any(),
        "network": (np.strings.find(links.bus, "network") >= 0).any(),
        "allowed sites": len(tasks.site_task),
        "energy price": limits.energy_price_per_j > 0,
        "energy price over time": limits.energy_price_over_time is not None,
        "carbon over time": limits.carbon_over_time is not None,
        "several options": len(np.unique(pairs, axis=1).T) < len(options),
        "time 0": (options.time_s == 0).any(),
        "work": (tasks.work != 1).any(),
        "list of objectives": len(instance.objective) > 1,
    }
    return {name for name, on in flags.items() if on} | set(instance.objective)


def _paths(instance: Instance) -> set[str]:
    """Kinds of path that some message of the instance would take."""
    paths, found = Paths(instance), set[str]()
    for size in set(instance.tensors.bytes_b.tolist()):
        for a in range(len(instance.devices)):
            for b in range(len(instance.devices)):
                path = paths.find(a, b, exact(size)) or ()
                if a == b and len(path) == 1:
                    found.add("self link")
                elif a == b and len(path) > 1:
                    found.add("cycle")
                elif len(path) > 1:
                    found.add("several hops")
    return found
