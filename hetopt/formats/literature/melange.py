"""Fleets of GPUs for a language model's request sizes (Mélange).

T. Griggs, X. Liu, J. Yu, D. Kim, W.-L. Chiang, A. Cheung, I. Stoica, "Mélange: cost efficient large
language model serving by exploiting GPU heterogeneity", arXiv:2404.14527.

``gpu_info`` gives each GPU a price (``cost``, per hour) and its throughput for each bucket of
request sizes (``tputs``, requests/s, rows by input size and columns by output size; 0 where it
cannot serve them); ``workload_distribution`` is the share of each bucket, ``total_request_rate``
the rate of all. A bucket is a job; the number of GPUs of each kind is free; the objective is the
cost.

Numbers stay as they are, so a cost of 4.68 is 4.68 per hour although hetopt writes money/s.
``slice_factor`` is the number of parts into which Mélange's own model splits a bucket before it
assigns each part whole; hetopt splits rates freely, so its optimum is at most theirs, for any
number of parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.formats.format import Format
from hetopt.formats.literature.shared.assemble import assemble
from hetopt.formats.literature.shared.json_fields import JsonFields
from hetopt.formats.literature.shared.number_lines import counted
from hetopt.formats.literature.shared.sniffing import has_keys
from hetopt.formats.place import Path
from hetopt.instance import NO_MAXIMUM, Floats, Instance


def read_melange(text: str, name: str) -> Instance:
    """Read a fleet problem; the objective is the cost."""
    fields = JsonFields(text, name)
    share = _matrix(fields, fields.data.get("workload_distribution"), ("workload_distribution",))
    rate = fields.number(fields.data.get("total_request_rate"), ("total_request_rate",), above=True)
    fields.whole(fields.data.get("slice_factor", 1), ("slice_factor",), 1)
    gpus = fields.object_(fields.data.get("gpu_info"), ("gpu_info",))
    if not gpus:
        fields.fault(("gpu_info",), "", "At least one GPU.")
    price, rates = [], []
    for gpu, entry in gpus.items():
        path: Path = ("gpu_info", gpu)
        info = fields.object_(entry, path)
        price.append(fields.number(info.get("cost"), (*path, "cost")))
        served = _matrix(fields, info.get("tputs"), (*path, "tputs"))
        if served.size and share.size and served.shape != share.shape:
            text = f"{share.shape[0]} × {share.shape[1]} numbers, as workload_distribution has."
            fields.fault((*path, "tputs"), f"{served.shape[0]} × {served.shape[1]} numbers", text)
        rates.append(served)
    if share.size and not np.isnan(share).any() and not share.sum() > 0:
        fields.fault(("workload_distribution",), share.sum(), "A bucket with a share above 0.")
    fields.stop()

    wanted = np.argwhere(share > 0)
    buckets = [f"in{i}.out{j}" for i, j in wanted.tolist()]
    served = np.array([table[share > 0] for table in rates])
    for b in np.flatnonzero(~(served > 0).any(axis=0)).tolist():
        i, j = wanted[b].tolist()
        path = ("workload_distribution", i, j)
        fields.fault(path, share[i, j], "A GPU whose tputs serve this bucket.")
    fields.stop()
    device, bucket = np.nonzero(served > 0)
    names = np.array(list(gpus), dtype=object)
    return assemble(
        name,
        {
            "devices": {
                "name": names,
                "kind": ["gpu"] * len(names),
                "count_min": np.zeros(len(names), dtype=np.int64),
                "count_max": np.full(len(names), NO_MAXIMUM),
                "price_per_s": price,
            },
            "options": {
                "profile": np.array(buckets, dtype=object)[bucket],
                "device": names[device],
                "time_s": 1.0 / served[device, bucket],
            },
            "tasks": {"name": buckets, "job": buckets},
            "jobs": {"name": buckets, "rate_per_s": share[share > 0] * rate},
        },
        {"regime": "steady", "objective": "cost"},
    )


def _matrix(fields: JsonFields, value: Any, path: Path) -> Floats:
    """Return rows of equally many numbers of at least 0; an empty matrix where they are none."""
    rows = fields.list_(value, path, 1)
    wide = len(rows[0]) if rows and isinstance(rows[0], list) else 0
    table = np.zeros((len(rows), wide))
    for i, row in enumerate(rows):
        cells = fields.list_(row, (*path, i), 1)
        if len(cells) != wide:
            text = f"{counted(wide, 'number')}, as the first row has."
            fields.fault((*path, i), counted(len(cells), "number"), text)
            continue
        for j, cell in enumerate(cells):
            table[i, j] = fields.number(cell, (*path, i, j))
    return table


def is_melange(text: str) -> bool:
    """Whether a text is a fleet problem of Mélange."""
    return has_keys(text, "gpu_info", "workload_distribution")


FORMATS = (Format("melange", (".json",), read_melange, sniff=is_melange, begins=("json",)),)
