"""Loops over pieces of work: same results in the same order, wherever they run."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hetopt.errors import HetoptError, InputError
from hetopt.runtime.executors.loop import in_order, silent
from hetopt.runtime.executors.processes import TRIES, ProcessExecutor


def square(item: int, stop: threading.Event) -> int:
    return item * item


def slow_first(item: int, stop: threading.Event) -> int:
    time.sleep(0.2 if item == 0 else 0.0)
    return item


def dies_once(item: tuple[int, str], stop: threading.Event) -> int:
    """End the process the first time, as one that takes too much memory is ended."""
    number, place = item
    if number == 1 and not Path(place).exists():
        Path(place).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dies_always(item: int, stop: threading.Event) -> int:
    if item == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def wrong(item: int, stop: threading.Event) -> int:
    raise InputError(f"no {item}")


def until_stopped(item: str, stop: threading.Event) -> str:
    Path(item).touch()
    assert stop.wait(20)
    return "stopped"


@pytest.fixture(scope="module")
def processes():
    with ProcessExecutor(2) as executor:
        yield executor


def run(executor, work, items, stop=None, tell=silent):
    named = {str(k): item for k, item in enumerate(items)}
    return [r for _, r in in_order(executor, work, named, stop or threading.Event(), tell)]


def test_results_come_in_the_order_of_the_items(processes):
    with ThreadPoolExecutor(3) as threads:
        for executor in (None, threads, processes):
            assert run(executor, square, range(7)) == [k * k for k in range(7)]
            assert run(executor, slow_first, range(4)) == [0, 1, 2, 3]
            assert run(executor, square, []) == []


def test_errors_are_those_of_the_work(processes):
    for executor in (None, processes):
        with pytest.raises(InputError, match="no 0"):
            run(executor, wrong, range(2))


def test_progress_says_what_runs_where(processes):
    lines: list[str] = []
    assert run(processes, slow_first, range(3), tell=lines.append) == [0, 1, 2]
    assert any("of 3 done" in line for line in lines)
    assert any(f"0 on {os.uname().nodename}:" in line for line in lines)


def test_a_process_that_ends_takes_no_work_with_it(tmp_path):
    place = str(tmp_path / "died")
    with ProcessExecutor(2) as executor:
        found = run(executor, dies_once, [(k, place) for k in range(6)])
        assert found == list(range(6))
        # It goes on with the processes that took over.
        assert run(executor, square, range(3)) == [0, 1, 4]
    assert Path(place).exists()


def test_work_that_ends_every_process_is_given_up():
    with ProcessExecutor(1) as executor:
        good, bad = executor.submit(int, "7"), executor.submit(dies_always, 1, None)
        with pytest.raises(HetoptError, match=f"ended {TRIES} times"):
            bad.result(60)
        assert good.result(60) == 7
        assert executor.submit(int, "8").result(60) == 8


def test_a_stop_reaches_what_runs_and_leaves_out_what_has_not_begun(tmp_path):
    stop = threading.Event()
    places = [str(tmp_path / f"{k}") for k in range(8)]

    def stop_when_both_run():
        while not all(Path(place).exists() for place in places[:2]):
            time.sleep(0.05)
        stop.set()

    thread = threading.Thread(target=stop_when_both_run)
    with ProcessExecutor(2) as executor:
        thread.start()
        assert run(executor, until_stopped, places, stop) == ["stopped", "stopped"]
    thread.join()
    assert not any(Path(place).exists() for place in places[4:])
