"""The fields that the Python builder's calls take, for editors and type checkers.

Names, meanings, units and defaults stand in :mod:`hetopt.instance.column_specs`; a test holds both
together. A quantity is a number in SI units or a text with a unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from hetopt.instance.instance import Regime, Routing
from hetopt.instance.objectives import ObjectiveName
from hetopt.instance.tables import DeviceKind

Quantity = float | str
Pieces = Sequence[Mapping[str, Quantity]]
"""What changes over time: ``[{"from": "0 s", "price": "0.20 EUR/kWh"}, ...]``; rows of set-ups."""


class IdlerFields(TypedDict, total=False):
    """Fields of what is counted, draws idle power, sleeps and is switched: devices and boards."""

    count_min: int
    count_max: int
    idle_power: Quantity
    idle_power_w: Quantity
    off_when_unused: bool
    price: Quantity
    price_per_s: Quantity
    start_up: Mapping[str, Quantity]
    start_up_time: Quantity
    start_up_time_s: Quantity
    start_up_energy: Quantity
    start_up_energy_j: Quantity
    start_up_cost: Quantity
    sleep: Mapping[str, Quantity]
    sleep_power: Quantity
    sleep_power_w: Quantity
    wake_time: Quantity
    wake_time_s: Quantity
    wake_energy: Quantity
    wake_energy_j: Quantity


class DeviceFields(IdlerFields, total=False):
    """Fields of a device."""

    kind: DeviceKind
    spare: int
    slots: int
    memory: Quantity
    memory_b: Quantity
    memory_pool: Any
    idle_known: bool
    max_utilization: Quantity
    min_load: Quantity
    reserved: Quantity
    load: Mapping[str, Quantity]
    load_time: Quantity
    load_time_s: Quantity
    load_energy_per_byte: Quantity
    load_energy_j_per_b: Quantity
    setup: Mapping[str, Quantity]
    setup_time: Quantity
    setup_time_s: Quantity
    setup_energy: Quantity
    setup_energy_j: Quantity
    setups: Pieces
    initial_configuration: str
    exclusive: bool
    overlap: bool
    lifetime: Quantity
    lifetime_s: Quantity
    purchase_price: Quantity
    site: Any
    scope: str
    preview: bool
    source: str
    caution: str
    board: Any


class BoardFields(IdlerFields, total=False):
    """Fields of a board."""


class PoolFields(TypedDict, total=False):
    """Fields of a memory pool."""

    memory: Quantity
    memory_b: Quantity
    zero_copy: bool


class NetworkFields(TypedDict, total=False):
    """Fields of a network between sites."""

    bandwidth: Quantity
    bandwidth_b_per_s: Quantity
    latency: Quantity
    latency_s: Quantity
    energy_per_byte: Quantity
    energy_j_per_b: Quantity
    channels: int
    both_ways: bool


class LinkFields(NetworkFields, total=False):
    """Fields of a link."""

    bus: str
    per_unit: bool


class JouleFields(TypedDict, total=False):
    """What a joule costs and emits, somewhere or at some time."""

    energy_price: Quantity
    energy_price_per_j: Quantity
    carbon_intensity: Quantity
    carbon_kg_per_j: Quantity


class SiteFields(JouleFields, total=False):
    """Fields of a site."""

    pue: float


class OptionFields(TypedDict, total=False):
    """Fields of an option."""

    time: Quantity
    time_s: Quantity
    energy: Quantity
    energy_j: Quantity
    power: Quantity
    power_w: Quantity
    memory: Quantity
    memory_b: Quantity
    weights: Quantity
    weights_b: Quantity
    model: str
    variant: str
    accuracy: Quantity
    batch: int
    latency: Quantity
    latency_s: Quantity
    configuration: str
    estimated: bool
    time_low: Quantity
    time_low_s: Quantity
    time_high: Quantity
    time_high_s: Quantity
    energy_low: Quantity
    energy_low_j: Quantity
    energy_high: Quantity
    energy_high_j: Quantity
    interval: Quantity
    preview: bool
    source: str
    uses: Mapping[Any, float]
    precision: str
    clock: Quantity
    power_limit: Quantity


class ResourceFields(TypedDict, total=False):
    """Fields of a resource."""

    capacity: float
    budget: float
    sharing: str
    loss: Any
    board: Any


class TaskFields(TypedDict, total=False):
    """Fields of a task."""

    work: float
    pin: Any
    forbid: Any
    backward: bool
    allowed_sites: Any
    segment: str


class JobFields(TypedDict, total=False):
    """Fields of a job."""

    release: Quantity
    release_s: Quantity
    deadline: Quantity
    deadline_s: Quantity
    due: Quantity
    due_s: Quantity
    period: Quantity
    period_s: Quantity
    weight: float
    rate: Quantity
    rate_per_s: Quantity
    share: Quantity
    latency_slo: Quantity | dict[str, Quantity]
    latency_slo_s: Quantity
    latency_quantile: Quantity
    min_accuracy: Quantity
    value: float
    optional: bool
    min_share: Quantity
    slices: int
    contiguous: bool
    model: str
    model_sha256: str
    model_shape: str
    allowed_sites: Any
    work: float
    pin: Any
    forbid: Any


class KindShareFields(TypedDict, total=False):
    """Fields of a limit on the share of a kind."""

    min: float
    max: float
    of: Literal["units", "price"]


class PeriodFields(JouleFields, total=False):
    """Fields of a period."""

    demand: float
    rates: Mapping[Any, Quantity]
    power_cap: Quantity
    power_cap_w: Quantity


class SettingFields(TypedDict, total=False):
    """Settings of an instance."""

    description: str
    regime: Regime
    objective: ObjectiveName | Sequence[ObjectiveName]
    routing: Routing
    mix: Literal["balanced"]
    host: Any
    horizon: Quantity
    horizon_s: Quantity
    cyclic: bool
    cycles: int
    cycle: Quantity
    cycle_s: Quantity
    power_cap: Quantity
    power_cap_w: Quantity
    budget: Quantity
    budget_per_s: Quantity
    energy_price: Quantity | Pieces
    energy_price_per_j: Quantity | Pieces
    carbon_intensity: Quantity | Pieces
    carbon_kg_per_j: Quantity | Pieces
    pue: float
    demand: Quantity
    demand_per_s: Quantity
    periods_cyclic: bool
    periods_min_up: Quantity
    periods_min_up_s: Quantity
    periods_max_changes: int
    periods_invest: bool
    periods_discount_rate: Quantity
    currency: str
    allow_mixed_scopes: bool
