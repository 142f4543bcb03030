"""The controller as a service: a queue before the journal, ticks, plans beside, waiting readers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hetopt.control.core import Controller
from hetopt.control.journal import MOVED_EVERY, Journal
from hetopt.control.planner import Asked, Settings, asked, failed, make
from hetopt.simulate.events import Event, Tick, event_from_dict, event_to_json

SNAPSHOT_EVERY = 20_000
"""Entries after which the whole state is written."""
MOST_WAITING = 20_000
"""Events that may wait for the journal; more are turned away."""
RECENT_PLANS = 50


class BusyError(Exception):
    """More events wait than may."""


@dataclass
class Taken:
    """What became of the events of a request."""

    accepted: int
    duplicates: int
    decisions: list[dict[str, Any]]


@dataclass
class _Batch:
    events: list[Event]
    done: asyncio.Future[Taken]


@dataclass
class Service:
    """One controller and its journal.

    Parameters
    ----------
    delta_s
        Seconds between ticks; rates are looked at then.
    """

    controller: Controller
    journal: Journal
    settings: Settings
    delta_s: float
    plans: list[dict[str, Any]] = field(default_factory=list)
    restored: int = 0

    def restore(self) -> None:
        """Apply what the journal holds: the snapshot, then each entry since."""
        state, entries = self.journal.load()
        if state is not None:
            self.controller.read(state["controller"])
            self.plans = state["plans"]
        for entry in entries:
            self._apply(entry)
            self.restored += 1
        offset = self.journal.value("began")
        if offset is None:
            self.journal.store("began", repr(time.time()))
        self.began = float(self.journal.value("began") or time.time())

    async def start(self) -> None:
        """Begin to take events."""
        self._pending: list[_Batch] = []
        self._waiting = 0
        self._wake = asyncio.Event()
        self._news = asyncio.Condition()
        self._planning = False
        # What is durable is applied before anything else becomes durable: in the log's order.
        self._order = asyncio.Lock()
        self._snapshot_at = self._moved_at = self.journal.seq
        self._keeping = False
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._ticks())]
        self._plan_if_wanted()

    async def stop(self) -> None:
        """End, with what was accepted written."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.journal.close()

    def now_s(self) -> float:
        """Seconds since this journal was begun."""
        return max(0.0, time.time() - self.began)

    async def take(self, events: list[Event]) -> Taken:
        """Accept events: durable first, then applied.

        Raises
        ------
        BusyError
            Where too many wait already.
        """
        if self._waiting + len(events) > MOST_WAITING:
            raise BusyError
        batch = _Batch(events, asyncio.get_running_loop().create_future())
        self._waiting += len(events)
        self._pending.append(batch)
        self._wake.set()
        return await batch.done

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batches, self._pending = self._pending, []
            if not batches:
                continue
            rows = [
                (event.id or None, '{"kind":"event",' + event_to_json(event)[1:])
                for batch in batches
                for event in batch.events
            ]
            async with self._order:
                try:
                    new = await asyncio.to_thread(self.journal.append, rows)
                except Exception as error:  # noqa: BLE001 - a full disk must not end the loop
                    for batch in batches:
                        self._waiting -= len(batch.events)
                        if not batch.done.done():
                            batch.done.set_exception(error)
                    continue
                at = 0
                for batch in batches:
                    flags = new[at : at + len(batch.events)]
                    at += len(batch.events)
                    await self._applied(batch, flags)
            await self._told()

    async def _applied(self, batch: _Batch, flags: list[bool]) -> None:
        self._waiting -= len(batch.events)
        decisions: list[dict[str, Any]] = []
        for event, first in zip(batch.events, flags, strict=True):
            if first:
                decisions += self.controller.apply(event)
        if not batch.done.done():
            accepted = sum(flags)
            batch.done.set_result(Taken(accepted, len(flags) - accepted, decisions))
        await asyncio.sleep(0)

    async def _told(self) -> None:
        async with self._news:
            self._news.notify_all()
        self._plan_if_wanted()
        if self._keeping:
            return
        seq = self.journal.seq
        if seq - self._snapshot_at >= SNAPSHOT_EVERY:
            # What is applied is what is written: the order is held until the state is copied.
            async with self._order:
                self._snapshot_at = seq = self.journal.seq
                state = {"controller": self.controller.to_dict(), "plans": list(self.plans)}
            self._beside(self.journal.snapshot, seq, state)
        elif seq - self._moved_at >= MOVED_EVERY:
            self._moved_at = seq
            self._beside(self.journal.move)

    def _beside(self, work: Callable[..., None], *given: Any) -> None:
        """Let the journal work while events go on being taken; one such thing at a time."""
        self._keeping = True

        async def done() -> None:
            try:
                await asyncio.to_thread(work, *given)
            except sqlite3.Error:
                # A full disk, say: what is written stays, and it is tried again later.
                pass
            finally:
                self._keeping = False

        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(done()))

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(self.delta_s)
            try:
                await self.take([Tick(max(self.now_s(), self.controller.fleet.time_s))])
            except BusyError:
                continue

    def _plan_if_wanted(self) -> None:
        if self.controller.wanted is None or self._planning:
            return
        self._planning = True
        question = asked(self.controller)
        self.controller.wanted = None
        self._tasks.append(asyncio.create_task(self._plan(question)))
        self._tasks = [task for task in self._tasks if not task.done()]

    async def _plan(self, question: Asked) -> None:
        try:
            entry = await asyncio.to_thread(make, question, self.settings)
        except Exception as error:  # noqa: BLE001 - told in /state; the plan in force goes on
            entry = failed(question, error)
        async with self._order:
            await asyncio.to_thread(self.journal.append, [(None, json.dumps(entry))])
            again = self.controller.wanted
            self._apply(entry)
            self.controller.wanted = again
        self._planning = False
        await self._told()

    def _apply(self, entry: dict[str, Any]) -> None:
        if entry["kind"] == "plan":
            self.controller.take_plan(entry)
            shown = {k: v for k, v in entry.items() if k not in ("kind", "plan")}
            self.plans.append({"time_s": self.controller.fleet.time_s, **shown})
            del self.plans[:-RECENT_PLANS]
            return
        fields = {key: value for key, value in entry.items() if key != "kind"}
        self.controller.apply(event_from_dict(fields))

    async def after(self, number: int, limit: int, wait_s: float) -> list[dict[str, Any]]:
        """Return decisions after a number, waiting for some where there are none."""
        end = time.monotonic() + wait_s
        while True:
            found = self.since(number, limit)
            left = end - time.monotonic()
            if found or left <= 0:
                return found
            try:
                async with self._news:
                    await asyncio.wait_for(self._news.wait(), min(left, 30.0))
            except TimeoutError:
                continue

    def since(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return at most so many decisions after a number, oldest first."""
        kept = self.controller.decisions
        new = min(self.controller.made - number, len(kept))
        if new <= 0:
            return []
        first = len(kept) - new
        return [kept[i] for i in range(first, min(first + limit, len(kept)))]

    def oldest(self) -> int:
        """Return the number of the oldest decision that is kept, less 1."""
        return self.controller.made - len(self.controller.decisions)
