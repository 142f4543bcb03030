"""A fleet on Ray Serve: units that run models, and a door that draws each request's route.

This file is copied beside ``serve.yaml`` and needs Ray alone. A model is a function that
``serve.yaml`` names (``MODULE:FUNCTION``): it takes a list of payloads and a dictionary about the
server (model, option, batch, device, slots of the unit), and returns a list of as many results.

``POST /JOB`` with a JSON payload runs all tasks of the job. A task without predecessors gets the
payload, any other a dictionary of its predecessors' results. The answer holds the number of the
route and the results of the tasks that no other waits for.
"""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Awaitable, Callable
from typing import Any

from ray import serve


class Unit:
    """One unit of a device: every model that it serves, at most ``slots`` executions at once."""

    def __init__(self, group: dict[str, Any]) -> None:
        self._slots = asyncio.Semaphore(group["slots"])
        self._models = [self._model(server) for server in group["servers"]]

    def _model(self, server: dict[str, Any]) -> Callable[[Any], Awaitable[Any]]:
        module, _, name = server["function"].partition(":")
        function = getattr(importlib.import_module(module), name)

        async def execute(payloads: list[Any]) -> list[Any]:
            async with self._slots:
                return list(await asyncio.to_thread(function, payloads, server))

        if server["batch"] == 1:

            async def one(payload: Any) -> Any:
                return (await execute([payload]))[0]

            return one
        batched: Callable[[Any], Awaitable[Any]] = serve.batch(
            max_batch_size=server["batch"],
            batch_wait_timeout_s=server["batch_wait_s"],
            max_concurrent_batches=server["slots"],
        )(execute)
        return batched

    async def run(self, server: int, payload: Any) -> Any:
        """Run one payload with one of the unit's models."""
        return await self._models[server](payload)


class Door:
    """Draws a route for each request, by the plan's shares, and runs the job's tasks along it."""

    def __init__(self, jobs: dict[str, Any], units: dict[str, Any], seed: int | None) -> None:
        self._jobs = jobs
        self._units = units
        self._random = random.Random(seed)

    async def __call__(self, request: Any) -> Any:
        """Answer ``POST /JOB``."""
        from starlette.responses import JSONResponse

        name = request.url.path.strip("/").rpartition("/")[2]
        if name not in self._jobs:
            known = ", ".join(self._jobs)
            return JSONResponse({"error": f"no job {name}; there are {known}"}, status_code=404)
        body = await request.body()
        try:
            payload = await request.json() if body else None
        except ValueError:
            return JSONResponse({"error": "the payload is no JSON"}, status_code=422)
        return await self.run(name, payload)

    async def run(self, name: str, payload: Any) -> dict[str, Any]:
        """Run a request of a job along a route."""
        job = self._jobs[name]
        shares = [route["share"] for route in job["routes"]]
        number = self._random.choices(range(len(shares)), shares)[0]
        stops = job["routes"][number]["stops"]
        done: dict[str, asyncio.Task[Any]] = {}
        for task in job["tasks"]:  # in an order in which predecessors come first
            before = {name: done[name] for name in task["after"] if name in done}
            stop = stops.get(task["name"])
            if stop is not None:
                work = self._task(stop, before, payload)
                done[task["name"]] = asyncio.ensure_future(work)
        results = {name: await work for name, work in done.items()}
        waited = {name for task in job["tasks"] for name in task["after"] if task["name"] in done}
        last = {name: result for name, result in results.items() if name not in waited}
        at = {name: stops[name]["group"] for name in done}
        return {"route": number, "groups": at, "results": last}

    async def _task(
        self, stop: dict[str, Any], before: dict[str, asyncio.Task[Any]], payload: Any
    ) -> Any:
        given = {name: await work for name, work in before.items()} if before else payload
        return await self._units[stop["group"]].run.remote(stop["server"], given)


def build(fleet: dict[str, Any]) -> Any:
    """Return the application of the arguments in ``serve.yaml``."""
    units = {
        group["name"]: serve.deployment(name=group["name"])(Unit).bind(group)
        for group in fleet["groups"]
    }
    door = serve.deployment(name="door")(Door)
    return door.bind(fleet["jobs"], units, fleet.get("seed"))
