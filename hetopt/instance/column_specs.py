"""The tables of an instance: every column with its type, unit, default and meaning.

The one place of defaults. The folder form, the document form, the generated schema and the
checks of :mod:`hetopt.compile` all read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hetopt.instance.tables import KINDS, SHARES_OF, SHARING

ColumnType = Literal["number", "whole", "flag", "text", "names"]
Default = float | int | bool | str | None

UNLIMITED = float("inf")
NOT_STATED = float("nan")
UNIT_ENDS = {
    "time": ("_s", ""),
    "power": ("_w", ""),
    "energy": ("_j", ""),
    "energy_per_byte": ("_j_per_b", "_per_byte"),
    "bytes": ("_b", ""),
    "bandwidth": ("_b_per_s", ""),
    "rate": ("_per_s", ""),
    "price": ("_per_s", ""),
    "energy_price": ("_per_j", ""),
    "carbon_intensity": ("kg_per_j", "intensity"),
}
"""How names of columns end by the dimension of their values; and how their names without a unit."""
MOST_COUNTED = 1_000_000
"""Most units, slots, channels and the like; arrays have a place for each."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table, or one setting.

    Parameters
    ----------
    name
        Field name, with the unit where there is one.
    meaning
        One sentence for the schema and the docs.
    type
        ``number``, ``whole``, ``flag``, ``text``, or ``names`` (a list, or a comma-separated text).
    default
        Value where the field is absent; ``None`` makes it required.
    dimension
        A dimension of :mod:`hetopt.units`, for numbers that files may write with a unit.
    minimum, maximum
        Inclusive limits of the value; ``positive`` makes the lower limit exclusive.
    choices
        The only texts allowed; empty where any is.
    regime
        The only regime in which the field may be set, empty where both.
    aliases
        Other names that files may use.
    pieces
        Of a setting that may change over time: the fields of one piece, its begin first.
    within
        The mapping of a document that may hold the field, under its name there
        (:attr:`inner_names`); empty where none does.
    """

    name: str
    meaning: str
    type: ColumnType = "text"
    default: Default = ""
    dimension: str = ""
    minimum: float = -UNLIMITED
    maximum: float = UNLIMITED
    positive: bool = False
    choices: tuple[str, ...] = ()
    regime: str = ""
    aliases: tuple[str, ...] = ()
    pieces: tuple[Column, ...] = ()
    within: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All names that files may use, its own first."""
        return (self.name, *self.aliases)

    @property
    def inner_names(self) -> tuple[str, ...]:
        """Names in the mapping ``within``: ``time_s`` for ``start_up_time_s`` in ``start_up``."""
        prefix = f"{self.within}_"
        return tuple(name.removeprefix(prefix) for name in self.names)

    @property
    def unlimited(self) -> bool:
        """Whether infinity is a meaningful value (it is then the default)."""
        return self.default == UNLIMITED


def _text(name: str, meaning: str, **options: Any) -> Column:
    return Column(name, meaning, "text", **options)


def _number(name: str, meaning: str, default: Default, dimension: str, **options: Any) -> Column:
    """Return a column of numbers; its name without the unit is an alias, for values with one."""
    options.setdefault("minimum", 0.0)
    end, instead = UNIT_ENDS.get(dimension, ("", ""))
    if end and name.endswith(end):
        options.setdefault("aliases", (name.removesuffix(end) + instead,))
    return Column(name, meaning, "number", default, dimension, **options)


def _whole(name: str, meaning: str, default: Default, **options: Any) -> Column:
    options.setdefault("maximum", MOST_COUNTED)
    return Column(name, meaning, "whole", default, **options)


def _flag(name: str, meaning: str, default: bool = False, **options: Any) -> Column:
    return Column(name, meaning, "flag", default, **options)


def _required(name: str, meaning: str) -> Column:
    return Column(name, meaning, "text", None)


START_UP = (
    _number(
        "start_up_time_s",
        "Time that going on takes, before which a unit runs nothing.",
        0.0,
        "time",
        within="start_up",
    ),
    _number(
        "start_up_energy_j",
        "Energy above idle that going on takes.",
        0.0,
        "energy",
        within="start_up",
    ),
    _number(
        "start_up_cost", "Money that going on costs, each time.", 0.0, "money", within="start_up"
    ),
)
"""What it takes to switch something on."""

SLEEP = (
    _number(
        "sleep_power_w",
        "Power while it sleeps through a gap; none is no sleep.",
        NOT_STATED,
        "power",
        within="sleep",
        regime="schedule",
    ),
    _number(
        "wake_time_s",
        "Time at the end of a gap in which it wakes; shorter gaps are not slept through.",
        0.0,
        "time",
        within="sleep",
        regime="schedule",
    ),
    _number(
        "wake_energy_j",
        "Energy of waking, beside the power of sleep.",
        0.0,
        "energy",
        within="sleep",
        regime="schedule",
    ),
)
"""Sleep through gaps in which nothing runs."""

LOAD = (
    _number(
        "load_time_s",
        "Time that loading the weights of a model onto a unit takes.",
        0.0,
        "time",
        within="load",
        regime="steady",
    ),
    _number(
        "load_energy_j_per_b",
        "Energy above idle of loading a byte of weights.",
        0.0,
        "energy_per_byte",
        within="load",
        regime="steady",
    ),
)
"""What it takes to have weights on a unit that did not hold them."""

DEVICES = (
    _required("name", "Name of the device; plans name its units NAME#0, NAME#1, ..."),
    _text("kind", "Kind of processor.", default="other", choices=KINDS),
    _whole("count_min", "Fewest units had.", 1, minimum=0),
    _whole("count_max", "Most units had; -1 is no maximum (steady only).", 1, minimum=-1),
    _whole(
        "spare",
        "Units had beyond those that serve, so that any so many may fail (N+k).",
        0,
        minimum=0,
        regime="steady",
    ),
    _whole("slots", "Tasks that one unit runs at once.", 1, minimum=1),
    _number("memory_b", "Memory of one unit.", UNLIMITED, "bytes"),
    _text("memory_pool", "Name of the memory pool that the units share."),
    _number("idle_power_w", "Power of a unit that is on.", 0.0, "power"),
    _flag("idle_known", "False where the source of the figures states no idle power.", True),
    _number(
        "max_utilization",
        "Largest fraction of its time that a unit may be busy.",
        1.0,
        "fraction",
        positive=True,
        maximum=1.0,
        regime="steady",
    ),
    _number(
        "min_load",
        "Least fraction of its time that a unit that is on must be busy.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    _number(
        "reserved",
        "Fraction of the device that other work takes.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    _flag("off_when_unused", "Whether a unit that runs nothing is off.", True),
    *START_UP,
    *SLEEP,
    *LOAD,
    _number(
        "setup_time_s",
        "Time of each set-up from one configuration to another; instead of rows for pairs.",
        0.0,
        "time",
        within="setup",
    ),
    _number(
        "setup_energy_j", "Energy above idle of each such set-up.", 0.0, "energy", within="setup"
    ),
    _text(
        "initial_configuration",
        "What each unit has loaded at first; `none` is nothing. Not stated: the first is free.",
    ),
    _flag("exclusive", "Whether a unit serves one workload only.", regime="steady"),
    _flag("overlap", "Whether transfers run beside tasks, without taking a slot.", True),
    _number("price_per_s", "Money per second of a unit had.", 0.0, "price"),
    _number(
        "lifetime_s",
        "Where given, the price is a purchase price, spread over this time.",
        NOT_STATED,
        "time",
        positive=True,
    ),
    _number(
        "purchase_price",
        "What one unit costs to buy, for lists of what to buy; costs count the price alone.",
        NOT_STATED,
        "money",
    ),
    _text("site", "Name of the site where it stands."),
    _text("scope", "What the power meter covered: wall, board, gpu, ..."),
    _text(
        "board",
        "Board that it is on, of those in boards, which draw their idle power once; without any "
        "a name only.",
    ),
    _flag("preview", "Whether the device was submitted as a preview, not on sale."),
    _text("source", "Where the figures come from."),
    _text("caution", "Why its figures are in doubt; shown beside every result."),
)

BOARDS = (
    _required("name", "Name of the board, which devices on it name."),
    _whole("count_min", "Fewest boards had.", 1, minimum=0),
    _whole("count_max", "Most boards had; units of a device are spread over them.", 1, minimum=1),
    _number(
        "idle_power_w",
        "Power of a board that is on, drawn once, however many of its processors work.",
        0.0,
        "power",
    ),
    _flag("off_when_unused", "Whether a board of which no unit is on is off.", True),
    _number("price_per_s", "Money per second of a board had.", 0.0, "price"),
    *START_UP,
    *SLEEP,
)

POOLS = (
    _required("name", "Name of the pool."),
    _number("memory_b", "Capacity that the members share.", UNLIMITED, "bytes"),
    _flag("zero_copy", "Whether messages inside the pool need no transfer and no copy."),
)

CARRYING = (
    _number(
        "bandwidth_b_per_s",
        "Bytes per second of one channel.",
        UNLIMITED,
        "bandwidth",
        positive=True,
    ),
    _number("latency_s", "Time before the first byte.", 0.0, "time"),
    _number("energy_j_per_b", "Energy of a byte.", 0.0, "energy_per_byte"),
)
"""What a link, or a network between sites, carries."""

SETUPS = (
    _required("device", "Device whose units are set up."),
    _required("from", "Configuration that is loaded before; `none` is nothing."),
    _required("to", "Configuration that is loaded then."),
    _number("time_s", "Time for which the unit is busy with it.", 0.0, "time"),
    _number("energy_j", "Energy above idle of it.", 0.0, "energy"),
)

LINKS = (
    _required("from", "Device at the sending end."),
    _required("to", "Device at the receiving end; the same one joins its units."),
    *CARRYING,
    _whole("channels", "Transfers carried at once; 0 is no contention.", 0, minimum=0),
    _text("bus", "Links that name one bus share its channels."),
    _flag("both_ways", "Whether the same link exists in the other direction too."),
    _flag("per_unit", "Whether capacity grows with the units on.", regime="steady"),
)

SITES = (
    _required("name", "Name of the site."),
    _number(
        "energy_price_per_j",
        "Price of energy there; default: the instance's.",
        NOT_STATED,
        "energy_price",
    ),
    _number(
        "carbon_kg_per_j",
        "Carbon intensity of energy there; default: the instance's.",
        NOT_STATED,
        "carbon_intensity",
    ),
    _number(
        "pue", "Multiplies energy there; default: the instance's.", NOT_STATED, "", minimum=1.0
    ),
)

NETWORKS = (
    _required("from", "Site at the sending end."),
    _required("to", "Site at the receiving end; the same one joins its devices."),
    *CARRYING,
    _whole(
        "channels",
        "Transfers carried at once, of all devices together; 0 is no contention in a schedule.",
        1,
        minimum=0,
    ),
    _flag("both_ways", "Whether the same network exists in the other direction too."),
)

OPTIONS = (
    _required("profile", "Profile that the option belongs to."),
    _required("device", "Device that it runs on."),
    _text("label", "Tells options of one device apart: precision, batch, clock, variant."),
    _number("time_s", "Time of one execution.", None, "time"),
    _number("energy_j", "Energy above idle of one execution.", NOT_STATED, "energy"),
    _number("power_w", "Instead: the whole draw of a unit that runs it.", NOT_STATED, "power"),
    _number("memory_b", "Working memory while it runs.", 0.0, "bytes"),
    _number("weights_b", "Weights that stay resident.", 0.0, "bytes"),
    _text("model", "Model whose weights these are; default: the profile."),
    _text("variant", "Variant of the model; default: the label where no model is named."),
    _number("accuracy", "Accuracy of the result, 0 to 1.", NOT_STATED, "fraction", maximum=1.0),
    _whole("batch", "Requests that one execution serves (steady).", 1, minimum=1),
    _number("latency_s", "Measured latency of a request.", NOT_STATED, "time"),
    _text(
        "configuration",
        "What its unit must have loaded: a bitstream, a model. Not stated: whatever it has.",
    ),
    _flag("estimated", "Whether the figures are estimated, not measured."),
    _number("time_low_s", "Low end of the interval of the time.", NOT_STATED, "time"),
    _number("time_high_s", "High end of the interval of the time.", NOT_STATED, "time"),
    _number(
        "energy_low_j", "Low end of the interval of the energy above idle.", NOT_STATED, "energy"
    ),
    _number(
        "energy_high_j", "High end of the interval of the energy above idle.", NOT_STATED, "energy"
    ),
    _number(
        "interval",
        "Share of outcomes that lie in the intervals, half of the others on either side.",
        0.9,
        "fraction",
        positive=True,
        maximum=0.999999,
    ),
    _flag("preview", "Whether the figures are of a preview."),
    _text("source", "Where the figures come from."),
)

RESOURCES = (
    _required("name", "Name of the resource."),
    _number(
        "capacity",
        "Renewable: what running options may use at each instant (steady: on average).",
        UNLIMITED,
        "",
    ),
    _number(
        "budget",
        "Non-renewable: what all executions may use together (steady: per second).",
        UNLIMITED,
        "",
    ),
    _text(
        "sharing",
        "Where running options ask for more than the capacity: forbid it, or slow them down.",
        default="forbid",
        choices=SHARING,
    ),
    _number(
        "loss",
        "Where it slows: part of the speed that is lost besides while two or more use it.",
        0.0,
        "fraction",
        maximum=1.0,
    ),
)

USES = (
    _required("profile", "Profile of the option."),
    _required("device", "Device of the option."),
    _text("label", "Label of the option."),
    _required("resource", "Resource that the option uses."),
    _number(
        "amount",
        "What it uses of the capacity while it runs, and of the budget once per execution.",
        None,
        "",
    ),
)

TASKS = (
    _required("name", "Name of the task."),
    _text("profile", "Profile of its options; default: the profile of its own name."),
    _number("work", "Scales time and energy of the options.", 1.0, "", positive=True),
    _text("job", "Job that it is part of; default: the only job."),
    _text("pin", "The only device (NAME) or unit (NAME#0) allowed."),
    Column("forbid", "Devices that are not allowed.", "names"),
    _flag(
        "backward",
        "Whether a contiguous job's stages leave it out, as the backward pass of training.",
        regime="steady",
    ),
    Column("allowed_sites", "Sites where it must run: data that stay there.", "names"),
    _text("segment", "Operators of the job's model that it runs, as places in the file: 0-57,60."),
)

TRANSFERS = (
    _required("from", "Task that sends."),
    _required("to", "Task that waits for it."),
    _number("bytes", "Size; without bytes the edge is pure precedence.", NOT_STATED, "bytes"),
    _text("tensor", "Edges that name one tensor share its transfer and its copy."),
    _flag("staged", "Whether the tensor goes by way of the host."),
)

JOBS = (
    _required("name", "Name of the job."),
    _number("release_s", "No task starts before.", 0.0, "time", regime="schedule"),
    _number("deadline_s", "Every task ends by then.", UNLIMITED, "time", regime="schedule"),
    _number("due_s", "Ending later counts as tardiness.", UNLIMITED, "time", regime="schedule"),
    _number(
        "period_s",
        "The job is repeated this often.",
        NOT_STATED,
        "time",
        positive=True,
        regime="schedule",
    ),
    _number("weight", "Weight in tardiness and accuracy.", 1.0, ""),
    _number(
        "rate_per_s",
        "Requests per second demanded.",
        NOT_STATED,
        "rate",
        positive=True,
        regime="steady",
    ),
    _number(
        "share",
        "Instead: share of the instance's demand.",
        NOT_STATED,
        "fraction",
        positive=True,
        regime="steady",
    ),
    _number(
        "latency_slo_s", "Latency limit of every route used.", UNLIMITED, "time", regime="steady"
    ),
    _number(
        "latency_quantile",
        "Part of the requests that must meet the limit with waiting, as estimated: 0.99; without "
        "it the limit is of the service alone.",
        NOT_STATED,
        "fraction",
        positive=True,
        maximum=1.0,
        regime="steady",
    ),
    _number("min_accuracy", "Least accuracy allowed.", 0.0, "fraction", maximum=1.0),
    _number(
        "value",
        "What serving a request (in a schedule: the job) is worth, for the objective value.",
        0.0,
        "",
    ),
    _flag(
        "optional",
        "Whether the job may be left out, whole, where value is an objective.",
        regime="schedule",
    ),
    _number(
        "min_share",
        "Least part of the demand to serve, where value is an objective.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    Column("allowed_sites", "Sites where all of its tasks must run.", "names"),
    _whole(
        "slices",
        "Equal parts of the job's requests, each of which takes one route whole; 0: no parts.",
        0,
        minimum=0,
        regime="steady",
    ),
    _flag(
        "contiguous",
        "Single routing: whether units are the stages of a pipeline, in some order.",
        regime="steady",
    ),
    _text("model", "Model file that the job runs; relative paths are from the instance's folder."),
    _text("model_sha256", "Hash of the model file, so that no other is taken for it."),
    _text("model_shape", "Sizes of the model's open axes: batch=8,seq=128."),
)

KIND_SHARES = (
    Column("kind", "Kind of device whose share is limited.", "text", None, choices=KINDS),
    _number("min", "Least share.", 0.0, "fraction", maximum=1.0),
    _number("max", "Largest share.", 1.0, "fraction", maximum=1.0),
    _text(
        "of",
        "What it is a share of: units (on), or price (of the units had).",
        default="units",
        choices=SHARES_OF,
    ),
)

SCENARIOS = (
    _required("name", "Name of the scenario."),
    _number("weight", "Part of the time; weights need not sum to 1.", 1.0, ""),
    _number("demand", "Factor on the rates of all jobs.", 1.0, ""),
)

PERIODS = (
    _required("name", "Name of the period."),
    _number("duration_s", "How long it lasts.", None, "time", positive=True),
    _number("demand", "Factor on the rates of all jobs.", 1.0, ""),
    _number(
        "energy_price_per_j",
        "Price of energy in the period; none is the instance's.",
        NOT_STATED,
        "energy_price",
    ),
    _number(
        "carbon_kg_per_j",
        "Carbon intensity of energy in the period; none is the instance's.",
        NOT_STATED,
        "carbon_intensity",
    ),
    _number(
        "power_cap_w",
        "Largest power in the period, starts and loading included; none is the instance's.",
        NOT_STATED,
        "power",
    ),
)

INITIAL = (
    _required("device", "Device of units that are on before the first period."),
    _whole("units", "How many.", 1, minimum=0),
    Column("weights", "Weights that each of them holds, MODEL/VARIANT.", "names"),
)

RATES = (
    Column(
        "scenario",
        "Scenario or period in which the job has this rate.",
        "text",
        None,
        aliases=("period",),
    ),
    _required("job", "Job of the rate."),
    _number(
        "rate_per_s",
        "Requests per second of the job in the scenario; 0 asks for none.",
        None,
        "rate",
    ),
)

PIECE_BEGIN = _number(
    "from_s",
    "Begin of the piece: 0 for the first one, later for each next one.",
    None,
    "time",
)

SETTINGS = (
    _text("name", "Name of the instance."),
    _text("description", "What it is and where its figures come from."),
    _text("regime", "schedule or steady.", choices=("schedule", "steady")),
    Column("objective", "Objective, or a list in order of priority.", "names"),
    _text("routing", "Steady: split or single.", choices=("split", "single"), regime="steady"),
    _text(
        "mix",
        "Steady: balanced gives jobs without rates shares such that each costs the same energy.",
        choices=("balanced",),
        regime="steady",
    ),
    _text("host", "Device that staged tensors are written to."),
    _number(
        "horizon_s",
        "Hard end of everything, and the window that idle power counts for.",
        UNLIMITED,
        "time",
        positive=True,
        regime="schedule",
    ),
    _flag(
        "cyclic",
        "Whether the schedule repeats for ever, each least common multiple of the periods.",
        regime="schedule",
    ),
    _whole(
        "cycles",
        "Common multiples of the periods in a cycle of a schedule that repeats for ever: with 2, "
        "repetitions may take units, options and times in turn.",
        1,
        minimum=1,
        maximum=10_000,
        regime="schedule",
    ),
    _number(
        "cycle_s",
        "Instead of `cyclic` and `cycles`: the length of the cycle of a schedule that repeats for "
        "ever, a multiple of each period; a job without a period runs once in it.",
        UNLIMITED,
        "time",
        positive=True,
        regime="schedule",
    ),
    _number("power_cap_w", "Largest power allowed.", UNLIMITED, "power"),
    _number(
        "budget_per_s", "Largest cost per second allowed.", UNLIMITED, "price", regime="steady"
    ),
    _number(
        "energy_price_per_j",
        "Price of energy; in a schedule also a list of prices, each from some time on.",
        0.0,
        "energy_price",
        pieces=(
            PIECE_BEGIN,
            _number("price_per_j", "Price from then on.", None, "energy_price"),
        ),
    ),
    _number(
        "carbon_kg_per_j",
        "Carbon intensity of energy; in a schedule also a list, each from some time on.",
        0.0,
        "carbon_intensity",
        pieces=(
            PIECE_BEGIN,
            _number(
                "kg_per_j",
                "Carbon intensity from then on.",
                None,
                "carbon_intensity",
            ),
        ),
    ),
    _number("pue", "Multiplies energy in cost and carbon.", 1.0, "", minimum=1.0),
    _number(
        "demand_per_s",
        "Requests per second of all jobs together, where jobs give shares.",
        NOT_STATED,
        "rate",
        positive=True,
        regime="steady",
    ),
    _flag(
        "periods_cyclic",
        "Whether the first period follows the last; else `initial` says what is on before it.",
        True,
        regime="steady",
        within="periods",
    ),
    _number(
        "periods_min_up_s",
        "Time that a unit stays on, at least, once it goes on.",
        0.0,
        "time",
        regime="steady",
        within="periods",
    ),
    _whole(
        "periods_max_changes",
        "Most units switched and weights loaded at the begin of a period; -1 is any number.",
        -1,
        minimum=-1,
        regime="steady",
        within="periods",
    ),
    _text("currency", "Currency of all prices; told by the prices where they name one."),
    _flag("allow_mixed_scopes", "Whether power figures of different scope may be compared."),
)

TABLES: dict[str, tuple[Column, ...]] = {
    "devices": DEVICES,
    "boards": BOARDS,
    "pools": POOLS,
    "sites": SITES,
    "links": LINKS,
    "networks": NETWORKS,
    "setups": SETUPS,
    "options": OPTIONS,
    "resources": RESOURCES,
    "uses": USES,
    "tasks": TASKS,
    "transfers": TRANSFERS,
    "jobs": JOBS,
    "kind_shares": KIND_SHARES,
    "scenarios": SCENARIOS,
    "periods": PERIODS,
    "initial": INITIAL,
    "rates": RATES,
}
REQUIRED_TABLES = ("devices", "options", "tasks")
DEFAULT_JOB = "job"
"""The job of all tasks where an instance names none."""
GROUP_SETTINGS = ("together", "apart")
"""Settings that are lists of lists of task names."""
