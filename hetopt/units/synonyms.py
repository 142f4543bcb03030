"""What other worlds call things, and what they are called here: fields, objectives, units."""

from __future__ import annotations

import re
from collections.abc import Iterable

UNITS = {
    "rate": {"rpm": "req/min", "RPM": "req/min", "qpm": "req/min", "QPM": "req/min", "rph": "req/h"}
}
"""By dimension: units with a name of other worlds, and what has the same size here."""

_FIELDS = {
    "time": "duration runtime run_time exec_time execution_time processing_time proc_time elapsed "
    "service_time inference_time compute_time t wcet latency_mean mean_latency avg_latency",
    "energy": "joules energy_per_inference energy_per_request energy_use joule",
    "power": "tdp watts power_draw active_power consumption draw wattage avg_power mean_power "
    "total_power board_power",
    "idle_power": "idle idle_watts static_power standby_power baseline_power base_power tdp watts "
    "power power_draw energy active_power wattage leakage",
    "memory": "mem ram vram dram memory_size hbm memory_capacity footprint mem_size capacity "
    "working_memory size",
    "weights": "params parameters model_size weight_size weights_size model_bytes size",
    "count": "qty quantity num number units replicas instances n total max_count stock available "
    "how_many amount",
    "slots": "cores threads streams parallel parallelism concurrency queues lanes workers",
    "kind": "type class category device_type arch architecture family",
    "name": "id device_id title key model hostname",
    "price": "cost hourly_cost price_per_hour rent cost_per_hour usd_per_hour hourly_price capex "
    "unit_price list_price",
    "lifetime": "depreciation amortisation amortization years life",
    "max_utilization": "util utilisation utilization max_util max_utilisation load_factor "
    "utilization_limit target_utilization",
    "bandwidth": "bw throughput speed rate data_rate transfer_rate",
    "energy_per_byte": "energy pj_per_bit energy_per_bit",
    "bytes": "size data data_size volume payload output_size message_size tensor_size",
    "from": "src source producer start before",
    "to": "dst dest destination target sink consumer end",
    "rate": "qps rps fps tps ips throughput demand load arrival_rate lambda requests_per_second "
    "requests tokens_per_second frequency hz arrivals traffic rpm",
    "latency_slo": "slo sla latency_limit max_latency latency_target p99 p95 p90 target_latency "
    "ttft latency deadline_slo response_time timeout",
    "duration": "length lasts span hours time period",
    "release": "arrival arrival_time ready ready_time release_time earliest_start start_time start "
    "release_date",
    "deadline": "deadline_time latest_finish end end_time finish_by must_finish latency timeout",
    "due": "due_date due_time soft_deadline",
    "period": "interval cycle cycle_time every repeat_every frequency freq hz fps rate",
    "weight": "priority importance prio",
    "power_cap": "max_power power_budget power_limit tdp_limit powercap tdp power cap power_max",
    "horizon": "window makespan end planning_horizon",
    "energy_price": "electricity_price energy_cost tariff price_per_kwh kwh_price electricity "
    "power_price",
    "carbon_intensity": "co2 carbon emissions co2_intensity grid_intensity emission_factor",
    "budget": "max_cost cost_limit cost_cap money",
    "objective": "goal minimize minimise maximize maximise objectives target optimize optimise",
    "regime": "mode problem type kind",
    "demand": "rate total_rate qps rps load throughput",
    "jobs": "models networks workloads streams requests applications apps pipelines services",
    "devices": "processors machines accelerators hardware servers nodes gpus resources platform "
    "fleet chips",
    "links": "connections edges interconnect buses wires network",
    "tasks": "ops operators layers steps operations kernels stages nodes",
    "transfers": "dependencies depends_on after deps predecessors parents requires needs "
    "successors next edges children waits_for",
    "profiles": "measurements variants implementations options modes models",
    "options": "measurements variants implementations modes profiles",
    "hetopt": "version schema format",
    "batch": "batch_size batchsize bs max_batch",
    "precision": "quant quantization quantisation dtype bits data_type number_format",
    "clock": "freq frequency core_clock sm_clock",
    "accuracy": "acc top1 top_1 map quality f1 score",
    "label": "variant mode version config",
    "device": "device_name processor machine hardware accelerator on where target gpu node",
    "pin": "affinity placement fixed assigned assign run_on device on node",
    "forbid": "exclude not_on forbidden avoid",
    "work": "iterations repeat count scale flops operations",
    "profile": "model network kernel op",
    "share": "fraction part mix percentage",
}
"""By field: words of other worlds that may mean it. A word goes to the first field that is known
where it was written."""

_REMARKS = {
    "transfers": "a list of {from: a, to: b}, with bytes where data goes",
    "idle_power": "power of a unit that is on; each option states its power or energy",
    "price": "price: 3 EUR/h, or a purchase price with a lifetime",
    "period": "period: 33.3 ms for 30 Hz",
    "latency_slo": "the limit on a request's latency",
    "energy_price": "energy_price: 0.30 EUR/kWh",
    "carbon_intensity": "carbon_intensity: 400 g/kWh",
    "pin": "pin: a device, or device#0 for one unit",
    "hetopt": "hetopt: 1 at the top",
}
_UNITS_IN_NAMES = (
    "ns us ms sec secs seconds min minutes hours w mw kw watt watts j mj joule joules kwh wh "
    "b kb mb gb mib gib tb gbps mbps gb_s hz khz mhz ghz pct percent per_hour per_s per_sec usd eur"
)
_RATES = ("throughput", "fps", "qps", "rps", "ips", "tps", "tokens_per_second", "rate")
OBJECTIVES = {
    "latency": "makespan time runtime deadline",
    "makespan": "latency time runtime duration length completion_time cmax c_max schedule_length",
    "energy": "joules power energy_consumption edp watts",
    "power": "energy watts joules tdp consumption",
    "cost": "price money tco budget dollars opex capex",
    "carbon": "co2 emissions co2e",
    "throughput": "makespan fps qps rps rate tokens_per_second requests performance speed",
    "tardiness": "lateness delay deadline_misses misses",
    "accuracy": "quality top1 error loss",
    "peak_power": "power max_power",
}
"""By objective: words of other worlds, and objectives of the other regime, that may mean it."""


def field_of(name: str, known: Iterable[str]) -> str:
    """Say in a sentence which field a word of another world means, empty where none is known.

    Parameters
    ----------
    name
        What was written.
    known
        The fields that are understood there.
    """
    here = set(known)
    word = re.sub(r"[\s.-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).lower()
    if word in _RATES and "time" in here and "rate" not in here:
        return "Write time, the inverse: 200 /s is time: 5 ms (with batch, the time of a batch)."
    field = _named(word, here)
    if field:
        remark = f" ({_REMARKS[field]})" if field in _REMARKS else ""
        return f"Did you mean {field}{remark}?"
    for unit in sorted(_UNITS_IN_NAMES.split(), key=len, reverse=True):
        stem = word.removesuffix(f"_{unit}")
        if stem == word:
            continue
        field = stem if stem in here else _named(stem, here)
        if field:
            return (
                f"Write {field}, with the unit beside the number, as in {field}: 3 {_spelt(unit)}."
            )
    return ""


def objective_of(name: str, allowed: Iterable[str]) -> str:
    """Return the objective that a word of another world means, empty where none is known."""
    word = re.sub(r"[\s-]+", "_", name.strip()).lower()
    word = re.sub(r"^(min|max|minimi[sz]e|maximi[sz]e)_", "", word)
    if word in set(allowed):
        return word
    return next((o for o in allowed if word in OBJECTIVES.get(o, "").split()), "")


def _named(word: str, known: set[str]) -> str:
    for field, words in _FIELDS.items():
        if field in known and word in words.split():
            return field
    return word if word in known else ""


def _spelt(unit: str) -> str:
    """Return a unit's symbol for its form in the name of a field."""
    names = (
        "w:W mw:mW kw:kW j:J mj:mJ kwh:kWh wh:Wh b:B kb:kB mb:MB gb:GB mib:MiB gib:GiB tb:TB "
        "gbps:Gbit/s mbps:Mbit/s gb_s:GB/s hz:Hz khz:kHz mhz:MHz ghz:GHz pct:% percent:% "
        "per_hour:/h per_s:/s per_sec:/s usd:USD eur:EUR hours:h seconds:s"
    )
    spelt = dict(pair.split(":") for pair in names.split())
    return spelt.get(unit, unit)
