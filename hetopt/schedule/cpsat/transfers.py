"""Precedence and transfers of the CP-SAT model.

A message that contends for nothing needs no variables of its own but one literal: away[i,j] says
that producer i and consumer j run on different units, so that something is sent,

    away[i,j] >= at[j,q] - Σ at[i, q and units in one zero-copy pool with q]      for each place q
    s[j] >= e[i] + least delay × away[i,j]

and rows by place of the producer where delays differ between pairs of devices. Where energies
differ, or several consumers share a transfer, one literal per (tensor, destination unit, joules)
is paid for. Where a channel, a slot or memory is at stake there is one literal per (tensor,
source device, destination unit), and one chain of hop intervals with it:

    at[j,q] <= local[n,q] + Σ_d sent[n,d,q]      for each consumer j that may run on q
    sent[n,d,q] <= on[i,d],  local[n,q] <= at[i,q] + Σ at[i, units in one zero-copy pool with q]

A staged tensor has one WRITE chain per source device and one READ chain per destination unit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hetopt.instance import Instance
from hetopt.instance.tariffs import prices_vary
from hetopt.runtime.interrupt import go_on
from hetopt.schedule.bounds.time_windows import TimeWindows
from hetopt.schedule.cpsat.variables import Build, Drawn, Literal, Place
from hetopt.schedule.model.problem import Bill, Hop
from hetopt.solution import DIRECT, READ, WRITE


@dataclass(slots=True)
class Chain:
    """Hop starts of one leg, and the literal that says whether it is needed."""

    literal: Literal
    hops: tuple[Hop, ...]
    start: list[Any]

    def end(self, hop: int) -> Any:
        """Return the end of a hop as an expression."""
        return self.start[hop] + self.hops[hop].duration


@dataclass(slots=True)
class Sending:
    """What the model knows of the transfers of one tensor.

    ``local`` pairs are (producer place, consumer place) between which nothing is sent.
    ``chains`` has keys (leg, source device or -1, destination place).
    """

    tensor: int
    local: list[tuple[Place, Place]] = field(default_factory=list)
    chains: dict[tuple[int, int, Place], Chain] = field(default_factory=dict)


def add_edges(build: Build) -> list[Sending]:
    """Add all edges; return what is sent of the tensors whose transfers contend for something."""
    for before, after, _ in build.problem.edges:
        build.model.add(build.start[after] >= build.end[before])
    away: dict[tuple[int, int], Literal] = {}
    found = []
    for tensor in range(len(build.problem.producer)):
        go_on()
        _delay_consumers(build, tensor, away)
        if build.problem.staged[tensor] or _contends(build, tensor):
            found.append(_send(build, tensor))
        else:
            _pay(build, tensor, away)
    return found


def _consumers(build: Build, tensor: int) -> list[int]:
    return sorted(set(build.problem.consumers[tensor]))


def _near(build: Build, producer: int, target: Place) -> list[Place]:
    """Places of the producer from which nothing is sent to a place."""
    if not build.problem.network.any_zero_copy:
        return [target] if target in build.at[producer] else []
    return [
        place
        for place in sorted(build.at[producer])
        if place == target or build.problem.zero_copy(place[0], target[0])
    ]


def _away(
    build: Build, producer: int, consumer: int, away: dict[tuple[int, int], Literal]
) -> Literal:
    """Literal that is true where something is sent between two tasks; made once per pair."""
    if (producer, consumer) not in away:
        literal = build.bool(f"away{producer},{consumer}")
        for target, there in build.at[consumer].items():
            near = [build.at[producer][p] for p in _near(build, producer, target)]
            build.model.add(literal >= there - sum(near))
        away[producer, consumer] = literal
    return away[producer, consumer]


def _delay_consumers(build: Build, tensor: int, away: dict[tuple[int, int], Literal]) -> None:
    """Consumers start after an uncontended transfer; pairs without a path are forbidden."""
    problem, model = build.problem, build.model
    producer = problem.producer[tensor]
    for consumer in _consumers(build, tensor):
        rows: list[tuple[Literal, list[tuple[int, Literal]]]] = []
        delays: set[int] = set()
        for source, here in build.at[producer].items():
            row = []
            for target, there in build.at[consumer].items():
                if source == target or problem.zero_copy(source[0], target[0]):
                    continue
                delay = problem.delay(tensor, source[0], target[0])
                if delay is None:
                    model.add_bool_or(here.negated(), there.negated())
                else:
                    delays.add(delay)
                    row.append((delay, there))
            rows.append((here, row))
        least = min(delays, default=0)
        if least:
            model.add(
                build.start[consumer]
                >= build.end[producer] + least * _away(build, producer, consumer, away)
            )
        for here, row in rows:
            if any(delay > least for delay, _ in row):
                model.add(
                    build.start[consumer]
                    >= build.end[producer] + sum(delay * there for delay, there in row)
                ).only_enforce_if(here)


def _contends(build: Build, tensor: int) -> bool:
    """Whether a transfer may wait for a channel, a slot or cheap energy, or needs memory."""
    problem = build.problem
    instance = problem.instance
    sources = sorted(build.on[problem.producer[tensor]])
    targets = sorted({d for c in _consumers(build, tensor) for d in build.on[c]})
    ends = sorted({*sources, *targets})
    pools = [int(p) for p in instance.devices.pool[ends].tolist() if p >= 0]
    if problem.bytes_b[tensor] and (
        np.isfinite(instance.devices.memory_b[ends]).any()
        or np.isfinite(instance.pools.memory_b[pools]).any()
    ):
        return True
    slotted = not instance.devices.overlap[ends].all()
    timed = prices_vary(instance) and bool(problem.bytes_b[tensor])
    priced = instance.links.energy_j_per_b > 0
    if not (slotted or timed or (instance.links.channel_group >= 0).any()):
        return False
    return any(
        (hop.duration and (slotted or hop.group >= 0)) or (timed and priced[hop.link])
        for source in sources
        for target in targets
        for _, hops in problem.legs(tensor, source, target) or []
        for hop in hops
    )


def _pay(build: Build, tensor: int, away: dict[tuple[int, int], Literal]) -> None:
    """Pay for the energy of transfers that contend for nothing."""
    problem, model = build.problem, build.model
    if not _energy_counts(problem.instance):
        return
    producer, consumers = problem.producer[tensor], _consumers(build, tensor)
    targets = sorted({place for c in consumers for place in build.at[c]})
    paid: dict[Place, dict[Bill, list[Place]]] = {}
    for target in targets:
        for source in build.at[producer]:
            if source not in _near(build, producer, target):
                legs = problem.legs(tensor, source[0], target[0])
                if legs is not None:
                    bill = problem.hop_bill(tensor, tuple(hop for _, h in legs for hop in h))
                    paid.setdefault(target, {}).setdefault(bill, []).append(source)
    levels = {bill for classes in paid.values() for bill in classes}
    if not any(any(bill) for bill in levels):
        return
    if len(levels) == 1 and len(consumers) == 1:
        literal = _away(build, producer, consumers[0], away)
        build.paid.append((literal, next(iter(levels))))
        return
    for target, classes in paid.items():
        literals = []
        for joules, sources in classes.items():
            literal = build.bool(f"t{tensor},{target}")
            if len(classes) > 1:
                model.add(literal <= sum(build.at[producer][p] for p in sources))
            build.paid.append((literal, joules))
            literals.append(literal)
        near = [build.at[producer][p] for p in _near(build, producer, target)]
        for consumer in consumers:
            here = build.at[consumer].get(target)
            if here is not None:
                model.add(sum(near) + sum(literals) >= here)


def _energy_counts(instance: Instance) -> bool:
    return any(name in ("energy", "cost", "carbon") for name in instance.objective)


def _send(build: Build, tensor: int) -> Sending:
    problem, model = build.problem, build.model
    producer = problem.producer[tensor]
    consumers = _consumers(build, tensor)
    targets = sorted({place for c in consumers for place in build.at[c]})
    sending = Sending(tensor)
    sent: dict[tuple[int, Place], Literal] = {}
    for target in targets:
        sources = []
        near = _near(build, producer, target)
        for device in sorted(build.on[producer]):
            alone = all(p in near for p in build.at[producer] if p[0] == device)
            if alone or problem.legs(tensor, device, target[0]) is None:
                continue
            literal = build.bool(f"t{tensor},{device},{target}")
            model.add_implication(literal, build.on[producer][device])
            sent[(device, target)] = literal
            sources.append(literal)
        local: list[Literal] = []
        if near:
            literal = build.bool(f"l{tensor},{target}")
            model.add(literal <= sum(build.at[producer][p] for p in near))
            sending.local.extend((place, target) for place in near)
            local.append(literal)
        for consumer in consumers:
            here = build.at[consumer].get(target)
            if here is not None:
                model.add(sum(local) + sum(sources) >= here)
    if problem.staged[tensor]:
        _add_staged(build, sending, sent)
    else:
        for (device, target), literal in sent.items():
            for leg, hops in problem.legs(tensor, device, target[0]) or []:
                sending.chains[(leg, device, target)] = _chain(
                    build, tensor, leg, hops, literal, device, target
                )
    _time_chains(build, sending)
    return sending


def _add_staged(build: Build, sending: Sending, sent: dict[tuple[int, Place], Literal]) -> None:
    """One WRITE leg per source device, one READ leg per destination unit off the host."""
    problem, model = build.problem, build.model
    tensor, host = sending.tensor, problem.instance.host
    writes: dict[int, tuple[Literal, tuple[Hop, ...]]] = {}
    reads: dict[Place, tuple[Literal, tuple[Hop, ...]]] = {}
    for (device, target), literal in sent.items():
        for leg, hops in problem.legs(tensor, device, target[0]) or []:
            if leg == WRITE and hops:
                if device not in writes:
                    writes[device] = (build.bool(f"w{tensor},{device}"), hops)
                model.add_implication(literal, writes[device][0])
            elif leg == READ and hops:
                if target not in reads:
                    reads[target] = (build.bool(f"r{tensor},{target}"), hops)
                model.add_implication(literal, reads[target][0])
    for device, (literal, hops) in writes.items():
        model.add_implication(literal, build.on[problem.producer[tensor]][device])
        sending.chains[(WRITE, device, (host, -1))] = _chain(
            build, tensor, WRITE, hops, literal, device, (host, -1)
        )
    for target, (literal, hops) in reads.items():
        sending.chains[(READ, -1, target)] = _chain(build, tensor, READ, hops, literal, -1, target)


def _chain(
    build: Build,
    tensor: int,
    leg: int,
    hops: tuple[Hop, ...],
    literal: Literal,
    device: int,
    target: Place,
) -> Chain:
    """Make the hops of one leg: starts in order, channels and slots held."""
    problem, model = build.problem, build.model
    chain = Chain(literal, hops, [build.time(f"h{tensor},{leg},{k}") for k in range(len(hops))])
    if _energy_counts(problem.instance):
        build.paid.append((literal, problem.hop_bill(tensor, hops)))
    if prices_vary(problem.instance):
        for start, hop in zip(chain.start, hops, strict=True):
            joules = problem.hop_energy(tensor, (hop,))
            if joules:
                length = problem.hop_length(tensor, hop)
                window = _window(build, tensor, device, target[0] if leg != WRITE else -1, hop)
                build.drawn.append(Drawn(literal, start, window, length, joules))
    overlap = problem.instance.devices.overlap
    for k, hop in enumerate(hops):
        if k:
            model.add(chain.start[k] >= chain.end(k - 1)).only_enforce_if(literal)
        if not hop.duration:
            continue
        if hop.group >= 0:
            build.channels.setdefault(hop.group, []).append(_interval(build, chain, k, [literal]))
        if k == 0 and leg != READ and not overlap[device]:
            for place, here in build.at[problem.producer[tensor]].items():
                if place[0] == device:
                    build.occupied.setdefault(place, []).append(
                        _interval(build, chain, k, [literal, here])
                    )
        if k == len(hops) - 1 and leg != WRITE and not overlap[target[0]]:
            build.occupied.setdefault(target, []).append(_interval(build, chain, k, [literal]))
    return chain


def _window(build: Build, tensor: int, source: int, target: int, hop: Hop) -> tuple[int, int]:
    """Ticks in which a hop may start, from or to one device or (-1) any."""
    problem = build.problem
    producer = problem.producer[tensor]
    least = problem.fastest(producer)
    heads = TimeWindows.of(problem).heads[producer]
    first = min(heads[d] + p for d, p in least.items() if source in (-1, d))
    last = [
        TimeWindows.of(problem).latest_ends[c][d] - p
        for c in _consumers(build, tensor)
        for d, p in problem.fastest(c).items()
        if target in (-1, d)
    ]
    return first, max(first, max(last, default=first) - hop.duration)


def _interval(build: Build, chain: Chain, hop: int, literals: list[Literal]) -> Any:
    """Interval of a hop that is there where all literals are true."""
    literal = literals[0]
    if len(literals) > 1:
        literal = build.bool("both")
        build.model.add_bool_or([*[each.negated() for each in literals], literal])
    return build.model.new_optional_fixed_size_interval_var(
        chain.start[hop], chain.hops[hop].duration, literal, "h"
    )


def _time_chains(build: Build, sending: Sending) -> None:
    """Transfers start after what they carry is there; consumers start after arrivals."""
    problem, model = build.problem, build.model
    producer = problem.producer[sending.tensor]
    written = None
    writes = [chain for key, chain in sending.chains.items() if key[0] == WRITE]
    if writes:
        written = build.time(f"w{sending.tensor}")
        for chain in writes:
            last = len(chain.hops) - 1
            model.add(written >= chain.end(last)).only_enforce_if(chain.literal)
    for (leg, _, target), chain in sending.chains.items():
        last = len(chain.hops) - 1
        model.add(build.end[producer] <= chain.start[0]).only_enforce_if(chain.literal)
        if leg == READ and written is not None:
            for write in writes:
                model.add(chain.start[0] >= written).only_enforce_if([chain.literal, write.literal])
        if problem.horizon < build.span:
            model.add(chain.end(last) <= problem.horizon).only_enforce_if(chain.literal)
        if leg == WRITE:
            continue
        for consumer in _consumers(build, sending.tensor):
            here = build.at[consumer].get(target)
            if here is not None:
                model.add(build.start[consumer] >= chain.end(last)).only_enforce_if(
                    [chain.literal, here]
                )
    if written is not None:
        _host_consumers(build, sending, writes, written)


def _host_consumers(build: Build, sending: Sending, writes: list[Chain], written: Any) -> None:
    """Consumers on the host's units (or next to it, without a hop) wait for the WRITE's end."""
    problem, model = build.problem, build.model
    host = problem.instance.host
    for consumer in _consumers(build, sending.tensor):
        for target, here in build.at[consumer].items():
            read = (READ, -1, target) in sending.chains
            if not read and (target[0] == host or problem.zero_copy(host, target[0])):
                near = [place for place, other in sending.local if other == target]
                producer = build.at[problem.producer[sending.tensor]]
                for write in writes:
                    model.add(build.start[consumer] >= written).only_enforce_if(
                        [here, write.literal, *[producer[p].negated() for p in near]]
                    )


def limit_channels(build: Build) -> None:
    """No channel group carries more hops at once than it has channels."""
    channels = build.problem.instance.links.group_channels
    for group in sorted(build.channels):
        intervals = build.channels[group]
        capacity = int(channels[group])
        if capacity == 1:
            build.no_overlap(intervals)
        elif capacity < len(intervals) * build.copies:
            build.cumulative(intervals, [1] * len(intervals), capacity)


__all__ = ["DIRECT", "Chain", "Sending", "add_edges", "limit_channels"]
