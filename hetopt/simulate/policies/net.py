"""What kernels read of routes: what rules compare, and the rows of stations."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from hetopt.instance import Floats, Instance, Ints
from hetopt.simulate.kernels.records import Net
from hetopt.simulate.records import CHOICE, EDGE, ROUTE, ROW, rows
from hetopt.simulate.routes import RouteTable

PATIENCE = 3.0
"""Limit on latency of a job that states none, times its shortest service."""
CAUTION = 0.5
"""Part of what a limit leaves beside service that waiting should take: waits vary."""


def choices(instance: Instance, table: RouteTable, weight: Floats, price: Floats | float) -> Any:
    """Return what a rule reads of routes: waiting may take half of what a limit leaves."""
    shortest = np.full(len(instance.jobs), np.inf)
    np.minimum.at(shortest, table.job, table.service_s)
    limit = instance.jobs.latency_slo_s
    limit = np.where(np.isfinite(limit), limit, PATIENCE * shortest)[table.job]
    wait = CAUTION * np.maximum(0.0, limit - table.service_s)
    return rows(
        CHOICE,
        len(table),
        weight=weight,
        price=price,
        limit_s=table.service_s + wait,
        patience_s=wait,
    )


def net_of(instance: Instance, table: RouteTable) -> Net:
    """Return the columns that the kernels read; a batch waits to fill as long as one takes."""
    of_job = np.argsort(table.job, kind="stable").astype(np.int64)
    begins = np.searchsorted(table.job[of_job], np.arange(len(instance.jobs) + 1))
    low, high = spreads(instance)
    row = rows(
        ROW,
        len(table.task),
        station=table.station,
        device=instance.options.device[table.option],
        position=table.position,
        key=_batch_keys(table),
        time_s=table.time_s,
        latency_s=table.latency_s,
        after_s=table.after_s,
        timeout_s=table.time_s,
        batch=table.batch,
        share=table.share,
        energy_j=table.energy_j,
        low=low[table.option],
        high=high[table.option],
        before=table.before,
        option=table.option,
    )
    edge = rows(EDGE, len(table.out_row), row=table.out_row, delay_s=table.out_delay_s)
    route = rows(ROUTE, len(table), transfer_j=table.transfer_j, device=table.transfer_device)
    return Net(begins.astype(np.int64), of_job, table.ptr, row, table.out_ptr, edge, route)


def _batch_keys(table: RouteTable) -> Ints:
    """Return the first row whose batch each row joins: same station, option and time."""
    first: dict[tuple[int, int, float], int] = {}
    rows = zip(table.station.tolist(), table.option.tolist(), table.time_s.tolist(), strict=True)
    return np.array([first.setdefault(key, m) for m, key in enumerate(rows)], dtype=np.int64)


def spreads(instance: Instance) -> tuple[Floats, Floats]:
    """Return the logarithmic spread of each option's time below and above it (O, O).

    With a standard normal z the time is ``time_s`` × exp(z × spread), that of the side of z: the
    distribution of :mod:`hetopt.instance.robust`, of which an option's interval is a part. 0 where
    none is stated.
    """
    options = instance.options
    known = (options.time_s > 0) & ~np.isnan(options.time_high_s) & (options.time_low_s > 0)
    inside = np.array([NormalDist().inv_cdf((1 + s) / 2) for s in options.interval[known].tolist()])
    low, high = np.zeros(len(options)), np.zeros(len(options))
    time = options.time_s[known]
    low[known] = np.log(time / options.time_low_s[known]) / inside
    high[known] = np.log(options.time_high_s[known] / time) / inside
    return low, high
