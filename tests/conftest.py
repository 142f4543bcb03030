"""What all tests share: where the reference data lie, and how hypothesis runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

try:
    WITHOUT_PYARROW = find_spec("pyarrow") is None
except ValueError:  # blocked
    WITHOUT_PYARROW = True

REPO = Path(__file__).resolve().parents[1]

ALLOWED_SKIPS = ("needs Chromium", "needs Ray", "The peer ")
"""How the reasons begin that skip a test even where HETOPT_NO_SKIPS is set, as CI sets it where the
reference data are: what the tests' own dependencies do not install."""

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Skip a test that failed for want of pyarrow, an extra, and of nothing else."""
    try:
        return (yield)
    except BaseException as error:
        if not WITHOUT_PYARROW or not any("pyarrow" in str(cause) for cause in causes(error)):
            raise
        pytest.skip("needs pyarrow: pip install 'hetopt[parquet]'")


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.fixture(scope="session")
def repo_path() -> Path:
    """Root of the repository."""
    return REPO


@pytest.fixture(scope="session")
def shared_path() -> Callable[..., Path]:
    """Return a function from parts of a path to a file of the shared reference data.

    The folder is the environment's HETOPT_SHARED, else `shared` beside the repository.
    A test is skipped where the file is not there.
    """
    root = Path(os.environ.get("HETOPT_SHARED") or REPO.parent / "shared")

    def locate(*parts: str) -> Path:
        path = root.joinpath(*parts)
        if not path.exists():
            pytest.skip(
                f"needs the reference data {'/'.join(parts) or 'folder'}, which is not in {root}; "
                "set HETOPT_SHARED to the folder that holds it"
            )
        return path

    return locate


def unexpected_skips(reasons: list[str]) -> list[str]:
    """Return the reasons, each once, that must not skip a test where the reference data are."""
    wrong = [reason for reason in reasons if not reason.startswith(ALLOWED_SKIPS)]
    return list(dict.fromkeys(wrong))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let a run fail in which tests were skipped that HETOPT_NO_SKIPS wants run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("HETOPT_NO_SKIPS") or reporter is None or hasattr(session, "workerinput"):
        return
    skipped = [report.longrepr for report in reporter.stats.get("skipped", [])]
    reasons = [str(r[2] if isinstance(r, tuple) else r).removeprefix("Skipped: ") for r in skipped]
    wrong = unexpected_skips(reasons)
    for reason in wrong:
        reporter.write_line(f"\nskipped, but HETOPT_NO_SKIPS is set: {reason}", red=True)
    if wrong and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
