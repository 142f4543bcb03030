"""The parent's side of the HiGHS child process: start it, use it again, end it in time."""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from hetopt.solvers.highs_worker import read_frame, write_frame

Frame = dict[str, Any]

_POLL_S = 0.02  # how often the stop event is looked at
_GRACE_S = 0.25  # what HiGHS may take beyond its own limit before it is asked to stop
_ANSWER_S = 0.5  # what the child may take to answer a request to stop before it is killed
_MESSAGE_LENGTH = 500  # characters of the child's last words that are passed on

_processes: dict[int, HighsProcess] = {}
_inherited: list[HighsProcess] = []
_lock = threading.Lock()


def _leave_to_parent() -> None:
    """Start afresh in a fork: a child that two processes talk to mixes up their answers.

    What is inherited is kept, not ended, as it is the parent's to use and to end.
    """
    global _lock
    _lock = threading.Lock()
    for process in _processes.values():
        atexit.unregister(process.end)
        _inherited.append(process)
    _processes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


def highs_process(threads: int) -> HighsProcess:
    """Return the running child with this many threads, started if need be.

    HiGHS fixes its number of threads once a process, so there is a child for each number.
    """
    with _lock:
        process = _processes.get(threads)
        if process is None or not process.alive:
            process = HighsProcess(threads)
            _processes[threads] = process
        return process


class HighsProcess:
    """A child process that solves one problem at a time.

    Parameters
    ----------
    threads
        Threads of HiGHS.
    """

    def __init__(self, threads: int) -> None:
        self._turn = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="hetopt-")
        self._words = (Path(self._folder.name) / "stderr").open("w+b")
        worker = Path(__file__).with_name("highs_worker.py")
        # -P keeps the package's own folder off the child's import path.
        command = [sys.executable, "-P", str(worker), self._folder.name, str(threads)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._words
        )
        self._to_child = cast(IO[bytes], self._child.stdin)
        self._from_child = cast(IO[bytes], self._child.stdout)
        self._answers: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        self._ready = False
        self.alive = True
        atexit.register(self.end)

    def solve(
        self,
        frame: Frame,
        deadline: float | None,
        stop: threading.Event | None,
        progress: Callable[[float, float], None],
    ) -> Frame:
        """Send a problem and return the answer.

        Parameters
        ----------
        frame
            The problem, as `highs_worker` takes it; its time limit is set here.
        deadline
            `time.monotonic()` by which the answer must be here, None for no limit.
        stop
            Ends the search when set.
        progress
            Called with incumbent and bound, infinite where unknown.

        Returns
        -------
        dict
            The worker's result. Its "reason" is a termination reason of MathOpt, or "TIMED_OUT",
            "INTERRUPTED", or "CRASHED" with a "message".
        """
        with self._turn:
            try:
                answer = self._converse(frame, deadline, stop, progress)
            except BaseException:
                # Ctrl-C without a handler, or an error of the caller's progress: the child is in
                # the midst of a solve and of no more use.
                self.end()
                raise
            if answer["reason"] in ("TIMED_OUT", "INTERRUPTED", "CRASHED"):
                self.end()
            return answer

    def end(self) -> None:
        """Kill the child and remove its files."""
        if not self.alive:
            return
        self.alive = False
        self._child.kill()
        self._child.wait()
        with contextlib.suppress(OSError):  # a frame that the child no longer read
            self._to_child.close()
        self._words.close()
        self._folder.cleanup()
        atexit.unregister(self.end)

    def _listen(self) -> None:
        """Pass the child's frames on; None says that it has ended."""
        with self._from_child as stream:
            frame = read_frame(stream)
            while frame is not None:
                self._answers.put(frame)
                frame = read_frame(stream)
        self._answers.put(None)

    def _converse(
        self,
        problem: Frame,
        deadline: float | None,
        stop: threading.Event | None,
        progress: Callable[[float, float], None],
    ) -> Frame:
        sent = False
        asked_to_stop = ""
        give_up = math.inf
        last = {"incumbent": math.inf, "bound": -math.inf}
        while True:
            if self._ready and not sent:
                left = None if deadline is None else max(0.01, deadline - time.monotonic())
                if not self._send({**problem, "time_limit_s": left}):
                    return self._crashed()
                sent = True
            now = time.monotonic()
            if not asked_to_stop:
                if stop is not None and stop.is_set():
                    asked_to_stop = "INTERRUPTED"
                elif deadline is not None and now > deadline + _GRACE_S:
                    asked_to_stop = "TIMED_OUT"
                if asked_to_stop:
                    give_up = now + _ANSWER_S
                    if not sent or not self._send({"kind": "stop"}):
                        give_up = now
            if now >= give_up:
                return {"reason": asked_to_stop, "bound": last["bound"], "values": None}
            try:
                frame = self._answers.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if frame is None:
                return self._crashed()
            if frame["kind"] == "ready":
                self._ready = True
            elif frame["kind"] == "progress":
                last = frame
                progress(frame["incumbent"], frame["bound"])
            elif frame["reason"] == "STOPPED":
                return {**frame, "reason": asked_to_stop}
            else:
                return frame

    def _send(self, frame: Frame) -> bool:
        try:
            write_frame(self._to_child, frame)
        except OSError:  # the child is gone
            return False
        return True

    def _crashed(self) -> Frame:
        code = self._child.wait()
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip()[-_MESSAGE_LENGTH:]
        message = f"The HiGHS process ended by itself with code {code}."
        if words:
            message += f" Its last words: {words}"
        return {"reason": "CRASHED", "message": message, "values": None, "bound": None}
