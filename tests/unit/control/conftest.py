"""A fleet of two kinds, its controller and its service behind HTTP."""

import contextlib

import pytest

from bench.control import FLEET as TWO_KINDS
from hetopt import read_instance, solve
from hetopt.control.app import Guard, create_app
from hetopt.control.core import Controller
from hetopt.control.planner import Settings
from hetopt.control.serve import Setup, make_service
from hetopt.solve import SolveOptions

FLEET = TWO_KINDS.replace("220/s", "120/s, latency_slo: 15 ms").replace("110/s", "60/s")
TOKEN = "correct-horse-battery-staple"
SETTINGS = Settings(SolveOptions(1.0, method="heuristic", workers=1))


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    path = tmp_path_factory.mktemp("fleet") / "fleet.yaml"
    path.write_text(FLEET, encoding="utf-8")
    return read_instance(path)


@pytest.fixture(scope="session")
def plan(fleet):
    return solve(fleet, time_limit=3).plan


@pytest.fixture
def controller(fleet, plan):
    return Controller(fleet, plan)


@pytest.fixture
def setup(tmp_path):
    return Setup(0, TOKEN, tmp_path / "state.db", 3600.0, 100_000.0, SETTINGS)


@pytest.fixture
def opened(fleet, plan, setup):
    """Return a function that opens the service as a client; again goes on with the same journal."""
    from fastapi.testclient import TestClient

    @contextlib.contextmanager
    def client(token=TOKEN, **guard):
        service = make_service(fleet, plan, setup)
        app = create_app(service, Guard(token, **{"rate_per_s": 1e5, **guard}))
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        # What goes wrong inside is answered, as it is for a client over a network.
        with TestClient(
            app, base_url="http://127.0.0.1", headers=headers, raise_server_exceptions=False
        ) as found:
            found.service = service
            yield found

    return client
