"""Whether a question can be asked of an instance's data."""

from __future__ import annotations

from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.instance import (
    NO_MAXIMUM,
    SCHEDULE_OBJECTIVES,
    STEADY_OBJECTIVES,
    Bools,
    Floats,
    Instance,
    Ints,
)
from hetopt.instance.joule_prices import any_joule_price
from hetopt.instance.states.idle_sleep_start_up import may_sleep, waking_draws_more
from hetopt.instance.states.setups import configurations, device_setups, no_detour_pays
from hetopt.units.synonyms import objective_of

MOST_UNITS = 1e15
"""Units in a fleet: floats tell them apart, and integers of 64 bits hold sums of them."""

HOPELESS_UNITS = 1e18
"""Units that an option takes for all that is asked for, from which it is taken for a mistake."""


def check_question(instance: Instance) -> None:
    """Refuse an objective that the instance's data cannot answer.

    Raises
    ------
    InputError
        Where the objective is of the other regime, or a price, carbon intensity, demand or finite
        limit is missing, accuracies are stated for some options of a task only, or devices whose
        power was measured at different scopes would be compared.
    """
    problems: list[Problem] = []

    def missing(place: str, expected: str, value: str = "") -> None:
        problems.append(Problem(place, value, expected))

    allowed = SCHEDULE_OBJECTIVES if instance.regime == "schedule" else STEADY_OBJECTIVES
    limits, devices = instance.limits, instance.devices
    for name in instance.objective:
        if name not in allowed:
            meant = objective_of(name, allowed)
            hint = f" Did you mean {meant}?" if meant else ""
            text = f"Objectives of the {instance.regime} regime are {', '.join(allowed)}.{hint}"
            missing("objective", text, name)
    if "cost" in instance.objective and not (
        devices.price_per_s.any()
        or instance.boards.price_per_s.any()
        or any_joule_price(instance, "cost")
        or (len(instance.periods) and devices.start_up_cost.any())
        or (len(instance.periods) and instance.boards.start_up_cost.any())
        or limits.energy_price_over_time is not None
    ):
        missing("objective", "A price of a device or an energy_price, to count cost.", "cost")
    emits = any_joule_price(instance, "carbon") or limits.carbon_over_time is not None
    if "carbon" in instance.objective and not emits:
        missing("objective", "A carbon_intensity, to count carbon.", "carbon")
    if "tardiness" in instance.objective and not np.isfinite(instance.jobs.due_s).any():
        missing("objective", "A due_s of at least one job, to count tardiness.", "tardiness")
    _check_slow(instance, missing)
    if instance.regime == "steady":
        _check_steady(instance, missing)
    _check_accuracy(instance, missing)
    _check_value(instance, missing)
    _check_scopes(instance, missing)
    if problems:
        raise InputError(problems)


def _check_slow(instance: Instance, missing: Any) -> None:
    """Refuse what no schedule knows of resources that slow what runs."""
    host, own = instance.host, instance.resources.board
    if instance.tensors.staged.any() and host >= 0 and instance.devices.on_board[host] >= 0:
        board = int(instance.devices.on_board[host])
        for k in np.flatnonzero(own == board) if instance.boards.count_max[board] > 1 else ():
            text = "No staged tensors that go by way of a device of which each board has its own."
            missing(f"resource {instance.resources.name[k]}, board", text)
    if instance.regime != "schedule" or np.isinf(instance.limits.cycle_s):
        return
    for k in np.flatnonzero(instance.resources.slow):
        text = (
            "`sharing: forbid` in a schedule that repeats for ever, which knows no slowing; with "
            "`cyclic: false` or a `horizon` it has an end."
        )
        missing(f"resource {instance.resources.name[k]}, sharing", text, "slow")


def _check_steady(instance: Instance, missing: Any) -> None:
    limits, devices = instance.limits, instance.devices
    if "throughput" in instance.objective:
        free = devices.count_max == NO_MAXIMUM
        bounded = np.isfinite(limits.power_cap_w) | (
            np.isfinite(limits.budget_per_s) & ((devices.price_per_s > 0) | _board_price(instance))
        )
        for d in np.flatnonzero(free & ~bounded & used_devices(instance)):
            missing(
                "objective",
                f"A power_cap, a budget with a price, or a count.max of device "
                f"{devices.name[d]}: without one, throughput is unbounded.",
                "throughput",
            )
        for j in np.flatnonzero(instance.jobs.slices > 0):
            missing(
                f"job {instance.jobs.name[j]}, slices",
                "0 with the objective throughput: slices are parts of a demand that is served.",
                str(instance.jobs.slices[j]),
            )
    _check_waiting(instance, missing)
    if "throughput" in instance.objective:
        return
    if not limits.demand_known:
        missing("demand_per_s", "The demand that the jobs' shares are shares of (requests/s).")
    elif (devices.count_max == NO_MAXIMUM).any():
        _check_rates(instance, missing)


def _board_price(instance: Instance) -> Bools:
    """Whether a board on which units of a device stand costs anything (D)."""
    paid = np.append(instance.boards.price_per_s > 0, False)
    return np.asarray(paid[instance.devices.on_board], dtype=bool)


def _check_waiting(instance: Instance, missing: Any) -> None:
    """Refuse quantiles of latency with waiting beside what the estimate of waiting leaves open."""
    asked = np.flatnonzero(~np.isnan(instance.jobs.latency_quantile))
    if not len(asked):
        return
    place = f"job {instance.jobs.name[asked[0]]}, latency_quantile"
    if len(instance.tensors) and not instance.devices.overlap.all():
        text = (
            "Nothing beside messages and `overlap: false`, whose slots have no queue of their own."
        )
        missing(place, text)
    if instance.resources.slow.any():
        missing(place, "Nothing beside `sharing: slow`, where no time of service is one number.")


def _check_rates(instance: Instance, missing: Any) -> None:
    """Refuse rates that take more units than can be counted, whichever options serve them."""
    options, tasks, rates = instance.options, instance.tasks, instance.jobs.rate_per_s
    slots = instance.devices.slots[options.device]
    each = options.time_s / (np.maximum(1, options.batch) * slots)
    classes = instance.classes
    shortest = np.full(len(classes), np.inf)
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    np.minimum.at(shortest, owner, each[classes.option])
    shortest[np.isinf(shortest)] = 0.0
    per_request = np.bincount(
        tasks.job, shortest[classes.member] * tasks.work, minlength=len(instance.jobs)
    )
    if len(instance.scenarios):
        rates = np.maximum(rates, instance.scenarios.rate_per_s.max(axis=0))
    for j in np.flatnonzero(rates * per_request > MOST_UNITS):
        missing(
            f"job {instance.jobs.name[j]}",
            f"A rate that {MOST_UNITS:.0e} units serve, as more cannot be counted.",
            f"{rates[j]:g} requests/s",
        )
    # An option that is too slow by so much would be lost, or lose others, in a solver's numbers.
    asked = np.zeros(len(classes))
    np.maximum.at(asked, classes.member, rates[tasks.job] * tasks.work)
    for k in np.flatnonzero(asked[owner] * each[classes.option] > HOPELESS_UNITS):
        option, task = classes.option[k], int(np.argmax(classes.member == owner[k]))
        device = instance.devices.name[options.device[option]]
        missing(
            f"task {tasks.name[task]}, option on {device}, time",
            f"A time with which {HOPELESS_UNITS:.0e} units serve what is asked for.",
            f"{options.time_s[option]:g} s",
        )


def several_demands(instance: Instance) -> Problem:
    """Return why an instance with scenarios or periods is refused where one demand is expected."""
    when = instance.when
    names = instance.scenarios.name.tolist()
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    text = (
        f"An instance of one demand: leave {when}s out, and write the rates of one {when} into "
        "the jobs."
    )
    return Problem(f"{when}s", shown, text)


def _check_accuracy(instance: Instance, missing: Any) -> None:
    stated_by_task = accuracy_tasks(instance)
    floor = instance.jobs.min_accuracy > 0
    if "accuracy" not in instance.objective and not floor.any():
        return
    some, all_ = stated_by_task
    matters = some & ~all_
    if "accuracy" not in instance.objective:
        matters &= floor[instance.tasks.job]
    for t in np.flatnonzero(matters)[:20]:
        missing(
            f"task {instance.tasks.name[t]}",
            "An accuracy for all of its options or for none, as accuracy matters here.",
        )
    any_job = np.zeros(len(instance.jobs), dtype=bool)
    any_job[instance.tasks.job[some]] = True
    # A task without any option makes the instance infeasible, whatever accuracies are stated: so
    # a rival that cannot run the networks is infeasible and no error.
    any_job[instance.tasks.job[stuck_tasks(instance)]] = True
    for j in np.flatnonzero(floor & ~any_job):
        missing(
            f"job {instance.jobs.name[j]}",
            "An accuracy of at least one task's options, as the job has a min_accuracy.",
        )
    if "accuracy" in instance.objective and not any_job.any():
        missing("objective", "An accuracy of the options of some task.", "accuracy")
    elif "accuracy" in instance.objective and not (instance.jobs.weight[any_job] > 0).any():
        missing(
            "objective",
            "A weight above 0 of some job that states accuracies: the objective is their weighted "
            "mean, which weights of 0 leave undefined.",
            "accuracy",
        )


def least_shares(instance: Instance) -> Floats:
    """Return the least part of each job's demand to be served (J): all, unless value is asked for.

    Of an optional job of a schedule it is 0 then, of others 1. (Where throughput is asked for, that
    part is what is maximised.)
    """
    if "value" not in instance.objective:
        return np.ones(len(instance.jobs))
    if instance.regime == "schedule":
        return np.where(instance.jobs.optional, 0.0, 1.0)
    return instance.jobs.min_share


def _check_value(instance: Instance, missing: Any) -> None:
    if "value" not in instance.objective:
        return
    if not instance.jobs.value.any():
        missing("objective", "A value above 0 of some job, to count value.", "value")
    if instance.regime == "schedule":
        _check_optional(instance, missing)
        return
    for other, why in (
        ("throughput", "it serves all jobs in one proportion, value each as it is worth"),
        ("accuracy", "its mean over what is served rises by serving less"),
    ):
        if other in instance.objective:
            missing("objective", f"Objectives other than {other} beside value: {why}.", other)
    if instance.routing == "single":
        text = "split where value is an objective: a part of the demand needs rates that divide."
        missing("routing", text, "single")


def _check_optional(instance: Instance, missing: Any) -> None:
    """Refuse what a schedule that may leave jobs out does not know."""
    if instance.objective[0] != "value":
        text = "value first: of what it leaves to choose, later objectives choose."
        missing("objective", text, ", ".join(instance.objective))
    if "accuracy" in instance.objective:
        text = "No accuracy beside value: its mean rises by leaving jobs out."
        missing("objective", text, "accuracy")
    _check_optional_setups(instance, missing)
    _check_draws(instance, missing)
    job = instance.tasks.job
    across = job[instance.edges.src] != job[instance.edges.dst]
    for e in np.flatnonzero(across)[:5].tolist():
        ends = (int(instance.edges.src[e]), int(instance.edges.dst[e]))
        for t in ends:
            if instance.jobs.optional[job[t]]:
                text = "A job that no edge joins to another, as it may be left out whole."
                missing(f"job {instance.jobs.name[job[t]]}, optional", text, "true")


def _check_optional_setups(instance: Instance, missing: Any) -> None:
    """Refuse set-ups that may take more, or come where something else is, without a task.

    Without it the unit is set up for the next one that needs another configuration, right before
    that. Where no detour pays this takes no longer than both set-ups with it did, and where all
    that takes a slot of the unit needs a configuration the time right before is free by then.
    """
    setups = device_setups(instance)
    if not setups or not instance.jobs.optional.any():
        return
    keeps = (configurations(instance) < 0) & (instance.options.time_s > 0)
    for device, own in setups.items():
        text = ""
        if not no_detour_pays(own):
            text = "without a task the change between its neighbours may take more than with it."
        elif (keeps & (instance.options.device == device)).any():
            text = "without a task a set-up may come where one that keeps what is loaded runs."
        elif len(instance.tensors) and not instance.devices.overlap[device]:
            text = "without a task a set-up may come where a transfer takes its slot."
        if text:
            place = f"device {instance.devices.name[device]}, setups"
            missing(place, f"Set-ups that `optional` jobs can be left out of: {text}", "optional")


def _check_draws(instance: Instance, missing: Any) -> None:
    """Refuse limits and prices of instants where less work may draw more at one of them.

    Without a task a gap may be long enough to sleep in, and waking may draw more than idling; what
    shared a resource that slows with it runs faster, at more power; and a set-up comes later. In
    sum none takes more. (Where waking draws no more than idling, nothing draws more at any instant
    for that a gap is longer.)
    """
    limits = instance.limits
    over_time = limits.energy_price_over_time is not None or limits.carbon_over_time is not None
    instants = {
        "a power_cap": bool(np.isfinite(limits.power_cap_w)),
        "the objective peak_power": "peak_power" in instance.objective,
        "prices over time": over_time,
    }
    setups = device_setups(instance)
    drawing = any(own.energy_j.any() for own in setups.values())
    for what, there in (
        ("devices that draw more to wake than to idle", waking_draws_more(instance)),
        ("resources that slow", bool(instance.resources.slow.any())),
        (
            "set-ups that take energy, or of devices beside which some sleep",
            bool(setups) and (drawing or may_sleep(instance)),
        ),
    ):
        for limit in (name for name, asked in instants.items() if asked):
            if there and instance.jobs.optional.any():
                text = (
                    f"No `optional` jobs beside {what} and {limit}: less work may draw more then."
                )
                missing("jobs", text, "optional")


def _check_scopes(instance: Instance, missing: Any) -> None:
    if instance.allow_mixed_scopes or instance.objective[0] in ("makespan", "tardiness"):
        return
    used = used_devices(instance)
    devices = instance.devices
    scopes = [s for s in dict.fromkeys(devices.scope[used].tolist()) if s]
    if len(scopes) > 1:
        listed = "; ".join(
            f"{scope}: " + ", ".join(devices.name[used & (devices.scope == scope)].tolist())
            for scope in scopes
        )
        missing(
            "devices",
            f"Power figures of one scope: {listed}. Set allow_mixed_scopes: true to compare "
            "anyway.",
        )
    if len(np.unique(devices.idle_known[used])) > 1:
        names = ", ".join(devices.name[used & ~devices.idle_known].tolist())
        missing(
            "devices",
            f"Idle power of all devices or of none: {names} state none, so their energy is whole "
            "energy. Set allow_mixed_scopes: true to compare anyway.",
        )


def used_devices(instance: Instance) -> Bools:
    """Whether any task may run on each device (length D)."""
    used = np.zeros(len(instance.devices), dtype=bool)
    used[instance.options.device[instance.classes.option]] = True
    return used


def accuracy_tasks(instance: Instance) -> tuple[Bools, Bools]:
    """Whether some, and whether all, admissible options of each task state an accuracy."""
    classes = instance.classes
    owner = np.repeat(np.arange(len(classes)), np.diff(classes.ptr))
    stated = ~np.isnan(instance.options.accuracy[classes.option])
    yes = np.bincount(owner[stated], minlength=len(classes))
    return (yes > 0)[classes.member], (yes == np.diff(classes.ptr))[classes.member]


def stuck_tasks(instance: Instance) -> Ints:
    """Tasks that have no admissible option at all, of jobs that cannot be left unserved."""
    classes = instance.classes
    without = (np.diff(classes.ptr) == 0)[classes.member]
    return np.flatnonzero(without & needed_tasks(instance)).astype(np.int64)


def needed_tasks(instance: Instance) -> Bools:
    """Whether each task (length T) is of a job of which some part must be served."""
    return np.asarray((least_shares(instance) > 0)[instance.tasks.job], dtype=bool)
