"""The child process in which HiGHS runs: it solves one problem after another until told to stop.

Run as a script, so that it loads nothing but OR-Tools' bindings of HiGHS (0.15 s). HiGHS cannot be
interrupted within a process; here it runs in a thread while the main thread listens. On "stop" the
main thread answers with the best plan (which HiGHS writes to a file whenever it finds a better one)
and the last bound (from HiGHS' log), and ends the process.

Frames on stdin and stdout: 8 bytes of length, then a pickled dictionary.
In: {"kind": "solve", ...} and {"kind": "stop"}; end of file ends the process.
Out: {"kind": "ready"}, {"kind": "progress", ...}, {"kind": "result", ...}. An error is written to
stderr and ends the process.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from array import array
from pathlib import Path
from typing import IO, Any

Frame = dict[str, Any]

# HiGHS counts solutions that break a limit by less as feasible, and prunes what improves by less.
# Its own defaults (1e-6) are coarser than the checker's. That of the search tree stays above 1e-9,
# which is what HiGHS takes for 0: with equal ones, versions 1.11 and 1.12 lost optima in the tree.
TOLERANCE, TREE_TOLERANCE = 1e-9, 1e-8


def main() -> None:
    """Serve frames until stdin ends."""
    # The terminal sends Ctrl-C to the whole group; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.excepthook = _end_with_error
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not land among the frames
    worker = _Worker(answers, Path(sys.argv[1]), int(sys.argv[2]))
    worker.send({"kind": "ready"})
    while True:
        frame = read_frame(sys.stdin.buffer)
        if frame is None:
            os._exit(0)
        if frame["kind"] == "solve":
            threading.Thread(target=worker.solve, args=(frame,), daemon=True).start()
        else:
            worker.stop()


def read_frame(stream: IO[bytes]) -> Frame | None:
    """Return the next frame of a stream, None at its end."""
    head = stream.read(8)
    size = int.from_bytes(head, "little")
    body = stream.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(body) < size:
        return None
    frame: Frame = pickle.loads(body)
    return frame


def write_frame(stream: IO[bytes], frame: Frame) -> None:
    """Write a frame to a stream and flush it."""
    body = pickle.dumps(frame, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(len(body).to_bytes(8, "little") + body)
    stream.flush()


def parse_log_line(line: str) -> tuple[float, float] | None:
    """Return bound and incumbent of a line of HiGHS' MIP table, None for other lines.

    A line reads, after an optional letter: nodes, queue, leaves, explored %, bound, incumbent, ….
    """
    words = line.split()
    at = next((i for i, word in enumerate(words) if word.endswith("%")), -1)
    if at not in (3, 4) or len(words) < at + 9:
        return None
    try:
        return float(words[at + 1]), float(words[at + 2])
    except ValueError:
        return None


def last_solution(path: Path, size: int) -> array[float] | None:
    """Return the last complete solution of HiGHS' file of improving solutions, None without one.

    Each is "Objective …", "# Columns n", then n lines, a value each.
    """
    try:
        text = path.read_text()
    except OSError:
        return None
    lines = text[: text.rfind("\n") + 1].splitlines()  # a line that is being written is cut off
    starts = [i + 1 for i, line in enumerate(lines) if line.startswith("# Columns")]
    for start in reversed(starts):
        if len(lines) >= start + size:
            return array("d", map(float, lines[start : start + size]))
    return None


class _Worker:
    """The solver with what is known of the running solve, shared by the two threads."""

    def __init__(self, answers: IO[bytes], folder: Path, threads: int) -> None:
        from ortools.math_opt import (
            callback_pb2,
            model_parameters_pb2,
            model_pb2,
            parameters_pb2,
            result_pb2,
        )
        from ortools.math_opt.core.python import solver

        self.solver = solver
        self.model_pb2 = model_pb2
        self.parameters_pb2 = parameters_pb2
        self.result_pb2 = result_pb2
        self.no_start = model_parameters_pb2.ModelSolveParametersProto
        self.no_callback = callback_pb2.CallbackRegistrationProto
        self.answers = answers
        self.file = folder / "improving.sol"
        self.threads = threads
        self.lock = threading.Lock()
        self.busy = False
        self.size = 0
        self.bound = float("-inf")
        self.incumbent = float("inf")

    def send(self, frame: Frame) -> None:
        """Write a frame; the two threads take turns."""
        with self.lock:
            write_frame(self.answers, frame)

    def stop(self) -> None:
        """Answer with what is known and end, unless the solve has just ended by itself."""
        with self.lock:
            if not self.busy:
                return
            values = last_solution(self.file, self.size)
            result = {"kind": "result", "reason": "STOPPED", "bound": self.bound}
            result["values"] = values.tobytes() if values is not None else None
            write_frame(self.answers, result)
            os._exit(0)

    def solve(self, frame: Frame) -> None:
        """Solve one problem and answer with the result."""
        self.file.unlink(missing_ok=True)
        self.bound, self.incumbent = float("-inf"), float("inf")
        self.size = frame["size"]
        self.busy = True
        result = self._run(frame)
        with self.lock:
            self.busy = False
            write_frame(self.answers, result)

    def _run(self, frame: Frame) -> Frame:
        found = self.solver.solve(
            self._model(frame),
            self.parameters_pb2.SOLVER_TYPE_HIGHS,
            self.parameters_pb2.SolverInitializerProto(),
            self._parameters(frame),
            self.no_start(),
            self._read_log,
            self.no_callback(),
            None,
            None,
        )
        termination = found.termination
        values = None
        if found.solutions and found.solutions[0].HasField("primal_solution"):
            primal = found.solutions[0].primal_solution
            if primal.feasibility_status == 2:  # SOLUTION_STATUS_FEASIBLE
                values = array("d", bytes(8 * self.size))
                for j, value in zip(
                    primal.variable_values.ids, primal.variable_values.values, strict=True
                ):
                    values[j] = value
        return {
            "kind": "result",
            "reason": self.result_pb2.TerminationReasonProto.Name(termination.reason).removeprefix(
                "TERMINATION_REASON_"
            ),
            "limit": self.result_pb2.LimitProto.Name(termination.limit),
            "detail": termination.detail,
            "bound": termination.objective_bounds.dual_bound,
            "values": values.tobytes() if values is not None else None,
        }

    def _model(self, frame: Frame) -> Any:
        model = self.model_pb2.ModelProto()
        size, rows = frame["size"], frame["row_count"]
        model.variables.ids.extend(range(size))
        model.variables.lower_bounds.extend(_doubles(frame["lower"]))
        model.variables.upper_bounds.extend(_doubles(frame["upper"]))
        model.variables.integers.extend(map(bool, frame["integer"]))
        cost = _doubles(frame["cost"])
        used = [j for j in range(size) if cost[j] != 0.0]
        model.objective.linear_coefficients.ids.extend(used)
        model.objective.linear_coefficients.values.extend(cost[j] for j in used)
        model.objective.offset = frame["offset"]
        model.linear_constraints.ids.extend(range(rows))
        model.linear_constraints.lower_bounds.extend(_doubles(frame["row_lower"]))
        model.linear_constraints.upper_bounds.extend(_doubles(frame["row_upper"]))
        matrix = model.linear_constraint_matrix
        matrix.row_ids.extend(array("q", frame["rows"]))
        matrix.column_ids.extend(array("q", frame["columns"]))
        matrix.coefficients.extend(_doubles(frame["coefficients"]))
        return model

    def _parameters(self, frame: Frame) -> Any:
        parameters = self.parameters_pb2.SolveParametersProto()
        if frame["time_limit_s"] is not None:
            parameters.time_limit.FromNanoseconds(int(frame["time_limit_s"] * 1e9))
        if frame["nodes"] is not None:
            parameters.node_limit = frame["nodes"]
        parameters.random_seed = frame["seed"]
        if not frame["presolve"]:
            parameters.presolve = self.parameters_pb2.EMPHASIS_OFF
        parameters.relative_gap_tolerance = frame["gap_rel"]
        parameters.absolute_gap_tolerance = 0.0
        highs = parameters.highs
        highs.int_options["threads"] = self.threads
        for name, tolerance in (
            ("mip_feasibility", TREE_TOLERANCE),
            ("primal_feasibility", TOLERANCE),
            ("dual_feasibility", TOLERANCE),
        ):
            highs.double_options[f"{name}_tolerance"] = tolerance
        highs.bool_options["mip_improving_solution_save"] = True
        highs.string_options["mip_improving_solution_file"] = str(self.file)
        if frame["cutoff"] is not None:
            highs.double_options["objective_bound"] = frame["cutoff"]
        return parameters

    def _read_log(self, lines: list[str]) -> None:
        for line in lines:
            parsed = parse_log_line(line)
            if parsed is None:
                continue
            bound, incumbent = max(self.bound, parsed[0]), min(self.incumbent, parsed[1])
            if (bound, incumbent) != (self.bound, self.incumbent):
                self.bound, self.incumbent = bound, incumbent
                self.send({"kind": "progress", "bound": bound, "incumbent": incumbent})


def _end_with_error(error: threading.ExceptHookArgs) -> None:
    traceback.print_exception(error.exc_type, error.exc_value, error.exc_traceback)
    sys.stderr.flush()
    os._exit(1)


def _doubles(data: bytes) -> array[float]:
    return array("d", data)


if __name__ == "__main__":
    main()
