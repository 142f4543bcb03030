"""What all tests share: where the reference data lie, and how hypothesis runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

REPO = Path(__file__).resolve().parents[1]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


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
