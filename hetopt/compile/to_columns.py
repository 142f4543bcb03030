"""Tables to columns and back: the one way into an :class:`~hetopt.instance.Instance`.

Every form of an instance (document, folder of tables, builder, pandas frames) becomes the tables
of :mod:`hetopt.instance.column_specs` and passes the checks here, all of them vectorised, all
problems collected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hetopt.compile.cells import clean_table
from hetopt.compile.options import make_options
from hetopt.compile.periodic import check_cycle, give_periods, unroll
from hetopt.compile.platform import (
    check_start_ups,
    make_boards,
    make_devices,
    make_kind_shares,
    make_links,
    make_pools,
)
from hetopt.compile.problems import Checker, Table, listed
from hetopt.compile.resources import make_resources, make_uses
from hetopt.compile.rows import Sheet
from hetopt.compile.scenarios import check_periods, demand_table, make_periods, make_scenarios
from hetopt.compile.settings import clean_settings
from hetopt.compile.sites import give_sites_to_tasks, make_sites, network_links
from hetopt.compile.states.setups import check_setups, make_setups
from hetopt.compile.strings import strings
from hetopt.compile.structure import check_settings_regime, check_structure
from hetopt.compile.workload import give_shares, make_groups, make_jobs, make_tasks, make_transfers
from hetopt.instance import (
    NO_MAXIMUM,
    SCHEDULE_OBJECTIVES,
    STEADY_OBJECTIVES,
    Devices,
    Instance,
    Limits,
    Regime,
    Series,
    Tensors,
)
from hetopt.instance.column_specs import DEFAULT_JOB, REQUIRED_TABLES, TABLES, Column
from hetopt.units.synonyms import objective_of

if TYPE_CHECKING:
    import pandas as pd

MOST_SLOTS, MOST_UNITS = 2_000_000, 100_000
"""Most in a schedule, whose arrays have a place for each; streams count units only."""


def from_frames(
    frames: Mapping[str, pd.DataFrame] | Mapping[str, Sheet],
    settings: Mapping[str, Any] | None = None,
) -> Instance:
    """Build an instance from tables.

    Parameters
    ----------
    frames
        Tables by name (``devices``, ``options`` and ``tasks`` are required; ``pools``, ``links``,
        ``resources``, ``uses``, ``transfers``, ``jobs``, ``scenarios``, ``rates`` may be absent),
        with the columns of :mod:`hetopt.instance.column_specs`.
    settings
        Limits, objective and the like (``hetopt.instance.column_specs.SETTINGS``), and
        ``together`` / ``apart``.

    Raises
    ------
    InputError
        With every problem found: unknown tables, columns or names, values of a wrong type, unit
        or range, cycles, contradictions.
    """
    given = settings or {}
    instance = _checked(frames, given)
    instance.remember_written(frames, given)
    return instance


def _checked(
    frames: Mapping[str, pd.DataFrame] | Mapping[str, Sheet], settings: Mapping[str, Any]
) -> Instance:
    check = Checker()
    for name in frames:
        if name not in TABLES:
            check.add(name, -1, "", name, f"Tables are {', '.join(TABLES)}.")
    absent = [n for n in REQUIRED_TABLES if n not in frames or len(frames[n]) == 0]
    for name in absent:
        expected = f"At least one row is expected in table {name}"
        expected += _taskless(frames) if name == "tasks" else "."
        if name != "options" or "tasks" not in absent:  # options come with what runs by them
            check.add(name, -1, "", "", expected)
    setting = clean_settings(settings, check)
    tables = {name: clean_table(name, frames.get(name), check) for name in TABLES}
    _currency(setting, check)
    if check.unsure("settings", "regime"):
        check.stop_if_any()
    check.settle()

    regime, why = _regime(setting, tables, check)
    _check_regime(regime, why, setting, tables, check)
    setting, once = give_periods(regime, tables, setting, check)
    _default_names(tables)
    give_sites_to_tasks(tables, check)
    instance = _compiled(tables, setting, regime, check)
    check.stop_if_any()
    check_cycle(tables["jobs"], setting, check)
    check.stop_if_any()
    if np.isnan(tables["jobs"]["period_s"]).all():
        return instance
    # Checked as it was written first, so that problems name rows that the user knows.
    tables, setting, left_out = unroll(tables, setting, check)
    check.stop_if_any()
    instance = _compiled(tables, setting, regime, check)
    check.stop_if_any()
    left_out = " ".join(note for note in (once, left_out) if note)
    return replace(instance, left_out=left_out) if left_out else instance


def _taskless(frames: Mapping[str, pd.DataFrame] | Mapping[str, Sheet]) -> str:
    """Name the jobs that have no tasks, where nothing has any."""
    jobs = frames.get("jobs")
    columns: Any = jobs.columns if isinstance(jobs, Sheet) else jobs
    if columns is None or "name" not in columns:
        return "."
    names = ", ".join(str(name) for name in columns["name"].tolist()[:8])
    return f": a profile, options or tasks of job {names}." if names else "."


def _compiled(
    tables: dict[str, Table], setting: Mapping[str, Any], regime: Regime, check: Checker
) -> Instance:
    """Return the columns; they mean something only where no problem was found."""
    pools = make_pools(tables["pools"], check)
    sites = make_sites(tables["sites"], setting, check)
    named = tables["boards"]["name"]
    devices = make_devices(tables["devices"], pools.name, sites.name, named, check)
    boards = make_boards(tables["boards"], devices, check)
    networks = network_links(tables["networks"], devices, sites, regime, check)
    links = make_links(tables["links"], networks, devices.name, check)
    profiles, options, keys = make_options(tables["options"], devices, boards, check)
    setups = make_setups(tables["setups"], devices, options, check)
    resources = make_resources(tables["resources"], boards, regime, check)
    parts = (devices, profiles, options, resources)
    uses = make_uses(tables["uses"], tables["options"], parts, check)
    give_shares(tables, setting, (devices, profiles, options), check)
    jobs, demand_known = make_jobs(tables["jobs"], setting, regime, check)
    routing = setting["routing"]
    home, demands = demand_table(tables, check)
    scenarios = make_scenarios(
        home, demands, tables["rates"], jobs, (regime, routing, demand_known), check
    )
    periods = make_periods(tables, setting, (devices, pools, keys, options), regime, check)
    tasks = make_tasks(tables["tasks"], devices, sites.name, profiles, jobs, check)
    tensors, edges = make_transfers(tables["transfers"], tasks, regime, check)
    together = make_groups(setting["together"], tasks.name, "together", check)
    apart = make_groups(setting["apart"], tasks.name, "apart", check)
    instance = Instance(
        name=setting["name"],
        description=setting["description"],
        regime=regime,
        devices=devices,
        boards=boards,
        pools=pools,
        sites=sites,
        links=links,
        setups=setups,
        profiles=profiles,
        options=options,
        resources=resources,
        uses=uses,
        tasks=tasks,
        tensors=tensors,
        edges=edges,
        jobs=jobs,
        scenarios=scenarios,
        periods=periods,
        together=together,
        apart=apart,
        kind_shares=make_kind_shares(
            tables["kind_shares"], devices, regime, setting["routing"], check
        ),
        limits=Limits(
            horizon_s=setting["horizon_s"],
            power_cap_w=setting["power_cap_w"],
            budget_per_s=setting["budget_per_s"],
            energy_price_per_j=_least(setting["energy_price_per_j"]),
            carbon_kg_per_j=_least(setting["carbon_kg_per_j"]),
            energy_price_over_time=_series(setting["energy_price_per_j"]),
            carbon_over_time=_series(setting["carbon_kg_per_j"]),
            pue=setting["pue"],
            demand_known=demand_known,
            cycle_s=setting["cycle_s"],
        ),
        objective=_objective(setting["objective"], regime, demand_known, check),
        routing="single" if setting["routing"] == "single" else "split",
        host=_host(setting["host"], devices, tensors, check),
        allow_mixed_scopes=setting["allow_mixed_scopes"],
        model_keys=keys,
        currency=setting["currency"],
    )
    if regime == "schedule":
        check_start_ups(instance, tables, check)
    check_structure(instance, check)
    check_periods(instance, check)
    check_setups(instance, check)
    return instance


def _least(value: float | Series) -> float:
    return min(value.value) if isinstance(value, Series) else value


def _series(value: float | Series) -> Series | None:
    return value if isinstance(value, Series) else None


def _currency(setting: dict[str, Any], check: Checker) -> None:
    """Take the currency from the prices that name one; amounts are never converted."""
    named = list(check.currencies)
    stated = setting["currency"]
    if len(named) > 1:
        check.setting("currency", ", ".join(named), "One currency in all prices.")
    elif named and stated and stated != named[0]:
        check.setting("currency", stated, f"The currency of the prices, {named[0]}.")
    elif named:
        setting["currency"] = named[0]


def _regime(
    setting: Mapping[str, Any], tables: Mapping[str, Table], check: Checker
) -> tuple[Regime, str]:
    """Return the regime, and what tells it; a rate that does not read is one all the same."""
    if setting["regime"]:
        return setting["regime"], "as it says"
    jobs = tables["jobs"]
    for column, what in (("rate_per_s", "rate"), ("share", "share")):
        given = np.flatnonzero(np.isfinite(jobs[column]))
        if len(given):
            return "steady", f"as job {jobs['name'][given[0]]} has a {what}"
        if check.unsure("jobs", column):
            return "steady", f"as a job has a {what}"
    for name, stated in (
        ("demand", np.isfinite(setting["demand_per_s"])),
        *((name, setting[name]) for name in ("routing", "mix")),
        *((name, len(tables[name]["name"])) for name in ("scenarios", "periods")),
    ):
        if stated:
            return "steady", f"as it has {name}"
    return "schedule", "as no job has a rate"


def _check_regime(
    regime: Regime, why: str, setting: Mapping[str, Any], tables: dict[str, Table], check: Checker
) -> None:
    """Refuse what has a meaning in the other regime only, rather than ignore it."""
    for name, columns in TABLES.items():
        for column in columns:
            if column.regime and column.regime != regime:
                value = tables[name][column.name]
                default: Any = column.default
                same = np.isnan(value) if default != default else value == default
                for row in np.flatnonzero(~same):
                    check.add(
                        name,
                        int(row),
                        column.name,
                        value[row],
                        _belongs(column, regime, why),
                    )
    check_settings_regime(regime, why, setting, check)
    if regime == "schedule":
        _check_size(tables["devices"], check)
        for row in np.flatnonzero(tables["devices"]["count_max"] == NO_MAXIMUM):
            check.add(
                "devices",
                int(row),
                "count_max",
                "",
                "A maximum is expected: a schedule chooses among a finite number of units.",
            )


NO_GAPS = (
    "streams have rates and no instants, so that it is not known how long a unit or board idles at "
    "a time, which decides whether it may sleep: what they leave unused is off, or idle"
)
INSTEAD = {
    "deadline_s": "a stream's limit is latency_slo",
    "due_s": "a stream's limit is latency_slo",
    "release_s": "a stream is always there",
    "period_s": "a stream has a rate: 30 /s for a period of 33.3 ms (regime: schedule has both)",
    "share": "shares are of streams, in regime: steady",
    "latency_slo_s": "a job's limit is its deadline",
    "min_share": "in a schedule, optional: true lets a job be left out, whole",
    "optional": "a stream that may be served in part has a min_share",
    "sleep_power_w": NO_GAPS,
    "wake_time_s": NO_GAPS,
    "wake_energy_j": NO_GAPS,
    "load_time_s": "in a schedule, weights are resident from the begin on",
    "load_energy_j_per_b": "in a schedule, weights are resident from the begin on",
    "min_load": "in a schedule a unit that is on may wait as long as it likes",
    "max_utilization": "in a schedule, reserved takes a part of a device away",
}
"""What says in the other regime what these fields say."""


def _belongs(column: Column, regime: Regime, why: str) -> str:
    text = f"This belongs to the {column.regime} regime; the instance is {regime}, {why}"
    return f"{text}: {INSTEAD[column.name]}." if column.name in INSTEAD else f"{text}."


def _check_size(devices: Table, check: Checker) -> None:
    """Refuse more slots than arrays of a schedule can have places for."""
    units = np.maximum(devices["count_max"], 0).astype(np.float64)
    slots = units * devices["slots"]
    for column, number, most in (("count_max", units, MOST_UNITS), ("slots", slots, MOST_SLOTS)):
        if number.sum() > most:
            what = f"{number.sum():.0f} {'units' if column == 'count_max' else column}"
            text = f"At most {most:,} of all devices together in a schedule."
            check.add("devices", int(np.argmax(number)), column, what, text)


def _default_names(tables: dict[str, Table]) -> None:
    """Fill in the job and the profile that a task does not name."""
    jobs, tasks = tables["jobs"], tables["tasks"]
    if len(jobs["name"]) == 0:
        row = clean_table("jobs", None, Checker(), rows=1)
        row["name"] = strings([DEFAULT_JOB])
        tables["jobs"] = jobs = row
    if len(jobs["name"]) == 1:
        tasks["job"] = np.where(tasks["job"] == "", jobs["name"][0], tasks["job"])
    tasks["profile"] = np.where(tasks["profile"] == "", tasks["name"], tasks["profile"])


def _host(name: str, devices: Devices, tensors: Tensors, check: Checker) -> int:
    names = [str(d) for d in devices.name]
    if name:
        if name in names:
            return names.index(name)
        if not check.unsure("devices", "name"):
            check.setting("host", name, f"A device: {listed(name, names)}.")
        return -1
    if not tensors.staged.any():
        return -1
    cpus = np.flatnonzero(devices.kind == "cpu")
    if len(cpus) == 1:
        return int(cpus[0])
    check.setting("host", "", "The device that staged tensors go by way of, as no one cpu is.")
    return -1


def _objective(
    names: tuple[str, ...], regime: Regime, demand_known: bool, check: Checker
) -> tuple[str, ...]:
    if not names:
        if regime == "schedule":
            return ("energy",)
        return ("power",) if demand_known else ("throughput",)
    allowed = SCHEDULE_OBJECTIVES if regime == "schedule" else STEADY_OBJECTIVES
    for name in names:
        if name not in allowed:
            meant = objective_of(name, allowed)
            hint = f" Did you mean {meant}?" if meant else ""
            text = f"Objectives of the {regime} regime are {', '.join(allowed)}.{hint}"
            check.setting("objective", name, text)
    if len(set(names)) < len(names):
        check.setting("objective", ", ".join(names), "Each objective once.")
    return names
