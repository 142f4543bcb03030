"""What the event loop of streams reads of resources that slow what runs."""

from __future__ import annotations

import numpy as np

from hetopt.errors import InputError
from hetopt.instance import Instance
from hetopt.instance.grouping import ptr_of
from hetopt.instance.states.slow_domains import domain_of_device, slow_demand, slow_domains
from hetopt.simulate.kernels.records import Slow
from hetopt.simulate.policies.stream_policy import StreamPolicy
from hetopt.simulate.records import SLOW_ASK, SLOW_DOMAIN, SLOW_RESOURCE, rows


def slow_of(instance: Instance, policy: StreamPolicy) -> Slow:
    """Return who slows whom; no domain where nothing can be slowed.

    Raises
    ------
    InputError
        Where requests of a route join a running batch of an option that others slow: how much of
        what a batch asks for is that of one request is not known.
    """
    options, resources, domains = instance.options, instance.resources, slow_domains(instance)
    at = domain_of_device(instance)
    asks = [slow_demand(instance, o) if domains else () for o in range(len(options))]
    domain_of = np.array(
        [at[options.device[o]] if asked else -1 for o, asked in enumerate(asks)], dtype=np.int64
    )
    table = policy.table
    joined = (table.share < 1.0) & (domain_of[table.option] >= 0)
    if joined.any():
        option = int(table.option[int(np.flatnonzero(joined)[0])])
        raise InputError(
            f"Requests join batches of {instance.devices.name[options.device[option]]} one by one, "
            "and others slow what runs there (`sharing: slow`): simulation does not know both."
        )
    domain = rows(SLOW_DOMAIN, len(domains), head=-1)
    resource = rows(
        SLOW_RESOURCE, len(resources), capacity=resources.capacity, loss=resources.loss, domain=-1
    )
    for g, found in enumerate(domains):
        resource["domain"][list(found.resources)] = g
    size = [len(asked) for asked in asks]
    ask = rows(
        SLOW_ASK,
        sum(size),
        amount=[amount for asked in asks for _, amount in asked],
        resource=[k for asked in asks for k, _ in asked],
    )
    ptr = ptr_of(size)
    return Slow(domain_of, ptr, ask, resource, domain)
