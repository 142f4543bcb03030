"""Columns of tables of demands: shares of kinds, scenarios, periods, rates."""

from __future__ import annotations

from hetopt.instance.column_specs.column import (
    NOT_STATED,
    Column,
    number,
    required,
    text,
    whole,
)
from hetopt.instance.tables import KINDS, SHARES_OF

KIND_SHARES = (
    Column("kind", "Kind of device whose share is limited.", "text", None, choices=KINDS),
    number("min", "Least share.", 0.0, "fraction", maximum=1.0),
    number("max", "Largest share.", 1.0, "fraction", maximum=1.0),
    text(
        "of",
        "What it is a share of: units (on), or price (of the units provisioned).",
        default="units",
        choices=SHARES_OF,
    ),
)

SCENARIOS = (
    required("name", "Name of the scenario."),
    number("weight", "Part of the time; weights need not sum to 1.", 1.0, ""),
    number("demand", "Factor on the rates of all jobs.", 1.0, ""),
)

PERIODS = (
    required("name", "Name of the period."),
    number("duration_s", "How long it lasts.", None, "time", positive=True),
    number("demand", "Factor on the rates of all jobs.", 1.0, ""),
    number(
        "energy_price_per_j",
        "Price of energy in the period; none is the instance's.",
        NOT_STATED,
        "energy_price",
    ),
    number(
        "carbon_kg_per_j",
        "Carbon intensity of energy in the period; none is the instance's.",
        NOT_STATED,
        "carbon_intensity",
    ),
    number(
        "power_cap_w",
        "Largest power in the period, starts and loading included; none is the instance's.",
        NOT_STATED,
        "power",
    ),
)

INITIAL = (
    required("device", "Device of units that are on before the first period."),
    whole("units", "How many.", 1, minimum=0),
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
    required("job", "Job of the rate."),
    number(
        "rate_per_s",
        "Requests per second of the job in the scenario; 0 asks for none.",
        None,
        "rate",
    ),
)
