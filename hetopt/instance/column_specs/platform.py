"""Columns of tables of the platform: devices, boards, pools, sites, links, networks, set-ups."""

from __future__ import annotations

from hetopt.instance.column_specs.column import (
    NOT_STATED,
    UNLIMITED,
    flag,
    number,
    required,
    text,
    whole,
)
from hetopt.instance.tables import KINDS

START_UP = (
    number(
        "start_up_time_s",
        "Time that going on takes, before which a unit runs nothing.",
        0.0,
        "time",
        within="start_up",
    ),
    number(
        "start_up_energy_j",
        "Energy above idle that going on takes.",
        0.0,
        "energy",
        within="start_up",
    ),
    number(
        "start_up_cost", "Money that going on costs, each time.", 0.0, "money", within="start_up"
    ),
)
"""What it takes to switch something on."""

SLEEP = (
    number(
        "sleep_power_w",
        "Power while it sleeps through a gap; none is no sleep.",
        NOT_STATED,
        "power",
        within="sleep",
        regime="schedule",
    ),
    number(
        "wake_time_s",
        "Time at the end of a gap in which it wakes; shorter gaps are not slept through.",
        0.0,
        "time",
        within="sleep",
        regime="schedule",
    ),
    number(
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
    number(
        "load_time_s",
        "Time that loading the weights of a model onto a unit takes.",
        0.0,
        "time",
        within="load",
        regime="steady",
    ),
    number(
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
    required("name", "Name of the device; plans name its units NAME#0, NAME#1, ..."),
    text("kind", "Kind of processor.", default="other", choices=KINDS),
    whole("count_min", "Fewest units provisioned.", 1, minimum=0),
    whole("count_max", "Most units provisioned; -1 is no maximum (steady only).", 1, minimum=-1),
    whole(
        "spare",
        "Units provisioned beyond those that serve, so that any so many may fail (N+k).",
        0,
        minimum=0,
        regime="steady",
    ),
    whole("slots", "Tasks that one unit runs at once.", 1, minimum=1),
    number("memory_b", "Memory of one unit.", UNLIMITED, "bytes"),
    text("memory_pool", "Name of the memory pool that the units share."),
    number("idle_power_w", "Power of a unit that is on.", 0.0, "power"),
    flag("idle_known", "False where the source of the figures states no idle power.", True),
    number(
        "max_utilization",
        "Largest fraction of its time that a unit may be busy.",
        1.0,
        "fraction",
        positive=True,
        maximum=1.0,
        regime="steady",
    ),
    number(
        "min_load",
        "Least fraction of its time that a unit that is on must be busy.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    number(
        "reserved",
        "Fraction of the device that other work takes.",
        0.0,
        "fraction",
        maximum=1.0,
        regime="steady",
    ),
    flag("off_when_unused", "Whether a unit that runs nothing is off.", True),
    *START_UP,
    *SLEEP,
    *LOAD,
    number(
        "setup_time_s",
        "Time of each set-up from one configuration to another; instead of rows for pairs.",
        0.0,
        "time",
        within="setup",
    ),
    number(
        "setup_energy_j", "Energy above idle of each such set-up.", 0.0, "energy", within="setup"
    ),
    text(
        "initial_configuration",
        "What each unit has loaded at first; `none` is nothing. Not stated: the first is free.",
    ),
    flag("exclusive", "Whether a unit serves one workload only.", regime="steady"),
    flag("overlap", "Whether transfers run beside tasks, without taking a slot.", True),
    number("price_per_s", "Money per second of a unit provisioned.", 0.0, "price"),
    number(
        "lifetime_s",
        "Where given, the price is a purchase price, spread over this time.",
        NOT_STATED,
        "time",
        positive=True,
    ),
    number(
        "purchase_price",
        "What one unit costs to buy, for lists of what to buy; costs count the price alone.",
        NOT_STATED,
        "money",
    ),
    text("site", "Name of the site where it stands."),
    text("scope", "What the power meter covered: wall, board, gpu, ..."),
    text(
        "board",
        "Board that it is on, of those in boards, which draw their idle power once; without any "
        "a name only.",
    ),
    flag("preview", "Whether the device was submitted as a preview, not on sale."),
    text("source", "Where the figures come from."),
    text("caution", "Why its figures are in doubt; shown beside every result."),
)

BOARDS = (
    required("name", "Name of the board, which devices on it name."),
    whole("count_min", "Fewest boards provisioned.", 1, minimum=0),
    whole(
        "count_max",
        "Most boards provisioned; units of a device are spread over them.",
        1,
        minimum=1,
    ),
    number(
        "idle_power_w",
        "Power of a board that is on, drawn once, however many of its processors work.",
        0.0,
        "power",
    ),
    flag("off_when_unused", "Whether a board of which no unit is on is off.", True),
    number("price_per_s", "Money per second of a board provisioned.", 0.0, "price"),
    *START_UP,
    *SLEEP,
)

POOLS = (
    required("name", "Name of the pool."),
    number("memory_b", "Capacity that the members share.", UNLIMITED, "bytes"),
    flag("zero_copy", "Whether messages inside the pool need no transfer and no copy."),
)

CARRYING = (
    number(
        "bandwidth_b_per_s",
        "Bytes per second of one channel.",
        UNLIMITED,
        "bandwidth",
        positive=True,
    ),
    number("latency_s", "Time before the first byte.", 0.0, "time"),
    number("energy_j_per_b", "Energy of a byte.", 0.0, "energy_per_byte"),
)
"""What a link, or a network between sites, carries."""

SETUPS = (
    required("device", "Device whose units are set up."),
    required("from", "Configuration that is loaded before; `none` is nothing."),
    required("to", "Configuration that is loaded then."),
    number("time_s", "Time for which the unit is busy with it.", 0.0, "time"),
    number("energy_j", "Energy above idle of it.", 0.0, "energy"),
)

LINKS = (
    required("from", "Device at the sending end."),
    required("to", "Device at the receiving end; the same one joins its units."),
    *CARRYING,
    whole("channels", "Transfers carried at once; 0 is no contention.", 0, minimum=0),
    text("bus", "Links that name one bus share its channels."),
    flag("both_ways", "Whether the same link exists in the other direction too."),
    flag("per_unit", "Whether capacity grows with the units on.", regime="steady"),
)

SITES = (
    required("name", "Name of the site."),
    number(
        "energy_price_per_j",
        "Price of energy there; default: the instance's.",
        NOT_STATED,
        "energy_price",
    ),
    number(
        "carbon_kg_per_j",
        "Carbon intensity of energy there; default: the instance's.",
        NOT_STATED,
        "carbon_intensity",
    ),
    number("pue", "Multiplies energy there; default: the instance's.", NOT_STATED, "", minimum=1.0),
)

NETWORKS = (
    required("from", "Site at the sending end."),
    required("to", "Site at the receiving end; the same one joins its devices."),
    *CARRYING,
    whole(
        "channels",
        "Transfers carried at once, of all devices together; 0 is no contention in a schedule.",
        1,
        minimum=0,
    ),
    flag("both_ways", "Whether the same network exists in the other direction too."),
)
