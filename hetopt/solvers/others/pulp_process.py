"""A child process for solvers that PuLP runs, so that they end in time whatever they do.

PuLP cannot be interrupted, and solvers overrun their limits (CBC looks at the clock between nodes
only). The child leads a session of its own, so that what it starts is killed with it.

Run as a script by `solve_in_child`: reads a pickled problem from stdin, writes a pickled answer to
the file that it is given.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from hetopt.solvers.mip_arrays import Floats, MipArrays

_POLL_S = 0.05  # how often the clock and the stop event are looked at
_MESSAGE_LENGTH = 500  # characters of the child's last words that are passed on


def solve_in_child(
    arrays: MipArrays,
    solver: tuple[str, dict[str, Any]],
    deadline: float,
    stop: threading.Event | None,
) -> tuple[Floats | None, str, str]:
    """Solve with a solver of PuLP, killed at a deadline.

    Parameters
    ----------
    arrays
        The problem.
    solver
        PuLP's name of it, and its options.
    deadline
        ``time.monotonic()`` by which to give up.
    stop
        Ends the search when set.

    Returns
    -------
    tuple
        The values, None if it gave none; what went wrong; and ``"late"`` or ``"stopped"`` where it
        was killed.
    """
    with tempfile.TemporaryDirectory(prefix="hetopt-") as folder:
        answer, words = Path(folder) / "answer", Path(folder) / "words"
        command = [sys.executable, "-m", "hetopt.solvers.others.pulp_process", str(answer)]
        path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        with words.open("wb") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        try:
            with contextlib.suppress(OSError), child.stdin as to_child:  # type: ignore[union-attr]  # a pipe
                pickle.dump((arrays, *solver), to_child)
            ended = _wait(child, deadline, stop)
        finally:
            _kill(child)
        if ended:
            return None, "", ended
        if answer.exists():
            values, message = pickle.loads(answer.read_bytes())
            return values, message, ""
        last = words.read_text(errors="replace").strip()[-_MESSAGE_LENGTH:]
        return None, f"The process of {solver[0]} ended with code {child.returncode}. {last}", ""


def _wait(child: subprocess.Popen[bytes], deadline: float, stop: threading.Event | None) -> str:
    """Wait for the child; return why it must be killed, nothing where it ended by itself."""
    while child.poll() is None:
        if stop is not None and stop.is_set():
            return "stopped"
        if time.monotonic() > deadline:
            return "late"
        time.sleep(_POLL_S)
    return ""


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started."""
    if child.poll() is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
        child.kill()
    child.wait()


def main() -> None:
    """Solve the problem on stdin."""
    from hetopt.solvers.others.pulp_run import run_solver

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    arrays, name, options = pickle.load(sys.stdin.buffer)
    answer = run_solver(arrays, name, options)
    part = Path(f"{sys.argv[1]}.part")
    part.write_bytes(pickle.dumps(answer))
    part.replace(sys.argv[1])


if __name__ == "__main__":
    main()
