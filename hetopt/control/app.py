"""The HTTP face of the controller: what it takes, what it says, and what it turns away.

Nothing that a client sends ends in a 5xx: sizes, rates and nesting are bounded before anything is
read, JSON is parsed once within those bounds, and each event is checked against the instance before
it is written.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from hetopt.control.metrics import exposition
from hetopt.control.service import BusyError, Service
from hetopt.control.view import plan_view, state_view
from hetopt.errors import InputError, Problem
from hetopt.simulate.events import Event, events_from_list, events_schema
from hetopt.version import __version__

MOST_BYTES = 2 * 1024 * 1024
MOST_EVENTS = 1000
BODY_S = 10.0
"""Seconds within which a body must have come."""
LONGEST_WAIT_S = 60.0
MOST_STREAMS = 64
MOST_DECISIONS = 5000
HEARTBEAT_S = 15.0


@dataclass
class Guard:
    """Who may ask, and how much.

    Attributes
    ----------
    token
        None: anybody on this machine.
    rate_per_s
        Events accepted a second; twice as many at once.
    hosts
        Names that requests may be sent to; empty: any.
    """

    token: str | None
    rate_per_s: float
    hosts: tuple[str, ...] = ()
    turned_away: dict[str, int] = field(default_factory=dict)
    streams: int = 0
    _left: float = 0.0
    _at: float = 0.0

    def allows(self, count: int) -> float:
        """Take from the bucket; return 0, or the seconds after which to try again."""
        now = time.monotonic()
        most = max(2.0 * self.rate_per_s, float(MOST_EVENTS))
        if not self._at:
            self._left = most
        else:
            self._left = min(most, self._left + (now - self._at) * self.rate_per_s)
        self._at = now
        if count > self._left:
            return (count - self._left) / self.rate_per_s
        self._left -= count
        return 0.0


def create_app(service: Service, guard: Guard) -> FastAPI:
    """Return the application."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            yield
        finally:
            await service.stop()

    app = FastAPI(
        title="hetopt control",
        version=__version__,
        description="Events in, decisions out; docs/control.md.",
        lifespan=life,
        docs_url=None,
        redoc_url=None,
    )
    _errors(app, guard)

    # A coroutine: what is none is handed to a thread, and that takes longer than comparing.
    async def authorized(authorization: Annotated[str | None, Header()] = None) -> None:
        if guard.token is None:
            return
        given = (authorization or "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, f"Bearer {guard.token}".encode()):
            raise HTTPException(401, "A bearer token is expected.", {"WWW-Authenticate": "Bearer"})

    known = [Depends(authorized)]
    _events(app, service, guard, known)
    _decisions(app, service, guard, known)

    @app.get("/state", dependencies=known, summary="What is so: units, jobs, totals, plans")
    async def state() -> dict[str, Any]:
        return state_view(service)

    @app.get("/plan", dependencies=known, summary="The plan in force")
    async def plan() -> dict[str, Any]:
        return plan_view(service)

    @app.get("/metrics", dependencies=known, summary="For Prometheus")
    async def metrics() -> Response:
        text = exposition(service, guard.turned_away)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/health", summary="Whether the service is there")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "version": __version__, "time_s": service.now_s()}

    @app.get("/", response_class=HTMLResponse, summary="The page; it asks for the token itself")
    async def page() -> HTMLResponse:
        text = files("hetopt").joinpath("data", "control.html").read_text(encoding="utf-8")
        return HTMLResponse(
            text,
            headers={
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
                "script-src 'unsafe-inline'; connect-src 'self'; img-src data:",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "X-Frame-Options": "DENY",
            },
        )

    return app


def _errors(app: FastAPI, guard: Guard) -> None:
    def told(status: int, detail: Any, headers: Any = None) -> JSONResponse:
        guard.turned_away[str(status)] = guard.turned_away.get(str(status), 0) + 1
        return JSONResponse({"detail": detail}, status, headers)

    @app.exception_handler(StarletteHTTPException)
    async def refused(_: Request, error: StarletteHTTPException) -> JSONResponse:
        return told(error.status_code, error.detail, error.headers)

    @app.exception_handler(RequestValidationError)
    async def unfit(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [
            {"place": ".".join(str(p)[:80] for p in e["loc"]), "expected": str(e["msg"])[:200]}
            for e in error.errors()[:20]
        ]
        return told(422, problems)

    @app.exception_handler(InputError)
    async def wrong(_: Request, error: InputError) -> JSONResponse:
        problems = [
            {"place": p.place[:200], "value": _plain(p.value)[:80], "expected": p.expected[:300]}
            for p in error.problems[:20]
        ]
        return told(422, problems)

    app.add_middleware(_Hosts, guard=guard, told=told)


class _Hosts:
    """A page elsewhere must not reach a service without a token by a name of its own."""

    def __init__(self, app: ASGIApp, guard: Guard, told: Callable[..., JSONResponse]) -> None:
        self._app, self._guard, self._told = app, guard, told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._guard.hosts and scope["type"] == "http":
            given = Headers(scope=scope).get("host", "")
            if given.rsplit(":", 1)[0].strip("[]") not in self._guard.hosts:
                text = "This service is asked by the address that it listens on."
                await self._told(400, text)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _plain(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode("utf-8")


async def _body(request: Request) -> bytes:
    """Read a body within the bounds on size and time."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length[:20]) > MOST_BYTES:
        raise HTTPException(413, f"At most {MOST_BYTES} bytes.")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            async for part in request.stream():
                size += len(part)
                if size > MOST_BYTES:
                    raise HTTPException(413, f"At most {MOST_BYTES} bytes.")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"The body is expected within {BODY_S:g} s.") from None
    return b"".join(parts)


def parse(body: bytes) -> list[Event]:
    """Return the events of a body: an object, a list of them, or ``{"events": [...]}``.

    Raises
    ------
    InputError, HTTPException
        With the place of what is wrong.
    """
    try:
        data = json.loads(body)
        if b"\\u" in body or b"\\U" in body:
            # Halves of characters are no text: neither a database nor an answer can hold them.
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        text = str(error)[:200] if isinstance(error, ValueError) else "nested too deeply"
        raise HTTPException(422, f"JSON in UTF-8 is expected: {_plain(text)}") from None
    if isinstance(data, dict) and "events" in data and "event" not in data:
        data = data["events"]
    rows = data if isinstance(data, list) else [data]
    if not 1 <= len(rows) <= MOST_EVENTS:
        raise HTTPException(422, f"From 1 to {MOST_EVENTS} events a request; {len(rows)} came.")
    try:
        return events_from_list(rows, "events")
    except RecursionError:
        raise HTTPException(422, "Nested too deeply for an event.") from None


def _events(app: FastAPI, service: Service, guard: Guard, known: Any) -> None:
    schema = events_schema()["$defs"]
    names = (
        "Arrived",
        "Started",
        "Finished",
        "DeviceDown",
        "DeviceUp",
        "CapChanged",
        "RateChanged",
    )
    shapes = [schema[name] for name in names]
    asked = {"type": "array", "minItems": 1, "maxItems": MOST_EVENTS, "items": {"oneOf": shapes}}

    @app.post(
        "/events",
        dependencies=known,
        summary="Tell what happened: 1 to 1,000 events, each with an id, each counted once",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": asked}}}},
    )
    async def events(request: Request) -> JSONResponse:
        found = parse(await _body(request))
        wrong: list[Problem] = []
        for i, event in enumerate(found):
            try:
                service.controller.check(event, f"events[{i}]")
            except InputError as error:
                wrong += error.problems
        if wrong:
            raise InputError(wrong)
        later = guard.allows(len(found))
        if later:
            raise HTTPException(
                429, "More events than are taken a second.", {"Retry-After": f"{later:.0f}"}
            )
        try:
            taken = await service.take(found)
        except BusyError:
            raise HTTPException(429, "Too many events wait.", {"Retry-After": "1"}) from None
        # As it is: going over each decision once more would take as long as making it.
        return JSONResponse(
            {
                "accepted": taken.accepted,
                "duplicates": taken.duplicates,
                "decisions": taken.decisions,
                "last_decision": service.controller.made,
            }
        )


def _decisions(app: FastAPI, service: Service, guard: Guard, known: Any) -> None:
    def check(after: int) -> None:
        if after < service.oldest():
            raise HTTPException(
                410, {"expected": f"Decisions after {service.oldest()} are kept.", "after": after}
            )

    @app.get(
        "/decisions",
        dependencies=known,
        summary="Decisions after a number; waits for some where there are none (long poll)",
    )
    async def decisions(
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S)] = 0.0,
        limit: Annotated[int, Query(ge=1, le=MOST_DECISIONS)] = 1000,
    ) -> JSONResponse:
        check(after)
        found = await service.after(after, limit, wait)
        return JSONResponse({"decisions": found, "last_decision": service.controller.made})

    @app.get(
        "/decisions/stream",
        dependencies=known,
        summary="The same as server-sent events; Last-Event-ID goes on where it was",
        response_class=StreamingResponse,
    )
    async def stream(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**53)] = 0,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        begin = after
        if last_event_id is not None:
            plain = last_event_id.isascii() and last_event_id.isdigit()
            if not plain or len(last_event_id) > 16:
                raise HTTPException(422, "Last-Event-ID: the number of a decision.")
            begin = int(last_event_id)
        check(begin)
        if guard.streams >= MOST_STREAMS:
            raise HTTPException(429, f"At most {MOST_STREAMS} streams.", {"Retry-After": "10"})

        async def lines() -> AsyncIterator[str]:
            at = begin
            guard.streams += 1
            try:
                while not await request.is_disconnected():
                    found = await service.after(at, MOST_DECISIONS, HEARTBEAT_S)
                    if not found:
                        yield ": still here\n\n"
                        continue
                    at = found[-1]["decision"]
                    yield "".join(
                        f"id: {d['decision']}\nevent: decision\ndata: {json.dumps(d)}\n\n"
                        for d in found
                    )
            finally:
                guard.streams -= 1

        return StreamingResponse(
            lines(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
