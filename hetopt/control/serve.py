"""Starting the service: token, socket, journal, first plan, server."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hetopt.compile import to_frames, to_settings
from hetopt.control.core import Controller
from hetopt.control.journal import Journal
from hetopt.control.planner import Settings
from hetopt.control.service import Service
from hetopt.errors import InputError, Problem
from hetopt.formats.plans import plan_to_dict
from hetopt.formats.plans.reading import plan_from_dict
from hetopt.instance import Instance
from hetopt.profiling.extras import load_extra
from hetopt.replan.streams import check_streams
from hetopt.solution import SteadyPlan
from hetopt.solve import solve_with

HOST = "127.0.0.1"
LEAST_TOKEN = 16


@dataclass(frozen=True)
class Setup:
    """How the service runs.

    Attributes
    ----------
    token
        None: none is asked for (loopback only).
    state
        File of the journal.
    """

    port: int
    token: str | None
    state: Path
    delta_s: float
    rate_per_s: float
    settings: Settings


def read_token(path: str | None, no_auth: bool) -> str | None:
    """Return the token of a file.

    Raises
    ------
    InputError
        Where there is none and ``--no-auth`` is not given, or the file is readable by others, or
        holds no token worth the name.
    """
    if path is None:
        if no_auth:
            return None
        text = "A file with a secret of at least 16 characters, or --no-auth on this machine."
        raise InputError([Problem("--token-file", "", text)])
    if no_auth:
        raise InputError([Problem("--no-auth", "", "Either a token file, or no token.")])
    try:
        mode = os.stat(path).st_mode
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError([Problem("--token-file", path, f"A text file ({error}).")]) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = "A file that only its owner may read: chmod 600."
        raise InputError([Problem("--token-file", path, text)])
    if len(token) < LEAST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        text = f"One line of at least {LEAST_TOKEN} letters, digits and signs."
        raise InputError([Problem("--token-file", path, text)])
    return token


def make_service(
    instance: Instance,
    plan: SteadyPlan | None,
    setup: Setup,
) -> Service:
    """Return the service, with what its journal holds applied.

    Raises
    ------
    InputError
        Where the instance is no fleet of streams, has no plan, or the journal is another's.
    """
    if instance.regime != "steady":
        raise InputError("hetopt control keeps streams of requests at a plan; this is a schedule.")
    check_streams(instance)
    if "value" in instance.objective:
        raise InputError(
            "hetopt control serves all requests; with the objective value a part of them is left."
        )
    if not instance.limits.demand_known:
        raise InputError(
            "The rates of the jobs are needed, not only their shares: state them in the "
            "instance, or give --set jobs.NAME.rate=30/s."
        )
    journal = Journal(setup.state, digest(instance))
    stored = journal.value("plan")
    if stored is None:
        first = plan if plan is not None else _first(instance, setup.settings)
        stored = json.dumps(plan_to_dict(instance, first))
        journal.store("plan", stored)
    begun = plan_from_dict(instance, json.loads(stored))
    if not isinstance(begun, SteadyPlan):
        raise InputError("A plan of streams is expected.")
    service = Service(Controller(instance, begun), journal, setup.settings, setup.delta_s)
    service.restore()
    return service


def _first(instance: Instance, settings: Settings) -> SteadyPlan:
    from dataclasses import replace

    rates = instance.jobs.rate_per_s * (1.0 + settings.headroom)
    roomy = replace(instance, jobs=replace(instance.jobs, rate_per_s=rates))
    longer = replace(settings.options, time_limit_s=max(settings.options.time_limit_s, 10.0))
    for asked in (roomy, instance):
        found = solve_with(asked, longer)
        if isinstance(found.plan, SteadyPlan):
            return found.plan
    raise InputError(f"There is no plan to begin with: {found.reason or found.status}.")


def digest(instance: Instance) -> str:
    """Return a hash of what an instance says."""
    found = hashlib.sha256()
    for name, frame in sorted(to_frames(instance).items()):
        found.update(name.encode())
        found.update(frame.to_csv(index=False).encode("utf-8", "surrogatepass"))
    found.update(json.dumps(to_settings(instance), sort_keys=True, default=str).encode())
    return found.hexdigest()


def serve(
    instance: Instance, plan: SteadyPlan | None, setup: Setup, tell: Callable[[str], None]
) -> None:
    """Run until interrupted.

    Raises
    ------
    InputError
        Where the extra is missing, the port is taken, or as :func:`make_service`.
    """
    for module in ("fastapi", "prometheus_client"):
        load_extra(module, "control", "hetopt control")
    uvicorn = load_extra("uvicorn", "control", "hetopt control")

    from hetopt.control.app import Guard, create_app

    listening = _socket(setup.port)
    port = listening.getsockname()[1]
    service = make_service(instance, plan, setup)
    hosts = (HOST, "localhost") if setup.token is None else ()
    guard = Guard(setup.token, setup.rate_per_s, hosts)
    config = uvicorn.Config(
        create_app(service, guard),
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32 * 1024,
        http="h11",
        ws="none",
        backlog=256,
    )
    again = f", {service.restored} entries of {setup.state} applied" if service.restored else ""
    # What is there now stays: looking through it for garbage takes a tenth of a second.
    gc.collect()
    gc.freeze()
    # Whoever reads that line may connect at once.
    listening.listen(256)
    tell(f"listening on http://{HOST}:{port}{again}")
    uvicorn.Server(config).run(sockets=[listening])


def _socket(port: int) -> socket.socket:
    # With the protocol named, connections send what they have at once: without it each answer waits
    # for 40 ms until its head is acknowledged.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except (OSError, OverflowError) as error:
        found.close()
        text = f"A port of this machine that is free ({error})."
        raise InputError([Problem("--port", str(port), text)]) from None
    return found
