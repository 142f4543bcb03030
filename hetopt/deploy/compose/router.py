"""The configuration of nginx that sends requests where the plan does."""

from __future__ import annotations

from collections.abc import Mapping

from hetopt.deploy.fleet import Fleet, JobRoutes, Stop
from hetopt.deploy.names import label, whole_weights
from hetopt.deploy.target import Provenance
from hetopt.instance import Instance

HEADER = "hetopt-route"
PORT = 8080


def nginx_conf(
    instance: Instance,
    fleet: Fleet,
    hosts: Mapping[tuple[int, int], list[str]],
    origin: Provenance,
) -> bytes:
    """Return nginx's configuration: paths ``/JOB``, or ``/JOB/TASK`` of a job of several.

    The first task of a job with several routes over several tasks draws one (to a ten-thousandth,
    as finely as nginx does) and hands its number on in a header.

    Parameters
    ----------
    hosts
        ``HOST:PORT`` of each unit of a group's server.
    """
    http: list[str] = []
    server: list[str] = []
    for of in fleet.jobs:
        several = draws(of)
        name = _variable(str(instance.jobs.name[of.job]))
        if several:
            http += _split(name, of)
        order = {t: k for k, t in enumerate(instance.topological_order.tolist())}
        tasks = sorted({s.task for r in of.routes for s in r.stops}, key=lambda t: order[t])
        for position, task in enumerate(tasks):
            path = f"/{label(str(instance.jobs.name[of.job]), 200)}"
            if len(tasks) > 1:
                path += f"/{label(str(instance.tasks.name[task]), 200)}"
            stops = _shares(of, task)
            upstream = f"{name}_{_variable(str(instance.tasks.name[task]))}"
            http += _upstream(upstream, stops, hosts)
            if not several:
                server += _location(path, upstream)
                continue
            numbered = [f"{upstream}_{k}" for k in range(len(of.routes))]
            for k, route in enumerate(of.routes):
                own = {stop: 1.0 for stop in route.stops if stop.task == task}
                http += _upstream(numbered[k], own or stops, hosts)
            drawn = f"$route_{name}" if position == 0 else f"$http_{_variable(HEADER)}"
            http += [f"  map {drawn} $at_{upstream} {{", f"    default {upstream};"]
            http += [f"    {k} {at};" for k, at in enumerate(numbered)] + ["  }"]
            extra = [f"      proxy_set_header {HEADER} {drawn};"]
            server += _location(path, f"$at_{upstream}", extra)
    lines = ["events {}", "http {", *http, "  server {", f"    listen {PORT};", *server, "  }", "}"]
    return (origin.comment() + "\n".join(lines) + "\n").encode()


def draws(of: JobRoutes) -> bool:
    """Whether a job has several routes over several tasks, of which one must be drawn."""
    return len(of.routes) > 1 and max(len(route.stops) for route in of.routes) > 1


def _split(name: str, of: JobRoutes) -> list[str]:
    """Return the draw of a job's route."""
    parts = whole_weights([route.share for route in of.routes], 10_000)
    whole = sum(parts)
    lines = [f'  split_clients "$request_id" $route_{name} {{']
    for k, part in enumerate(parts[:-1]):
        if part:
            lines.append(f"    {part * 100 / whole:.2f}% {k};")
    return [*lines, f"    * {len(parts) - 1};", "  }"]


def _shares(of: JobRoutes, task: int) -> dict[Stop, float]:
    shares: dict[Stop, float] = {}
    for route in of.routes:
        for stop in route.stops:
            if stop.task == task:
                shares[stop] = shares.get(stop, 0.0) + route.share
    return shares


def _upstream(
    name: str, stops: Mapping[Stop, float], hosts: Mapping[tuple[int, int], list[str]]
) -> list[str]:
    """Return the units of a task by weight: those of a group share its requests evenly."""
    rows = [
        (host, share / len(hosts[stop.group, stop.server]))
        for stop, share in stops.items()
        for host in hosts[stop.group, stop.server]
    ]
    weights = whole_weights([share for _, share in rows], 1000 * len(rows))
    lines = [
        f"    server {host} weight={weight};"
        for (host, _), weight in zip(rows, weights, strict=True)
        if weight
    ]
    return [f"  upstream {name} {{", *lines, "  }"]


def _location(path: str, upstream: str, extra: list[str] | None = None) -> list[str]:
    return [
        f"    location {path} {{",
        f"      rewrite ^{path}/?(.*)$ /$1 break;",
        *(extra or []),
        f"      proxy_pass http://{upstream};",
        "    }",
    ]


def _variable(text: str) -> str:
    return label(text).replace("-", "_")
