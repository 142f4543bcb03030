"""Settings of an instance: limits, prices, objective."""

from __future__ import annotations

from hetopt.instance.column_specs.column import (
    NOT_STATED,
    UNLIMITED,
    Column,
    flag,
    number,
    text,
    whole,
)

PIECE_BEGIN = number(
    "from_s",
    "Begin of the piece: 0 for the first one, later for each next one.",
    None,
    "time",
)

SETTINGS = (
    text("name", "Name of the instance."),
    text("description", "What it is and where its figures come from."),
    text("regime", "schedule or steady.", choices=("schedule", "steady")),
    Column("objective", "Objective, or a list in order of priority.", "names"),
    text("routing", "Steady: split or single.", choices=("split", "single"), regime="steady"),
    text(
        "mix",
        "Steady: balanced gives jobs without rates shares such that each costs the same energy.",
        choices=("balanced",),
        regime="steady",
    ),
    text("host", "Device that staged tensors are written to."),
    number(
        "horizon_s",
        "Hard end of everything, and the window that idle power counts for.",
        UNLIMITED,
        "time",
        positive=True,
        regime="schedule",
    ),
    flag(
        "cyclic",
        "Whether the schedule repeats for ever, each least common multiple of the periods; true "
        "where it is not written, every job has a period or a rate, and neither `horizon` nor "
        "`cycle` is.",
        regime="schedule",
    ),
    whole(
        "cycles",
        "Common multiples of the periods in a cycle of a schedule that repeats for ever: with 2, "
        "repetitions may take units, options and times in turn.",
        1,
        minimum=1,
        maximum=10_000,
        regime="schedule",
    ),
    number(
        "cycle_s",
        "Instead of `cyclic` and `cycles`: the length of the cycle of a schedule that repeats for "
        "ever, a multiple of each period; a job without a period runs once in it.",
        UNLIMITED,
        "time",
        positive=True,
        regime="schedule",
    ),
    number("power_cap_w", "Largest power allowed.", UNLIMITED, "power"),
    number("budget_per_s", "Largest cost per second allowed.", UNLIMITED, "price", regime="steady"),
    number(
        "energy_price_per_j",
        "Price of energy; in a schedule also a list of prices, each from some time on.",
        0.0,
        "energy_price",
        pieces=(
            PIECE_BEGIN,
            number("price_per_j", "Price from then on.", None, "energy_price"),
        ),
    ),
    number(
        "carbon_kg_per_j",
        "Carbon intensity of energy; in a schedule also a list, each from some time on.",
        0.0,
        "carbon_intensity",
        pieces=(
            PIECE_BEGIN,
            number(
                "kg_per_j",
                "Carbon intensity from then on.",
                None,
                "carbon_intensity",
            ),
        ),
    ),
    number("pue", "Multiplies energy in cost and carbon.", 1.0, "", minimum=1.0),
    number(
        "demand_per_s",
        "Requests per second of all jobs together, where jobs give shares.",
        NOT_STATED,
        "rate",
        positive=True,
        regime="steady",
    ),
    flag(
        "periods_cyclic",
        "Whether the first period follows the last; else `initial` says what is on before it.",
        True,
        regime="steady",
        within="periods",
    ),
    number(
        "periods_min_up_s",
        "Time that a unit stays on, at least, once it goes on.",
        0.0,
        "time",
        regime="steady",
        within="periods",
    ),
    whole(
        "periods_max_changes",
        "Most units switched and weights loaded at the begin of a period; -1 is any number.",
        -1,
        minimum=-1,
        regime="steady",
        within="periods",
    ),
    flag(
        "periods_invest",
        "Whether units are bought in a period and had from then on; those of `initial` are had, "
        "and cost nothing. The periods do not repeat then.",
        regime="steady",
        within="periods",
    ),
    number(
        "periods_discount_rate",
        "With `invest`: how much less money of a year later counts.",
        0.0,
        "fraction",
        regime="steady",
        within="periods",
    ),
    text("currency", "Currency of all prices; told by the prices where they name one."),
    flag("allow_mixed_scopes", "Whether power figures of different scope may be compared."),
)
