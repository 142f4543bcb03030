"""Public measurements as runs of operators, for fits and for judging estimates.

Each function takes the folder of tables (``data`` of the reference data) and returns runs by ID of
the processor. ``neusight_cases`` and ``timm_cases`` are what estimates are judged on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hetopt.profiling.capabilities import capability
from hetopt.profiling.efficiencies import POWER, Efficiency, Run
from hetopt.profiling.operator_work import OperatorWork

NEUSIGHT = {
    "A100-PCIE-40GB": "a100-pcie-40gb",
    "A100_80GB_PCIe": "a100-pcie-80gb",
    "H100_80GB_HBM3": "h100-sxm-80gb",
    "L4": "l4",
    "P100-PCIE-16GB": "p100-pcie-16gb",
    "P4": "p4",
    "T4": "t4",
    "V100-PCIE-32GB": "v100-pcie-32gb",
    "MI100": "mi100",
    "MI210": "mi210",
    "MI250": "mi250-gcd",
}
TIMM = {
    "Core i7-12700H": "i7-12700h",
    "Core i9-10940X": "i9-10940x",
    "RTX 3090": "rtx-3090",
    "RTX 4090": "rtx-4090",
    "RTX 5090": "rtx-5090",
    "RTX PRO 6000 Max-Q": "rtx-pro-6000-max-q",
}
QUTIBENCH = {
    "EdgeTPU-fast": "edgetpu",
    "NCS2": "ncs2",
    "TX2-maxn": "jetson-tx2",
    "Ultra96-DPU": "ultra96-dpu",
    "ZCU102-DPU": "zcu102-dpu",
    "ZCU104-DPU": "zcu104-dpu",
}
QUTIBENCH_NETWORKS = {
    "GoogLeNetv1": ("conv", 3.13, 3.3, 7.0),
    "ResNet-50": ("conv", 7.72, 11.1, 25.5),
    "ResNet-50v15": ("conv", 8.20, 11.1, 25.5),
    "MobileNetv1": ("depthwise-conv", 1.14, 5.1, 4.2),
}
"""Family, operations of one image in 1e9, as the table states them, activations and parameters in
millions."""
OPENVINO = {
    ("Intel Core i7-1185G7", "igpu"): "iris-xe-96eu",
    ("Intel Core Ultra 7-165H", "npu"): "core-ultra-7-165h-npu",
}
"""Processors by platform and device of the table. Its CPUs, whose caches hold what these networks
pass on, do not fit a roofline of DRAM; the fractions of CPUs are PyTorch's."""
OPENVINO_NETWORKS = {
    "resnet-50": ("conv", 8.2, 11.1, 25.5),
    "mobilenet-v2": ("depthwise-conv", 0.6, 6.7, 3.5),
}
"""Family, operations of one image in 1e9, activations and parameters in millions."""
AIHUB = {
    "Snapdragon X Elite CRD": "snapdragon-x-elite-npu",
    "SA8295P ADP": "sa8295p-npu",
    "Dragonwing IQ-9075 EVK": "iq-9075-npu",
}
AIHUB_TIMM = {
    "densenet121": "densenet121",
    "efficientnet_b0": "efficientnet_b0",
    "mobilenet_v2": "mobilenetv2_100",
    "mobilenet_v3_large": "mobilenetv3_large_100",
    "regnet": "regnetx_032",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "resnext50": "resnext50_32x4d",
    "wideresnet50": "wide_resnet50_2",
    "vit": "vit_base_patch16_224",
    "convnext_tiny": "convnext_tiny",
    "swin_tiny": "swin_tiny_patch4_window7_224",
}
ZEUS = {
    "a40": "a40",
    "p100": "p100-pcie-16gb",
    "rtx6000": "quadro-rtx-6000",
    "v100": "v100-pcie-32gb",
}

FP32 = 4.0


@dataclass(frozen=True, slots=True)
class Case:
    """A measured task: on what, what, how long."""

    device: str
    name: str
    works: tuple[OperatorWork, ...]
    time_s: float


def neusight_runs(data: Path) -> dict[str, list[Run]]:
    """Kernels of whole runs, a run per (model run, class), so that spreads are those of models."""
    table = _table(data / "neusight_model_operators.csv")
    # These runs take far less than their kernels together: the data's README leaves them out.
    broken = (table.gpu == "A100-PCIE-40GB") & table.model.isin(["bert_large", "gpt2_large"])
    runs: dict[str, list[Run]] = {}
    groups: dict[tuple[str, ...], tuple[list[OperatorWork], float]] = {}
    for row in table[~broken].itertuples():
        work = _kernel(row.operator, row.shape, row.count * row.repeats)
        if work.operator == "other":
            continue
        key = (row.gpu, row.model, str(row.batch), work.operator)
        works, time = groups.get(key, ([], 0.0))
        groups[key] = (
            [*works, work],
            time + row.count * row.repeats * row.ms_each * 1e-3,
        )
    for (gpu, *_), (works, time) in groups.items():
        runs.setdefault(NEUSIGHT[gpu], []).append(Run(tuple(works), time))
    return runs


def neusight_conv_runs(data: Path) -> dict[str, list[Run]]:
    """Single convolutions in fp32."""
    runs: dict[str, list[Run]] = {}
    for row in _table(data / "neusight_conv.csv").itertuples():
        out = (row.size + 2 * row.padding - row.kernel) // row.stride + 1
        if out < 1:
            continue
        outputs = row.batch * row.channels_out * out * out
        inputs = row.batch * row.channels_in * row.size * row.size
        weights = row.channels_in * row.channels_out * row.kernel**2
        flop = 2.0 * outputs * row.channels_in * row.kernel**2
        work = OperatorWork("conv", flop, FP32 * (outputs + inputs + weights))
        runs.setdefault(NEUSIGHT[row.gpu], []).append(Run((work,), row.latency_ms * 1e-3))
    return runs


def neusight_cases(data: Path) -> list[Case]:
    """The 54 measured forward passes of six language models."""
    kernels: dict[tuple[str, int], tuple[OperatorWork, ...]] = {}
    table = _table(data / "neusight_model_operators.csv")
    for (model, batch), group in table.groupby(["model", "batch"]):
        one = group[group.gpu == group.gpu.iloc[0]]  # shapes are the same on every GPU
        kernels[str(model), int(batch)] = tuple(
            _kernel(r.operator, r.shape, r.count * r.repeats) for r in one.itertuples()
        )
    for batch in (1, 2):
        kernels["switchxl4", batch] = tuple(_switch(batch))
    return [
        Case(
            NEUSIGHT[row.gpu],
            f"{row.model} x{row.batch}",
            kernels[row.model, row.batch],
            row.measured_ms * 1e-3,
        )
        for row in _table(data / "neusight_inference.csv").itertuples()
    ]


def _kernel(operator: str, shape: str, count: float) -> OperatorWork:
    if operator == "rest":
        return OperatorWork("other", 0.0, 0.0, launches=count)
    if operator in ("linear", "bmm"):
        *batch, m, k, n = (float(part) for part in shape.split("x"))
        b = batch[0] if batch else 1.0
        size = FP32 * b * (m * k + k * n + m * n)
        name = "matmul" if operator == "linear" else "batched-matmul"
        return OperatorWork(name, count * 2 * b * m * k * n, count * size, launches=count)
    sizes = [_product(part) for part in shape.split(" ")]
    name, flop, traffic = {
        "ln": ("normalisation", 5 * sizes[0], 2 * sizes[0]),
        "softmax": ("normalisation", 5 * sizes[0], 2 * sizes[0]),
        "embedding": ("gather", 0.0, 2 * sizes[-1]),
        "contiguous": ("copy", 0.0, 2 * sizes[0]),
        "cumsum": ("copy", sizes[0], 2 * sizes[0]),
        **dict.fromkeys(("add", "mul", "div", "where"), ("elementwise", sizes[0], 3 * sizes[0])),
    }.get(operator, ("elementwise", sizes[0], 2 * sizes[0]))
    return OperatorWork(name, count * flop, count * FP32 * traffic, launches=count)


def _switch(batch: int) -> Iterator[OperatorWork]:
    """Yield Switch-XL with 4 experts by its shapes (neusight_models.csv): it has no trace.

    24 encoder and 24 decoder layers: 72 attentions; every other feed-forward has experts, each of
    which gets a quarter of the tokens.
    """
    sequence, hidden, heads, head, wide, experts, words = 512, 1024, 32, 128, 16384, 4, 32128
    tokens, inner, attentions, layers = batch * sequence, heads * head, 72, 24
    shapes = [
        ("linear", f"{tokens}x{hidden}x{inner}", 3 * attentions),
        ("linear", f"{tokens}x{inner}x{hidden}", attentions),
        ("bmm", f"{batch * heads}x{sequence}x{head}x{sequence}", attentions),
        ("bmm", f"{batch * heads}x{sequence}x{sequence}x{head}", attentions),
        ("add", f"{batch * heads * sequence}x{sequence}", attentions),
        ("softmax", f"{batch * heads * sequence}x{sequence}", attentions),
        ("contiguous", f"{tokens}x{inner}", 4 * attentions),
        ("ln", f"{tokens}x{hidden}", attentions + 2 * layers),
        ("add", f"{tokens}x{hidden}", attentions + 2 * layers),
        ("linear", f"{tokens}x{hidden}x{words}", 1),
    ]
    for share, count in ((tokens, layers), (tokens // experts, layers * experts)):
        shapes += [
            ("linear", f"{share}x{hidden}x{wide}", count),
            ("linear", f"{share}x{wide}x{hidden}", count),
            ("relu", f"{share}x{wide}", count),
        ]
    for operator, shape, count in shapes:
        yield _kernel(operator, shape, count)


TRANSFORMERS = re.compile(
    "vit|deit|beit|swin|eva|cait|xcit|mixer|mlp|pit_|tnt|twins|coat|pvt|aimv|siglip|clip|volo|dino"
    "|hiera|nest|convit|visformer|levit|poolformer|gcvit|focal|sequencer|caformer|convformer"
)
DEPTHWISE = re.compile(
    "mobilenet|efficientnet|mnasnet|fbnet|ghostnet|tinynet|mixnet|lcnet|convnext|rexnet|hardcore"
    "|spnas|semnas|edgenext|xception|mobilevit|inception_next|starnet|convmixer|hgnetv2"
    "|efficientformer|efficientvit|fastvit|repghost|mambaout|rdnet|shvit|swiftformer|regnetz"
)
"""Families of timm, told by the names of networks: the tables hold no operators."""


def timm_cases(data: Path) -> list[Case]:
    """Networks that all six processors ran: one image, at the batch that was measured.

    GPUs uncompiled in automatic mixed precision, CPUs compiled in fp32 at batch 1. A network is
    one record in the class of its family: its arithmetic, and its activations (written once and
    read once) and weights as bytes.
    """
    table = _table(data / "timm_inference.csv")
    plain = (table.kind == "gpu") & (table.precision == "amp") & (table.compiled == 0)
    table = table[plain | (table.kind == "cpu")]
    table = table.merge(_table(data / "timm_models.csv"), on=["model", "image_size"])
    table = table.dropna(subset=["gmacs", "activations_m", "parameters_m", "images_per_s"])
    table = table[table.images_per_s > 0]
    counts = table.groupby(["model", "image_size"]).device.nunique()
    everywhere = set(counts[counts == len(TIMM)].index)
    return [
        Case(
            TIMM[row.device],
            f"{row.model} {row.image_size}",
            _network(row, "fp32" if row.kind == "cpu" else "fp16", row.batch, row.model),
            1 / row.images_per_s,
        )
        for row in table.itertuples()
        if (row.model, row.image_size) in everywhere
    ]


def _network(row: Any, precision: str, batch: int, name: str) -> tuple[OperatorWork, ...]:
    size = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}[precision]
    traffic = 1e6 * size * (2 * row.activations_m + row.parameters_m / batch)
    return (OperatorWork(family(name), 2e9 * row.gmacs, traffic, precision, 0.0),)


def family(model: str) -> str:
    """Return the class of operator that a network of timm mostly consists of."""
    if DEPTHWISE.search(model):
        return "depthwise-conv"
    return "matmul" if TRANSFORMERS.search(model) else "conv"


def timm_runs(data: Path) -> dict[str, list[Run]]:
    """The networks of ``timm_cases`` by processor."""
    runs: dict[str, list[Run]] = {}
    for case in timm_cases(data):
        runs.setdefault(case.device, []).append(Run(case.works, case.time_s))
    return runs


def qutibench_runs(data: Path) -> dict[str, list[Run]]:
    """Whole networks at the largest batch or number of streams: what the chip reaches."""
    table = _table(data / "qutibench.csv")
    table = table[table.model.isin([*QUTIBENCH_NETWORKS]) & (table.pruning_keep_pct == 100)]
    runs: dict[str, list[Run]] = {}
    best = table.sort_values("fps_comp").groupby(["device", "model", "datatype"]).tail(1)
    for row in best.itertuples():
        if row.device in QUTIBENCH and row.fps_comp > 0:
            operator, gop, activations, parameters = QUTIBENCH_NETWORKS[row.model]
            precision = row.datatype.lower()
            size = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}[precision]
            traffic = 1e6 * size * (2 * activations + parameters / row.batch)
            work = OperatorWork(operator, 1e9 * gop, traffic, precision, 0.0)
            runs.setdefault(QUTIBENCH[row.device], []).append(Run((work,), 1 / row.fps_comp))
    return runs


def openvino_runs(data: Path) -> dict[str, list[Run]]:
    """Image networks by their throughput, in the latest release that has the processor."""
    table = _table(data / "corun_openvino.csv")
    table = table[table.model.isin([*OPENVINO_NETWORKS]) & (table.throughput_fps > 0)]
    latest = table.sort_values("release")
    latest = latest.groupby(["platform", "device", "model", "precision"]).tail(1)
    runs: dict[str, list[Run]] = {}
    for row in latest.itertuples():
        device = OPENVINO.get((row.platform, row.device), "")
        if not device:
            continue
        operator, gop, activations, parameters = OPENVINO_NETWORKS[row.model]
        size = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0}[row.precision]
        traffic = 1e6 * size * (2 * activations + parameters)
        work = OperatorWork(operator, 1e9 * gop, traffic, row.precision, 0.0)
        runs.setdefault(device, []).append(Run((work,), 1 / row.throughput_fps))
    return runs


def aihub_runs(data: Path) -> dict[str, list[Run]]:
    """Networks in int8 on NPUs by their fastest runtime, with the MACs of timm."""
    table = _table(data / "aihub_perf.csv")
    known = _table(data / "timm_models.csv")
    known = known[known.image_size == 224].set_index("model")
    table = table[(table.precision == "w8a8") & (table.primary_unit == "NPU")]
    runs: dict[str, list[Run]] = {}
    best = table.sort_values("time_ms").groupby(["device", "model"]).head(1)
    for row in best.itertuples():
        name = AIHUB_TIMM.get(row.model, "")
        if row.device in AIHUB and name in known.index:
            works = _network(known.loc[name], "int8", 1, name)
            runs.setdefault(AIHUB[row.device], []).append(Run(works, row.time_ms * 1e-3))
    return runs


def power_rows(data: Path) -> list[Efficiency]:
    """Draws of cards at their highest limit, and of edge processors with one, while networks run.

    Cards train with the largest batch of each network; edge processors run whatever QuTiBench ran,
    at the draw of the stick or module (of FPGAs it is the whole board's: left out).
    """
    import numpy as np

    table = _table(data / "zeus_power_limit_traces.csv")
    drawn: list[tuple[str, Any, str]] = []
    for gpu, group in table.groupby("gpu"):
        top = group[group.power_limit == group.power_limit.max()]
        top = top.sort_values("batch_size").groupby("network").tail(3)
        source = "ml-energy/zeus nsdi23 traces"
        drawn.append((ZEUS[str(gpu)], top.average_power.to_numpy(), source))
    table = _table(data / "qutibench.csv")
    table = table[table.full_w > 0]
    for name in QUTIBENCH:
        watts = table[table.device == name].full_w.to_numpy()
        if len(watts) and not np.isnan(capability(QUTIBENCH[name]).power_w):
            drawn.append((QUTIBENCH[name], watts, "RCL-lab/QutibenchWeb"))
    rows = []
    for device, watts, source in drawn:
        logs = np.log(watts / capability(device).power_w)
        mean, spread = float(np.exp(logs.mean())), float(logs.std())
        rows.append(Efficiency(device, POWER, "", mean, spread, len(logs), source, "Apache-2.0"))
    return rows


def _product(text: str) -> float:
    product = 1.0
    for part in text.split("x"):
        product *= float(part)
    return product


def _table(path: Path) -> Any:
    import pandas as pd

    return pd.read_csv(path, keep_default_na=True).fillna({"shape": ""})
