"""Columns of tables of the work: options, resources, tasks, transfers, jobs."""

from __future__ import annotations

from hetopt.instance.column_specs.column import (
    NOT_STATED,
    UNLIMITED,
    Column,
    flag,
    number,
    required,
    text,
    whole,
)
from hetopt.instance.tables import SHARING

OPTIONS = (
    required("profile", "Profile that the option belongs to."),
    required("device", "Device that it runs on."),
    text("label", "Tells options of one device apart: precision, batch, clock, variant."),
    number("time_s", "Time of one execution.", None, "time"),
    number("energy_j", "Energy above idle of one execution.", NOT_STATED, "energy"),
    number("power_w", "Instead: the whole draw of a unit that runs it.", NOT_STATED, "power"),
    number("memory_b", "Working memory while it runs.", 0.0, "bytes"),
    number("weights_b", "Weights that stay resident.", 0.0, "bytes"),
    text("model", "Model whose weights these are; default: the profile."),
    text("variant", "Variant of the model; default: the label where no model is named."),
    number("accuracy", "Accuracy of the result, 0 to 1.", NOT_STATED, "fraction", maximum=1.0),
    whole("batch", "Requests that one execution serves (steady).", 1, minimum=1),
    number("latency_s", "Measured latency of a request.", NOT_STATED, "time"),
    text(
        "configuration",
        "What its unit must have loaded: a bitstream, a model. Not stated: whatever it has.",
    ),
    flag("estimated", "Whether the figures are estimated, not measured."),
    number("time_low_s", "Low end of the interval of the time.", NOT_STATED, "time"),
    number("time_high_s", "High end of the interval of the time.", NOT_STATED, "time"),
    number(
        "energy_low_j", "Low end of the interval of the energy above idle.", NOT_STATED, "energy"
    ),
    number(
        "energy_high_j", "High end of the interval of the energy above idle.", NOT_STATED, "energy"
    ),
    number(
        "interval",
        "Share of outcomes that lie in the intervals, half of the others on either side.",
        0.9,
        "fraction",
        positive=True,
        maximum=0.999999,
    ),
    flag("preview", "Whether the figures are of a preview."),
    text("source", "Where the figures come from."),
)

RESOURCES = (
    required("name", "Name of the resource."),
    number(
        "capacity",
        "Renewable: what running options may use at each instant (steady: on average).",
        UNLIMITED,
        "",
    ),
    number(
        "budget",
        "Non-renewable: what all executions may use together (steady: per second).",
        UNLIMITED,
        "",
    ),
    text(
        "sharing",
        "Where running options ask for more than the capacity: forbid it, or slow them down.",
        default="forbid",
        choices=SHARING,
    ),
    number(
        "loss",
        "Where it slows: part of the speed that is lost besides while two or more use it.",
        0.0,
        "fraction",
        maximum=1.0,
    ),
    text(
        "board",
        "Where it slows: kind of board, each of which has such a capacity of its own (steady: of "
        "count 1).",
    ),
)

USES = (
    required("profile", "Profile of the option."),
    required("device", "Device of the option."),
    text("label", "Label of the option."),
    required("resource", "Resource that the option uses."),
    number(
        "amount",
        "What it uses of the capacity while it runs, and of the budget once per execution.",
        None,
        "",
    ),
)

TASKS = (
    required("name", "Name of the task."),
    text("profile", "Profile of its options; default: the profile of its own name."),
    number("work", "Scales time and energy of the options.", 1.0, "", positive=True),
    text("job", "Job that it is part of; default: the only job."),
    text("pin", "The only device (NAME) or unit (NAME#0) allowed."),
    Column("forbid", "Devices that are not allowed.", "names"),
    flag(
        "backward",
        "Whether a contiguous job's stages leave it out, as the backward pass of training.",
        regime="steady",
    ),
    Column("allowed_sites", "Sites where it must run: data that stay there.", "names"),
    text("segment", "Operators of the job's model that it runs, as places in the file: 0-57,60."),
)

TRANSFERS = (
    required("from", "Task that sends."),
    required("to", "Task that waits for it."),
    number("bytes", "Size; without bytes the edge is pure precedence.", NOT_STATED, "bytes"),
    text("tensor", "Edges that name one tensor share its transfer and its copy."),
    flag("staged", "Whether the tensor goes by way of the host."),
)

JOBS = (
    required("name", "Name of the job."),
    number("release_s", "No task starts before.", 0.0, "time", regime="schedule"),
    number("deadline_s", "Every task ends by then.", UNLIMITED, "time", regime="schedule"),
    number("due_s", "Ending later counts as tardiness.", UNLIMITED, "time", regime="schedule"),
    number(
        "period_s",
        "The job is repeated this often.",
        NOT_STATED,
        "time",
        positive=True,
        regime="schedule",
    ),
    number("weight", "Weight in tardiness and accuracy.", 1.0, ""),
    number(
        "rate_per_s",
        "Requests per second demanded; with `regime: schedule` repetitions per second, instead of "
        "a period.",
        NOT_STATED,
        "rate",
        positive=True,
    ),
    number(
        "share",
        "Instead: share of the instance's demand.",
        NOT_STATED,
        "fraction",
        positive=True,
        regime="steady",
    ),
    number(
        "latency_slo_s", "Latency limit of every route used.", UNLIMITED, "time", regime="steady"
    ),
    number(
        "latency_quantile",
        "Part of the requests that must meet the limit with waiting, as estimated: 0.99; without "
        "it the limit is of the service alone.",
        NOT_STATED,
        "fraction",
        positive=True,
        maximum=1.0,
        regime="steady",
    ),
    number("min_accuracy", "Least accuracy allowed.", 0.0, "fraction", maximum=1.0),
    number(
        "value",
        "What serving a request (in a schedule: the job) is worth, for the objective value.",
        0.0,
        "",
    ),
    flag(
        "optional",
        "Whether the job may be left out, whole, where value is an objective.",
        regime="schedule",
    ),
    number(
        "min_share",
        "Least part of the demand to serve, where value is an objective.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    Column("allowed_sites", "Sites where all of its tasks must run.", "names"),
    whole(
        "slices",
        "Equal parts of the job's requests, each of which takes one route whole; 0: no parts.",
        0,
        minimum=0,
        regime="steady",
    ),
    flag(
        "contiguous",
        "Single routing: whether units are the stages of a pipeline, in some order.",
        regime="steady",
    ),
    text("model", "Model file that the job runs; relative paths are from the instance's folder."),
    text("model_sha256", "Hash of the model file, so that no other is taken for it."),
    text("model_shape", "Sizes of the model's open axes: batch=8,seq=128."),
)
