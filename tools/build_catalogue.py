"""Build hetopt/data/catalogue.csv, the shipped table of measured options.

Run by hand, from the root of the repository::

    python tools/build_catalogue.py ../shared/data

It reads tables of published measurements (one row a measurement, each with its source) and writes
one row per *option*: one way to run one task on one device. What the columns mean, which rows are
left out and why stands in hetopt/data/SOURCES.md. The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import catalogue_flags

OUTPUT = Path(__file__).resolve().parents[1] / "hetopt" / "data" / "catalogue.csv"

APACHE = "Apache-2.0"
MIT = "MIT"
NO_LICENCE = "not stated"
"""MLPerf Inference v5.1: no LICENSE at the root of its repository; that of v4.1 is Apache-2.0."""

SIGNIFICANT_DIGITS = 6

SAMPLES_PER_MULTISTREAM_QUERY = 8
"""Fixed by the MLPerf rules; power x latency / 8 is the energy per sample in all rows there are."""

Record = dict[str, str]


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the catalogue; the order of the fields is the order of the columns.

    ``exact`` (not a column) keeps every digit of time, power and energy. ``energy_j`` above idle
    follows from power, idle power and time unless it was measured itself.
    """

    dataset: str
    device: str
    name: str
    board: str
    kind: str
    task: str
    label: str
    time_s: float
    power_w: float | None = None
    idle_power_w: float = 0.0
    idle_known: bool = False
    batch: int = 1
    unit: str = "sample"
    latency_s: float | None = None
    accuracy: float | None = None
    memory_b: float | None = None
    scope: str = ""
    power_measured: bool = False
    preview: bool = False
    division: str = ""
    suite: str = ""
    round: str = ""
    submitter: str = ""
    system: str = ""
    source: str = ""
    licence: str = APACHE
    note: str = ""
    caution: str = ""
    exact: bool = False
    energy_j: float | None = None

    @property
    def question(self) -> str:
        """The task without the round in which it was asked."""
        return self.task.partition("/")[2]

    @property
    def key(self) -> tuple[str, str, str]:
        """What must be unique in the catalogue."""
        return (self.device, self.task, self.label)

    @property
    def effort(self) -> float:
        """Joules per request where power was measured, else seconds: which duplicate is best."""
        power = 1.0 if self.power_w is None else self.power_w
        return power * self.time_s / self.batch

    def cells(self) -> dict[str, str]:
        """Return the row as text, numbers rounded as SOURCES.md says."""
        number = repr if self.exact else _short
        time = float(number(self.time_s))
        idle = float(number(self.idle_power_w))
        power = None if self.power_w is None else float(number(self.power_w))
        cells = {name: _text(getattr(self, name)) for name in COLUMNS}
        cells["time_s"] = number(time)
        cells["idle_power_w"] = number(idle)
        if power is not None:
            cells["power_w"] = number(power)
            energy = (power - idle) * time if self.energy_j is None else self.energy_j
            cells["energy_j"] = number(energy)
        return cells


COLUMNS = (
    *("dataset", "device", "name", "board", "kind", "task", "label"),
    *("time_s", "energy_j", "power_w", "idle_power_w", "idle_known"),
    *("batch", "unit", "latency_s", "accuracy", "memory_b", "scope", "power_measured", "preview"),
    *("division", "suite", "round", "submitter", "system", "source", "licence", "note", "caution"),
)


def build(data: Path) -> list[dict[str, str]]:
    """Return the rows of the catalogue as text, best of each duplicate, in a fixed order.

    Parameters
    ----------
    data
        Folder with the measured tables.
    """
    options = [
        *mlperf_inference(
            _read(data / "mlperf_inference_power.csv"),
            _read(data / "mlperf_v31_v40_flags.csv"),
            _read(data / "mlperf_completed.csv"),
        ),
        *mlperf_tiny(_read(data / "mlperf_tiny.csv")),
        *zeus(_read(data / "zeus_power_limit_traces.csv")),
        *perseus(_read(data / "perseus_stage_dvfs.csv")),
        *mlenergy(_read(data / "mlenergy_v2.csv")),
        *qutibench(_read(data / "qutibench.csv")),
        *splitwise(_read(data / "splitwise_perf_model.csv")),
        *gavel(_read(data / "gavel_throughputs.csv")),
    ]
    best: dict[tuple[str, str, str], Option] = {}
    for option in options:
        held = best.get(option.key)
        if held is None or option.effort < held.effort:
            best[option.key] = option
    doubts = catalogue_flags.cautions(o for o in best.values() if o.question.startswith(BUSY))
    return [
        replace(option, caution=doubts.get(option.device, option.caution)).cells()
        for option in sorted(best.values(), key=_order)
    ]


BUSY = ("offline/", "server/")
"""Scenarios that keep a system busy, so that power and speed of sister systems can be compared."""

MLPERF_NAMES = {
    "NVIDIA GeForce RTX 4090 (Ada Lovelace)": "NVIDIA GeForce RTX 4090",
    "NVIDIA A100-PCIE-40GB": "NVIDIA A100-PCIe-40GB",
    "NVIDIA A100-SXM-80GB CTS": "NVIDIA A100-SXM-80GB",
    "QUALCOMM Cloud AI 100 Pro": "QUALCOMM Cloud AI 100 PCIe/HHHL Pro",
}
"""Hardware that submitters spell in two ways: the spelling that more rows have."""

MLPERF_BOARDS = (
    ("Firefly", "Firefly RK3588S"),
    ("Khadas", "Khadas VIM4"),
    ("Odroid", "Odroid-N2+"),
    ("Raspberry", "Raspberry Pi 4"),
    ("Jetson AGX Orin", "Jetson AGX Orin"),
    ("NVIDIA Jetson AGX Orin", "Jetson AGX Orin"),
    ("Jetson AGX Xavier", "Jetson AGX Xavier"),
    ("NVIDIA AGX Xavier", "Jetson AGX Xavier"),
    ("NVIDIA Xavier NX", "Jetson Xavier NX"),
    ("NVIDIA Orin NX", "Jetson Orin NX"),
    ("NVIDIA Orin", "Jetson AGX Orin"),
    ("Snapdragon 865", "Snapdragon 865 (QRB5165)"),
)
"""Beginning of the hardware's name -> board whose plug was measured, processors of which have
entries of their own. Elsewhere the system is the machine, and its entry stands for all of it."""

SERVER_LIMITS = {
    "resnet50": 0.015,
    "retinanet": 0.1,
    "bert": 0.13,
    "rnnt": 1.0,
    "dlrm-v2": 0.06,
    "gptj": 20.0,
    "stable-diffusion": 20.0,
}
"""Beginning of a network -> the Server scenario's limit on the 99th percentile of the latency, in
seconds, by the rules of v3.1 and v4.0; that of llama2-70b is on tokens and not on the whole."""

REQUEST_NETWORKS = ("gptj", "llama", "mixtral", "whisper")
"""A sample of these is a whole request (prompt and answer, or a clip), not a token."""


def mlperf_inference(
    records: list[Record], flags: list[Record], completed: list[Record]
) -> Iterator[Option]:
    """MLPerf Inference with power: a device is a whole system, an option one submitted result.

    Parameters
    ----------
    records
        All results.
    flags
        Verdict of MLCommons' checker on the rounds whose logs, and so the word VALID, are missing.
    completed
        Results as the logs of v4.1 and v5.1 say them: completed samples, tokens per second.
    """
    passed = {
        _result(f)
        for f in flags
        if (f["compliance"], f["errors"], f["inferred"]) == ("1", "0", "0")
    }
    logged = {_result(c): c for c in completed}
    results = [r for r in records if r["valid"] == "VALID" or _result(r) in passed]
    idle: dict[tuple[str, ...], float] = {}
    submitters: dict[tuple[str, ...], set[str]] = {}
    for r in results:
        if r["floor_w"]:
            idle[_system(r)] = min(idle.get(_system(r), float("inf")), float(r["floor_w"]))
        submitters.setdefault(_system(r)[:3], set()).add(r["submitter"])
    for r in results:
        prefix = f"mlperf-{r['version']}" + ("" if r["division"] == "closed" else "-open")
        scenario = r["scenario"].lower()
        batch = SAMPLES_PER_MULTISTREAM_QUERY if scenario == "multistream" else 1
        log = logged.get(_result(r), {})
        energy = None
        notes = []
        if _system(r) in idle:
            notes.append("idle: least meter reading of the round (upper bound)")
        if r["valid"] != "VALID":
            notes.append("listed by MLCommons' checker with compliance 1 and no errors")
        if scenario in ("offline", "server"):
            time = 1.0 / float(log.get("completed_samples_per_second") or r["throughput_sps"])
            power = float(r["power_w"])
        elif r["power_w"]:
            # The interval between queries, small gaps included: so power x time is the measured
            # energy. The latency alone is up to 26 % shorter on systems that wait between queries.
            power = float(r["power_w"])
            time = float(r["energy_j_per_sample"]) * batch / power
        else:
            energy = float(r["energy_j_per_sample"]) * batch
            time = float(r["latency_ms"]) / 1e3
            power = energy / time
            notes.append(
                "energy measured; time is the latency's percentile, as no mean is stated, so power "
                "is a lower estimate"
            )
        if scenario == "offline" and (r["latency_ms"] or r["p99_ms"]):
            notes.append("latency counts the wait within one large batch")
        if log.get("completed_samples_per_second"):
            notes.append("completed samples, not scheduled ones")
        if log.get("tokens_per_second"):
            notes.append(f"{float(log['tokens_per_second']):g} tokens/s in all")
        latency = float(r["latency_ms"] or r["p99_ms"] or "nan") / 1e3
        limits = [s for start, s in SERVER_LIMITS.items() if r["model"].startswith(start)]
        if latency != latency and scenario == "server" and r["division"] == "closed" and limits:
            latency = limits[0]
            notes.append("latency is not stated: the benchmark's limit, which it held")
        cards = int(r["n_acc"])
        hardware = MLPERF_NAMES.get(r["device"], r["device"])
        boards = [board for start, board in MLPERF_BOARDS if hardware.startswith(start)]
        owner = f"{r['submitter']}/" if len(submitters[_system(r)[:3]]) > 1 else ""
        yield Option(
            dataset=f"mlperf-inference-{r['version']}",
            device=f"{prefix}/{owner}{r['system']}",
            name=f"{cards}x {hardware}" if cards > 1 else hardware,
            board=boards[0] if boards else "",
            kind=r["kind"].lower(),
            task=f"{prefix}/{scenario}/{r['model']}",
            label="submitted",
            time_s=time,
            power_w=power,
            energy_j=energy,
            idle_power_w=idle.get(_system(r), 0.0),
            idle_known=_system(r) in idle,
            batch=batch,
            unit=_unit(r),
            latency_s=None if latency != latency else latency,
            scope="wall",
            power_measured=True,
            preview=r["status"] == "preview",
            division=r["division"],
            suite=r["system_type"].replace(",", "+"),
            round=r["version"],
            submitter=r["submitter"],
            system=r["system"],
            source=_short_source(r),
            licence=NO_LICENCE if r["version"] == "v5.1" else APACHE,
            note="; ".join(notes),
            exact=True,
        )


def _result(r: Record) -> tuple[str, ...]:
    return (*_system(r), r["model"], r["scenario"])


def _system(r: Record) -> tuple[str, ...]:
    """Round, division, system, submitter: several submitters may name their systems alike."""
    return (r["version"], r["division"], r["system"], r["submitter"])


def _unit(r: Record) -> str:
    if not r["model"].startswith(REQUEST_NETWORKS):
        return "sample"
    # MLCommons' table of v4.0 has Offline in tokens (17,561.6 a second on a system that serves
    # 53.05 requests a second), all else in requests.
    tokens = r["version"] == "v4.0" and r["scenario"] == "Offline" and "llama2" in r["model"]
    return "token" if tokens else "request"


def _short_source(r: Record) -> str:
    """Return repository and path; SOURCES.md says in which files of cm4mlperf-results to look."""
    repository, _, rest = r["source"].partition(":")
    path = rest.partition(" (")[2].rstrip(")")
    return f"{repository}:{r['version']}/{path}" if path else r["source"]


def mlperf_tiny(records: list[Record]) -> Iterator[Option]:
    """MLPerf Tiny: boards with microcontrollers, NPUs, FPGAs; rows without a latency left out."""
    kinds = {"CPU/MCU": "mcu", "NPU": "npu", "FPGA": "fpga", "ACC": "dsp"}
    for r in records:
        if not r["latency_ms"]:
            continue
        kind = kinds[r["kind"]]
        if kind == "fpga" and r["system_dir"].startswith("AndesCore"):
            kind = "mcu"  # a processor tried out on an FPGA: what runs is a CPU
        if kind == "mcu" and "ghz" in r["proc_freq"].lower():
            kind = "cpu"  # application processors that run Linux
        time = float(r["latency_ms"]) / 1e3
        energy = float(r["energy_uj_per_inf"]) / 1e6 if r["energy_uj_per_inf"] else None
        suffix = "" if r["division"] == "closed" else "-open"
        yield Option(
            dataset=f"mlperf-tiny-{r['version']}",
            device=f"mlperf-tiny-{r['version']}{suffix}/{r['submitter']}/{r['system_dir']}",
            name=r["board"] or r["system_dir"],
            board=r["board"],
            kind=kind,
            task=f"mlperf-tiny{suffix}/{r['benchmark']}",
            label=r["variant"] or "submitted",
            time_s=time,
            power_w=None if energy is None else energy / time,
            scope="" if energy is None else "soc",
            power_measured=energy is not None,
            division=r["division"],
            round=r["version"],
            submitter=r["submitter"],
            system=r["system_dir"],
            source=r["source"],
            note="; ".join(
                part for part in (r["proc_freq"], r["accelerator"], r["framework"]) if part
            ),
        )


def zeus(records: list[Record]) -> Iterator[Option]:
    """Zeus: an execution is one training epoch; power limits and mini-batches are options."""
    names = {"v100": "NVIDIA V100", "p100": "NVIDIA P100"}
    names |= {"rtx6000": "NVIDIA Quadro RTX 6000", "a40": "NVIDIA A40"}
    for r in records:
        yield Option(
            dataset="zeus",
            device=f"zeus/{r['gpu']}",
            name=names[r["gpu"]],
            board="",
            kind="gpu",
            unit="epoch",
            task=f"zeus/{r['dataset']}/{r['network']}",
            label=f"b{r['batch_size']}-{r['optimizer']}-{r['power_limit']}W",
            time_s=float(r["time_per_epoch"]),
            power_w=float(r["average_power"]),
            scope="gpu",
            power_measured=True,
            system=r["gpu"],
            source=r["source"],
            note=f"one training epoch at mini-batch {r['batch_size']}",
        )


PERSEUS_ASIDE = " (git history, branch with sosp24_data)"
"""Said once in SOURCES.md instead of in 3,136 rows."""


def perseus(records: list[Record]) -> Iterator[Option]:
    """Perseus: forward and backward passes of pipeline stages, clocks as options."""
    names = {"a100_sxm": "NVIDIA A100-SXM", "a40": "NVIDIA A40"}
    for r in records:
        yield Option(
            dataset="perseus",
            device=f"perseus/{r['gpu']}",
            name=names[r["gpu"]],
            board="",
            kind="gpu",
            unit="micro-batch",
            task=f"perseus/{r['model']}/stage{r['stage']}/{r['instruction']}",
            label=f"{r['frequency']}MHz",
            time_s=float(r["time"]),
            power_w=float(r["energy"]) / float(r["time"]),
            scope="gpu",
            power_measured=True,
            system=r["gpu"],
            source=r["source"].replace(PERSEUS_ASIDE, ""),
            note="one micro-batch",
        )


def mlenergy(records: list[Record]) -> Iterator[Option]:
    """ML.ENERGY v2: an execution is one output token of an LLM, or one batch of a diffusion model.

    A device is the group of GPUs that one replica takes: tensor times pipeline parallelism.
    """
    for r in records:
        gpu = r["gpu"].replace(" ", "-")
        label = r["config"].replace("+", "-")
        llm = r["category"] != "diffusion"
        if llm:
            gpus = int(float(r["TP"]) * float(r["PP"]))
            # Divided by the tokens of a request, so that GPUs and settings compare per token
            # although their answers differ in length.
            time = 1.0 / float(r["Token tput (tok/s)"])
            energy = float(r["Energy/req (J)"]) / float(r["Avg Output Tokens"])
            batch = 1
            task = f"mlenergy-v2/{r['task']}/{r['Model']}"
            note = (
                "one output token, prompt processing included; latency is the time per output "
                f"token; {float(r['Avg BS (reqs)']):.4g} requests at once on average, "
                f"{float(r['Avg Output Tokens']):.4g} tokens per request"
            )
        else:
            gpus = 1
            batch = int(float(r["Batch size"]))
            time = float(r["Batch latency (s)"])
            energy = float(r["Energy/image (J)"] or r["Energy/video (J)"]) * batch
            frames = f"/frames{int(float(r['Frames']))}" if r["Frames"] else ""
            task = f"mlenergy-v2/{r['task']}/{r['Model']}{frames}"
            note = f"one batch of {batch}, {int(float(r['Denoising steps']))} denoising steps"
        yield Option(
            dataset="mlenergy-v2",
            device=f"mlenergy-v2/{gpu}" + (f"-x{gpus}" if gpus > 1 else ""),
            name=(f"{gpus}x " if gpus > 1 else "") + r["GPU"],
            board="",
            kind="gpu",
            unit="token" if llm else "image" if r["Energy/image (J)"] else "video",
            task=task,
            label=label,
            time_s=time,
            power_w=energy / time,
            batch=batch,
            latency_s=float(r["Avg TPOT (s)"]) if llm else None,
            scope="gpu",
            power_measured=True,
            system=r["GPU"],
            source=r["source"],
            note=note,
        )


QUTIBENCH = {
    "NCS2": ("NCS2", "Intel Neural Compute Stick 2", "", "usb_stick"),
    "EdgeTPU-fast": ("EdgeTPU", "Google Coral USB Accelerator", "", "usb_stick"),
    "EdgeTPU-slow": ("EdgeTPU", "Google Coral USB Accelerator", "", "usb_stick"),
    "TX2-maxn": ("TX2", "NVIDIA Jetson TX2", "Jetson TX2", "board"),
    "TX2-maxp": ("TX2", "NVIDIA Jetson TX2", "Jetson TX2", "board"),
    "TX2-maxq": ("TX2", "NVIDIA Jetson TX2", "Jetson TX2", "board"),
    "U96-Quadcore-A53": (
        *("U96-Quadcore-A53", "Zynq UltraScale+ Arm Cortex-A53 x4"),
        *("Ultra96", "board"),
    ),
    "Ultra96-DPU": ("Ultra96-DPU", "Xilinx Ultra96 with DPU", "Ultra96", "board"),
    "ZCU102-DPU": ("ZCU102-DPU", "Xilinx ZCU102 with DPU", "ZCU102", "board"),
    "ZCU104-Bismo": ("ZCU104-Bismo", "Xilinx ZCU104 with BISMO", "ZCU104", "board"),
    "ZCU104-DPU": ("ZCU104-DPU", "Xilinx ZCU104 with DPU", "ZCU104", "board"),
    "ZCU104-FINN": ("ZCU104-FINN", "Xilinx ZCU104 with FINN", "ZCU104", "board"),
}
"""Device of the source -> entry, name, board, what was metered. Clock modes share an entry."""


def qutibench(records: list[Record]) -> Iterator[Option]:
    """QuTiBench: idle is the least that the source states for the device, in any clock mode."""
    idle: dict[str, float] = {}
    for r in records:
        if r["idle_w"]:
            entry = QUTIBENCH[r["device"]][0]
            idle[entry] = min(idle.get(entry, float("inf")), float(r["idle_w"]))
    bases = {QUTIBENCH[r["device"]][0]: float(r["base_w"]) for r in records if r["base_w"]}
    boards = {entry: board for entry, _, board, _ in QUTIBENCH.values() if board}
    stated = {entry: (bases[entry], idle.get(entry)) for entry in boards}
    doubts = catalogue_flags.borrowed(stated, boards)
    for r in records:
        entry, name, board, scope = QUTIBENCH[r["device"]]
        power = float(r["full_w"])
        if power < idle[entry]:
            continue  # one TX2 row of 4.0 W, below the idle power that the source states
        batch = int(r["batch"])
        if not r["idle_w"]:
            note = "idle not stated in this row: the least of the device's other rows"
        elif float(r["idle_w"]) != idle[entry]:
            note = f"idle stated for this row: {float(r['idle_w']):g} W"
        else:
            note = ""
        mode = f"-{r['op_mode']}" if r["op_mode"] else ""
        yield Option(
            dataset="qutibench",
            device=f"qutibench/{entry}",
            name=name,
            board=board,
            kind=r["kind"].lower(),
            task=f"qutibench/{r['model']}",
            label=f"{r['datatype']}-keep{float(r['pruning_keep_pct']):g}-b{batch}{mode}",
            time_s=float(r["lat_comp_ms"]) / 1e3,
            power_w=power,
            idle_power_w=idle[entry],
            idle_known=True,
            batch=batch,
            # Of a batch the source gives the run, not the wait until it is full.
            latency_s=float(r["lat_sys_ms"]) / 1e3 if batch == 1 and r["lat_sys_ms"] else None,
            accuracy=float(r["top1"]) / 100 if r["top1"] else None,
            scope=scope,
            power_measured=True,
            system=r["device"],
            source=r["source"],
            note=note,
            caution=doubts.get(entry, ""),
        )


def splitwise(records: list[Record]) -> Iterator[Option]:
    """Splitwise: prompt phase and token phase of an LLM; medians of repeats; times only."""
    runs: dict[tuple[str, str, int, int, int], list[Record]] = {}
    for r in records:
        tensor, batch = int(r["tensor_parallel"]), int(r["batch_size"])
        if r["hardware"].endswith("-pcap") or int(r["token_size"]) != 128:
            continue  # prompt times of the capped GPU are 1.3 times the other's: not measured
        if r["model"] == "llama2-70b" and tensor == 2 and batch == 64:
            continue  # faster than a batch of 1 per token and prompt: it did not run as one batch
        key = (r["model"], r["hardware"], tensor, int(r["prompt_size"]), batch)
        runs.setdefault(key, []).append(r)
    for (model, hardware, tensor, prompt, batch), repeats in runs.items():
        for phase, column in (("prompt", "prompt_time"), ("token", "token_time")):
            time = statistics.median(float(r[column]) for r in repeats) / 1e3
            yield Option(
                dataset="splitwise",
                device=f"splitwise/{hardware}-x{tensor}",
                name=f"{tensor}x NVIDIA {hardware.split('-')[0].upper()} 80GB",
                board="",
                kind="gpu",
                unit="token" if phase == "token" else "prompt",
                task=f"splitwise/{model}/{phase}/context{prompt}",
                label=f"b{batch}",
                time_s=time,
                batch=batch,
                latency_s=time if phase == "token" else None,
                system=hardware,
                source=repeats[0]["source"],
                licence=MIT,
                note=f"median of {len(repeats)} runs; the source gives no watts",
            )


def gavel(records: list[Record]) -> Iterator[Option]:
    """Gavel: an execution is one training step on 1 to 8 GPUs; throughput only."""
    for r in records:
        gpus, packed = int(r["scale_factor"]), r["consolidated"] == "True"
        batch = f"/b{float(r['batch_size']):g}" if r["batch_size"] else ""
        steps = float(r["steps_per_s"])
        physical = r["file"] == "physical_cluster_throughputs.json"
        if not physical or steps <= 0 or (gpus == 1 and not packed):
            continue
        spread = "" if packed else "-spread"
        yield Option(
            dataset="gavel",
            device=f"gavel/{r['gpu']}" + (f"-x{gpus}{spread}" if gpus > 1 else ""),
            name=(f"{gpus}x " if gpus > 1 else "") + f"NVIDIA {r['gpu'].upper()}",
            board="",
            kind="gpu",
            unit="step",
            task=f"gavel/{r['model']}{batch}",
            label="measured",
            time_s=1.0 / steps,
            system=r["gpu"],
            source=r["source"],
            licence=MIT,
            note="one training step" + ("" if packed else "; GPUs spread over machines"),
        )


def _read(path: Path) -> list[Record]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _order(option: Option) -> tuple[list[tuple[int, int, str]], ...]:
    return (_natural(option.device), _natural(option.task), _natural(option.label))


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sort key under which b8 comes before b16."""
    parts = re.split(r"(\d+)", text)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]


def _short(value: float) -> str:
    return f"{value:.{SIGNIFICANT_DIGITS}g}"


def _text(value: object) -> str:
    if value is None:
        return ""
    return _short(value) if isinstance(value, float) else str(value)


def write(rows: Iterable[dict[str, str]], path: Path) -> None:
    """Write the rows as CSV with Unix line ends."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Read the command line, build, write, say how much."""
    parser = argparse.ArgumentParser(description="Build the shipped catalogue of measured options.")
    parser.add_argument("data", type=Path, help="folder with the measured tables")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    rows = build(arguments.data)
    write(rows, arguments.output)
    devices = {row["device"] for row in rows}
    print(f"{len(rows)} options of {len(devices)} devices written to {arguments.output}")


if __name__ == "__main__":
    main()
