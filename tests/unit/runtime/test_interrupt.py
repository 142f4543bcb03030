"""Work that may take too long: waited for, or left behind."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from hetopt.runtime.interrupt import LeftBehindError, go_on, in_time


def test_work_that_ends_in_time_is_waited_for() -> None:
    assert in_time(lambda: 3, 5.0, threading.Event()) == 3
    go_on()


def test_an_error_of_the_work_is_raised_where_it_is_waited_for() -> None:
    def fail() -> int:
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        in_time(fail, 5.0, threading.Event())


@pytest.mark.parametrize("stopped", [False, True])
def test_work_that_is_left_behind_ends_at_its_next_step(stopped: bool) -> None:
    ended = threading.Event()

    def work() -> None:
        try:
            while True:
                go_on()
                time.sleep(0.01)
        except LeftBehindError:
            ended.set()
            raise

    stop = threading.Event()
    if stopped:
        stop.set()
    assert in_time(work, 60.0 if stopped else 0.1, stop) is None
    assert ended.wait(5.0)
    # The thread that is next to get its identifier is not taken for it.
    assert in_time(lambda: go_on() or 4, 5.0, threading.Event()) == 4


def test_a_process_ends_with_its_code_and_output_though_work_was_left_behind() -> None:
    script = """
import threading, time
from hetopt.runtime.interrupt import end_process, in_time
assert in_time(lambda: time.sleep(60), 0.05, threading.Event()) is None
print("told", end="")
end_process(3)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "told", "")
