"""The Python modelling interface: devices, links, profiles, jobs and tasks by calls.

>>> from hetopt.build import Model
>>> m = Model("camera", objective="energy", horizon="40 ms")
>>> cpu = m.device("cpu", kind="cpu", idle_power="2 W", slots=4)
>>> npu = m.device("npu", kind="npu", memory="1 GiB")
>>> m.link(cpu, npu, bandwidth="4 GB/s", both_ways=True)
>>> frame = m.job("frame", deadline="33 ms")
>>> grab = frame.task("grab", options=[cpu.option(time="3 ms", energy="5 mJ")])
>>> detect = frame.task(
...     "detect",
...     options=[
...         cpu.option(time="20 ms", power="7 W"),
...         npu.option("int8", time="4 ms", energy="8 mJ"),
...     ],
... )
>>> m.transfer(grab, detect, bytes="1 MB", tensor="image")
>>> instance = m.build()
>>> len(instance.tasks), len(instance.options)
(2, 3)

Fields have the names and the meanings of the file format (``hetopt schema``); quantities are
numbers in SI units or texts with a unit. A model is a document that is written in Python: it is
checked by the same code, and every problem is named at once, by :meth:`Model.build`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Unpack

from hetopt.formats.native.model_document import LISTS, ModelDocument
from hetopt.instance.fields import (
    BoardFields,
    DeviceFields,
    JobFields,
    KindShareFields,
    LinkFields,
    NetworkFields,
    OptionFields,
    PeriodFields,
    PoolFields,
    ResourceFields,
    SettingFields,
    SiteFields,
    TaskFields,
)

if TYPE_CHECKING:
    from hetopt.formats.place import Fault, Path
    from hetopt.instance import Instance

__all__ = [
    "Board",
    "Device",
    "Job",
    "Model",
    "Option",
    "Pool",
    "Profile",
    "Resource",
    "Site",
    "Task",
]


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a task; made by :meth:`Device.option`."""

    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a model; made by :meth:`Model.device`."""

    name: str

    def option(self, label: str = "", **fields: Unpack[OptionFields]) -> Option:
        """Return a way to run a task on this device.

        Parameters
        ----------
        label
            Tells options of one device apart: precision, batch, clock, variant.
        **fields
            ``time`` and either ``energy`` (above idle) or ``power`` (the whole draw of a unit that
            runs this option alone), ``uses`` (amounts by resource), and the other fields of an
            option.
        """
        named = {"label": label} if label else {}
        return Option({"device": self.name, **named, **fields})

    def unit(self, number: int) -> str:
        """Return the name of one unit, to pin tasks to: ``npu#0``."""
        return f"{self.name}#{number}"


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


class Board(_Named):
    """A board of a model; made by :meth:`Model.board`."""


class Pool(_Named):
    """A memory pool of a model; made by :meth:`Model.pool`."""


class Site(_Named):
    """A site of a model; made by :meth:`Model.site`."""


class Resource(_Named):
    """A resource of a model; made by :meth:`Model.resource`."""


class Profile(_Named):
    """A named set of options; made by :meth:`Model.profile`."""


class Task(_Named):
    """A task of a model; made by :meth:`Model.task` and :meth:`Job.task`."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a model; made by :meth:`Model.job`."""

    name: str
    model: Model = field(repr=False, compare=False)

    def task(
        self,
        name: str,
        profile: Profile | str | None = None,
        *,
        options: Sequence[Option] | None = None,
        after: Task | str | Sequence[Task | str] = (),
        **fields: Unpack[TaskFields],
    ) -> Task:
        """Add a task to this job; see :meth:`Model.task`."""
        return self.model.task(name, profile, options=options, after=after, job=self, **fields)


class Model:
    """An instance under construction.

    Parameters
    ----------
    name
        Name of the instance.
    **settings
        Limits, objective and the like, as for :meth:`limit`.

    Examples
    --------
    >>> m = Model("rack", objective="power")
    >>> gpu = m.device("gpu", kind="gpu", count=(0, 4), idle_power=60)
    >>> resnet = m.profile("resnet", [gpu.option("int8", time="1 ms", power="180 W")])
    >>> stream = m.job("photos", rate="300 req/s", profile=resnet)
    >>> m.build().regime
    'steady'
    """

    def __init__(self, name: str = "", **settings: Unpack[SettingFields]) -> None:
        self._settings: dict[str, Any] = {"name": name} if name else {}
        self._lists: dict[str, list[dict[str, Any]]] = {key: [] for key in LISTS}
        self._profiles: dict[str, Any] = {}
        self._groups: dict[str, list[list[str]]] = {"together": [], "apart": []}
        self._after: list[tuple[str, str]] = []
        self._faults: list[tuple[Path, str, str]] = []
        self.limit(**settings)

    def limit(self, **settings: Unpack[SettingFields]) -> None:
        """Set limits, objective, prices and the like (``power_cap="20 W"``, ``horizon="1 s"``)."""
        self._settings.update(_plain(settings))

    def device(
        self,
        name: str,
        *,
        count: int | tuple[int, int | None] | Mapping[str, int] | None = None,
        catalogue: str | None = None,
        **fields: Unpack[DeviceFields],
    ) -> Device:
        """Add a type of processor.

        Parameters
        ----------
        name
            Plans name its units ``name#0``, ``name#1``, ...
        count
            Identical units, default 1; or the fewest and the most, with None for no maximum.
        catalogue
            ID of the catalogue's device whose figures fill the fields that are not given.
        **fields
            ``kind``, ``idle_power``, ``memory``, ``slots``, ``price`` and others of a device.
        """
        entry: dict[str, Any] = {"name": name, **fields}
        if isinstance(count, tuple):
            low, high = count
            entry["count"] = {"min": low} if high is None else {"min": low, "max": high}
        elif count is not None:
            entry["count"] = count
        if catalogue is not None:
            entry |= {"from": "catalogue", "entry": catalogue}
        self._add("devices", entry)
        return Device(name)

    def board(
        self,
        name: str,
        *,
        count: int | tuple[int, int] | None = None,
        **fields: Unpack[BoardFields],
    ) -> Board:
        """Add what carries devices and draws its idle power once (``device(board=...)``).

        Parameters
        ----------
        name
            Name of the board.
        count
            Identical boards, default 1; or the fewest and the most. Units of devices on it are as
            many, or a multiple.
        **fields
            ``idle_power``, ``off_when_unused``, ``price``, ``start_up``, ``sleep``.
        """
        entry: dict[str, Any] = {"name": name, **fields}
        if isinstance(count, tuple):
            entry["count"] = {"min": count[0], "max": count[1]}
        elif count is not None:
            entry["count"] = count
        self._add("boards", entry)
        return Board(name)

    def pool(self, name: str, **fields: Unpack[PoolFields]) -> Pool:
        """Add a memory that the units of several devices share (``device(memory_pool=...)``)."""
        self._add("pools", {"name": name, **fields})
        return Pool(name)

    def site(self, name: str, **fields: Unpack[SiteFields]) -> Site:
        """Add a place where devices stand (``device(site=...)``), with its price of energy, ..."""
        self._add("sites", {"name": name, **fields})
        return Site(name)

    def network(
        self, source: Site | str, target: Site | str, **fields: Unpack[NetworkFields]
    ) -> None:
        """Join all devices of one site with all of another; they share the bandwidth."""
        self._add("networks", {"from": source, "to": target, **fields})

    def resource(self, name: str, **fields: Unpack[ResourceFields]) -> Resource:
        """Add what options use beside their unit (``option(uses={"dram_bw": 10e9})``).

        Parameters
        ----------
        name
            Name of the resource.
        **fields
            ``capacity`` (renewable, at each instant), ``budget`` (for all executions), or both;
            ``sharing="slow"`` (with ``loss``) where what asks for more is slowed, not forbidden,
            on each ``board`` of a kind where one is named.
        """
        self._add("resources", {"name": name, **fields})
        return Resource(name)

    def link(
        self, source: Device | str, target: Device | str, **fields: Unpack[LinkFields]
    ) -> None:
        """Add a one-way link (``both_ways=True``: two); to the device itself, it joins units."""
        self._add("links", {"from": source, "to": target, **fields})

    def option(
        self, device: Device | str, label: str = "", **fields: Unpack[OptionFields]
    ) -> Option:
        """Return a way to run a task on a device; see :meth:`Device.option`."""
        return Device(_name(device)).option(label, **fields)

    def profile(
        self,
        name: str,
        options: Sequence[Option] | None = None,
        *,
        catalogue: str | Sequence[str] | None = None,
        labels: Sequence[str] | None = None,
    ) -> Profile:
        """Add a set of options that tasks share.

        Parameters
        ----------
        name
            Name of the profile.
        options
            The options; or
        catalogue, labels
            ID of a task of the catalogue, a pattern, or a list of them: its options on every device
            that is from the catalogue, all or those of these labels.
        """
        if name in self._profiles:
            text = "A name that no other profile has."
            self._faults.append((("profiles", name), name, text))
        if catalogue is None:
            self._profiles[name] = _plain(options or [])
            return Profile(name)
        if options:
            text = "Either options or a task of the catalogue."
            self._faults.append((("profiles", name), str(catalogue), text))
        chosen = {} if labels is None else {"labels": list(labels)}
        self._profiles[name] = {
            "from": "catalogue",
            "task": catalogue if isinstance(catalogue, str) else list(catalogue),
            **chosen,
        }
        return Profile(name)

    def job(
        self,
        name: str,
        profile: Profile | str | None = None,
        *,
        options: Sequence[Option] | None = None,
        **fields: Unpack[JobFields],
    ) -> Job:
        """Add a graph of tasks that share times, rate and weight.

        Parameters
        ----------
        name
            Name of the job.
        profile, options
            For a job of one task: that task's; it has the job's name.
        **fields
            ``deadline``, ``period``, ``rate``, ``share``, ``latency_slo``, ... of the job.
        """
        self._add("jobs", {"name": name, "profile": profile, "options": options, **fields})
        return Job(name, self)

    def task(
        self,
        name: str,
        profile: Profile | str | None = None,
        *,
        options: Sequence[Option] | None = None,
        after: Task | str | Sequence[Task | str] = (),
        job: Job | str | None = None,
        **fields: Unpack[TaskFields],
    ) -> Task:
        """Add a piece of work.

        Parameters
        ----------
        name
            Name of the task.
        profile, options
            Ways to run it: a profile (default: the one of the task's own name) or own options.
        after
            Tasks that it waits for, without data; :meth:`transfer` is for data.
        job
            Job that it is part of; not needed where there is one job or none.
        **fields
            ``work``, ``pin`` (a device or ``device.unit(0)``), ``forbid`` (a list of devices),
            ``allowed_sites`` (a list of sites).
        """
        entry = {"name": name, "profile": profile, "options": options, "job": job, **fields}
        self._add("tasks", entry)
        before = [after] if isinstance(after, (Task, str)) else after
        self._after += [(_name(task), name) for task in before]
        return Task(name)

    def transfer(
        self,
        source: Task | str,
        target: Task | str | Sequence[Task | str],
        bytes: float | str | None = None,  # noqa: A002 (the field's name)
        *,
        tensor: str | None = None,
        staged: bool | None = None,
    ) -> None:
        """Let tasks wait for what another task makes.

        Parameters
        ----------
        source, target
            The producer, and its consumer or consumers.
        bytes
            Size; without it the edge is pure precedence.
        tensor
            Consumers of one tensor share its transfer and its copy.
        staged
            Whether the tensor goes by way of the host.
        """
        more = {"bytes": bytes, "tensor": tensor, "staged": staged}
        for one in [target] if isinstance(target, (Task, str)) else target:
            self._add("transfers", {"from": source, "to": one, **more})

    def kind_share(self, kind: str, **fields: Unpack[KindShareFields]) -> None:
        """Limit the share of a kind of device in the fleet (``min``, ``max``, ``of``)."""
        self._add("kind_shares", {"kind": kind, **fields})

    def scenario(
        self,
        name: str,
        *,
        weight: float | None = None,
        demand: float | None = None,
        rates: Mapping[Job | str, float | str] | None = None,
    ) -> None:
        """Add a demand that the fleet must serve at some time (steady regime).

        Parameters
        ----------
        name
            Name of the scenario.
        weight
            Its part of the time, default 1; weights need not sum to 1.
        demand
            Factor on the rates of all jobs, default 1.
        rates
            Rates of single jobs in it (``{"chat": "3 req/s"}``).
        """
        own = None if rates is None else {_name(job): rate for job, rate in rates.items()}
        self._add("scenarios", {"name": name, "weight": weight, "demand": demand, "rates": own})

    def period(self, name: str, duration: float | str, **fields: Unpack[PeriodFields]) -> None:
        """Add a time that follows the one before (steady regime).

        Parameters
        ----------
        name
            Name of the period.
        duration
            How long it lasts.
        **fields
            ``demand`` (a factor on all rates), ``rates`` (of single jobs), ``energy_price``,
            ``carbon_intensity`` and ``power_cap`` of the period. What ties periods are settings:
            ``periods_cyclic``, ``periods_min_up``, ``periods_max_changes``, ``periods_invest``,
            ``periods_discount_rate``.
        """
        rates = fields.pop("rates", None)
        own = None if rates is None else {_name(job): rate for job, rate in rates.items()}
        self._add("periods", {"name": name, "duration": duration, **fields, "rates": own})

    def initial(self, device: Device | str, units: int = 1, weights: Sequence[str] = ()) -> None:
        """Say what is on, and holds weights, before the first of periods that do not repeat."""
        self._add("initial", {"device": device, "units": units, "weights": list(weights)})

    def together(self, *tasks: Task | str) -> None:
        """Let tasks share one unit."""
        self._groups["together"].append([_name(task) for task in tasks])

    def apart(self, *tasks: Task | str) -> None:
        """Let no two of the tasks share a unit."""
        self._groups["apart"].append([_name(task) for task in tasks])

    def document(self) -> dict[str, Any]:
        """Return the model in the document form, as a JSON file would have it."""
        data: dict[str, Any] = {"hetopt": 1, **self._settings}
        data |= {key: groups for key, groups in self._groups.items() if groups}
        lists = dict(self._lists)
        told = {(edge["from"], edge["to"]) for edge in lists["transfers"]}
        edges = [{"from": a, "to": b} for a, b in dict.fromkeys(self._after) if (a, b) not in told]
        lists["transfers"] = lists["transfers"] + edges
        for key in ("devices", "boards", "pools", "sites", "links", "networks", "resources"):
            if lists[key]:
                data[key] = lists[key]
        if self._profiles:
            data["profiles"] = self._profiles
        for key in LISTS[LISTS.index("tasks") :]:
            if lists[key]:
                data[key] = lists[key]
        return data

    def build(self) -> Instance:
        """Return the instance.

        Raises
        ------
        InputError
            With every problem: object, field, value and what was expected.
        """
        from hetopt.formats.native.document import read_parsed
        from hetopt.formats.place import Fault

        faults: list[Fault] = [Fault(*fault) for fault in self._faults]
        return read_parsed(ModelDocument(self.document()), faults)

    def _add(self, key: str, entry: Mapping[str, Any]) -> None:
        plain = _plain(entry)
        self._lists[key].append({name: value for name, value in plain.items() if value is not None})


def _name(named: Any) -> Any:
    return named.name if isinstance(named, (_Named, Device, Job)) else named


def _plain(value: Any) -> Any:
    """Return plain data: objects of the model by name, NumPy's scalars as Python's."""
    if isinstance(value, Option):
        return _plain(value.fields)
    if isinstance(value, Mapping):
        return {_name(key): _plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "dtype") and hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return _name(value)
