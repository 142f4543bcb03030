"""A client of the controller that needs nothing but the standard library."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from hetopt.errors import HetoptError
from hetopt.simulate.events import Event, to_dict

TRIES = 5


class ControlError(HetoptError):
    """The controller refused a request, or cannot be reached."""


class Client:
    """Sends events and reads decisions.

    Parameters
    ----------
    url
        ``http://127.0.0.1:8765``.
    token
        The bearer token, where the service asks for one.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = 30.0) -> None:
        self.url, self.timeout_s = url.rstrip("/"), timeout_s
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self.last = 0

    def send(self, events: Iterable[Event | Mapping[str, Any]]) -> dict[str, Any]:
        """Send at most 1,000 events; return what was accepted, and the decisions.

        Events without an id get one. Where the service cannot be reached they are sent again: an
        event counts once however often it is told.
        """
        rows = [to_dict(e) if not isinstance(e, Mapping) else dict(e) for e in events]
        for row in rows:
            if not row.get("id"):
                row["id"] = uuid.uuid4().hex
        return self._ask("/events", json.dumps(rows).encode())

    def decisions(self, wait_s: float = 0.0) -> list[dict[str, Any]]:
        """Return the decisions that were not returned before, waiting for some."""
        found = self._ask(f"/decisions?after={self.last}&wait={wait_s:g}")["decisions"]
        if found:
            self.last = found[-1]["decision"]
        listed: list[dict[str, Any]] = found
        return listed

    def state(self) -> dict[str, Any]:
        """Return what the service says is so."""
        return self._ask("/state")

    def health(self) -> dict[str, Any]:
        """Return the version, and the time on the clock that events go by."""
        return self._ask("/health")

    def plan(self) -> dict[str, Any]:
        """Return the plan in force."""
        return self._ask("/plan")

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        for attempt in range(TRIES):
            request = urllib.request.Request(self.url + path, body, self._headers)
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                    found: dict[str, Any] = json.load(answer)
                    return found
            except urllib.error.HTTPError as error:
                text = error.read(2000).decode("utf-8", "replace")
                if error.code == 429 and attempt < TRIES - 1:
                    time.sleep(0.2 * 2**attempt)
                    continue
                raise ControlError(f"{self.url}{path}: {error.code} {text}") from None
            except OSError as error:
                if attempt == TRIES - 1:
                    raise ControlError(f"{self.url}{path}: {error}") from None
                time.sleep(0.2 * 2**attempt)
        raise ControlError(f"{self.url}{path}: no answer")
