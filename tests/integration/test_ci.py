"""What CI believes: a skipped test says why, and counts as failed where nothing may be skipped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ADDOPTS = ["-rfEs", "-p", "no:cacheprovider", "-p", "xdist"]


def run(folder, reason, workers="0", **environment):
    """Run one test that is skipped for a reason, beside the tests' own conftest.py."""
    (folder / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    test = f"import pytest\n\ndef test_it():\n    pytest.skip({reason!r})\n"
    (folder / "tests" / "test_it.py").write_text(test, encoding="utf-8")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HETOPT_", "PYTEST_"))}
    kept["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # loading them all takes most of the time
    return subprocess.run(
        [sys.executable, "-m", "pytest", *ADDOPTS, "-n", workers, "tests"],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_skipped_test_fails_a_run_that_may_skip_nothing(tmp_path, workers):
    result = run(tmp_path, "needs the reference data x", workers, HETOPT_NO_SKIPS="1")
    assert result.returncode == 1
    assert "HETOPT_NO_SKIPS is set: needs the reference data x" in result.stdout


@pytest.mark.parametrize(
    ("reason", "environment"),
    [
        ("needs the reference data x", {}),
        ("needs Chromium (Debian package chromium)", {"HETOPT_NO_SKIPS": "1"}),
    ],
)
def test_other_skips_pass_and_say_why(tmp_path, reason, environment):
    result = run(tmp_path, reason, **environment)
    assert result.returncode == 0
    assert reason in result.stdout


def test_every_run_of_the_tests_prints_the_reasons_of_skips():
    assert 'addopts = "-rfEs ' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
