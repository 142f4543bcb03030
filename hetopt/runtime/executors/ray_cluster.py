"""Ray tasks as a :class:`concurrent.futures.Executor`: the loops' own scheduler is Ray's.

A task whose worker or node is lost is begun again by Ray, up to ``RETRIES`` times. Every node must
have the same version of hetopt installed; a task on a node with another one fails and says so.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from hetopt.errors import HetoptError, InputError, Problem
from hetopt.runtime.executors.handed import HandedFuture
from hetopt.runtime.executors.loop import here
from hetopt.version import __version__

INSTALL = "pip install 'hetopt[ray]'"
RETRIES = 5
"""How often a task whose worker or node was lost is begun again."""

ANSWER_S = 5.0
"""How long a cluster may take to answer at all."""

LOCAL = "local"
"""The address that means: start Ray on this machine."""


class RayExecutor(Executor):
    """Runs work as tasks of a Ray cluster.

    Parameters
    ----------
    address
        ``HOST:PORT`` of a cluster's head, ``auto`` for one that runs on this machine, ``local`` to
        start one here, or ``ray://HOST:PORT``.
    cpus
        Processors that a task takes, but no more than the largest node has.

    Raises
    ------
    InputError
        If Ray is not installed, or no cluster answers there.
    """

    def __init__(self, address: str, cpus: int = 1) -> None:
        self._ray = load_ray()
        _join(self._ray, address)
        nodes = [n["Resources"].get("CPU", 0) for n in self._ray.nodes() if n["Alive"]]
        self._width = max(1, int(sum(nodes)) // cpus)
        self._cpus = min(float(cpus), max(nodes, default=1.0))
        self._refs: dict[int, Any] = {}
        self._number = 0
        self._lock = threading.Lock()
        self._board = self._new_board()
        self._task = self._ray.remote(num_cpus=self._cpus, max_retries=RETRIES)(_run)
        self._future: dict[int, HandedFuture] = {}
        self._ended: set[int] = set()

    @property
    def width(self) -> int:
        """Pieces of work that run at a time, as the cluster stands."""
        return self._width

    @property
    def used(self) -> bool:
        """Whether any work was given to it."""
        return self._number > 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function as a task; see :meth:`concurrent.futures.Executor.submit`."""
        future = HandedFuture()
        with self._lock:
            self._number += 1
            number = self._number
        ref = self._task.remote(self._board, number, __version__, fn, args, kwargs)
        with self._lock:
            self._refs[number], self._future[number] = ref, future
        future.withdraw = lambda: self._end(number)
        ref.future().add_done_callback(lambda found: self._settle(number, future, found))
        return future

    def stop_running(self) -> None:
        """End all tasks; none of them returns anything."""
        with self._lock:
            numbers = list(self._refs)
        for number in numbers:
            self._end(number)

    def places(self) -> Mapping[Future[Any], str]:
        """Return node and process of each task that runs."""
        try:
            said = self._ray.get(self._board.read.remote(), timeout=1.0)
        except self._ray.exceptions.RayError:
            return {}
        with self._lock:
            return {self._future[n]: at for n, at in said.items() if n in self._refs}

    def share(self, value: Any) -> _SharedObject:
        """Lay a value into the cluster's object store."""
        return _SharedObject(self._ray.put(value))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; see :meth:`concurrent.futures.Executor.shutdown`."""
        if cancel_futures:
            self.stop_running()
        with self._lock:
            refs = list(self._refs.values())
        if wait and refs:
            self._ray.wait(refs, num_returns=len(refs))
        self._ray.shutdown()

    def _new_board(self) -> Any:
        """Start the actor that tasks tell where they run, on the node that is joined."""
        node = self._ray.get_runtime_context().get_node_id()
        strategy = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            node_id=node, soft=True
        )
        kind = self._ray.remote(num_cpus=0, max_restarts=-1)(Board)
        return kind.options(scheduling_strategy=strategy).remote()

    def _end(self, number: int) -> bool:
        """End a task, whether it runs or waits."""
        with self._lock:
            ref = self._refs.get(number)
            self._ended.add(number)
        if ref is None:
            return False
        self._ray.cancel(ref, force=True)
        return True

    def _settle(self, number: int, future: HandedFuture, found: Future[Any]) -> None:
        with self._lock:
            self._refs.pop(number, None)
            self._future.pop(number, None)
        error = found.exception()
        if error is None:
            future.settle(found.result())
        elif number in self._ended:
            future.settle(cancelled=True)
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            future.settle(error=error.cause)
        else:
            text = f"A worker was lost more than {RETRIES} times: {str(error).splitlines()[0]}"
            future.settle(error=HetoptError(text))


class _SharedObject:
    """A value in the object store of a cluster."""

    def __init__(self, ref: Any) -> None:
        self.key = ref.hex()
        self._ref = ref

    def read(self) -> Any:
        """Return the value from the store."""
        import ray

        return ray.get(self._ref)


class Board:
    """Where each task said that it runs."""

    def __init__(self) -> None:
        self.at: dict[int, str] = {}

    def write(self, number: int, at: str) -> None:
        """Take down where a task runs."""
        self.at[number] = at

    def read(self) -> dict[int, str]:
        """Return all that was said."""
        return self.at


def _run(
    board: Any,
    number: int,
    version: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if version != __version__:
        text = f"hetopt {__version__} on {here()}; version {version} is expected on every node."
        raise HetoptError(text)
    board.write.remote(number, here())
    return fn(*args, **kwargs)


def load_ray() -> Any:
    """Return the module ``ray``.

    Raises
    ------
    InputError
        If it is not installed: says the command that installs it.
    """
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError:
        text = f"Ray is not installed: {INSTALL}. On this machine alone: --jobs N."
        raise InputError([Problem("--ray", "", text)]) from None
    return ray


def _join(ray: Any, address: str) -> None:
    expected = "HOST:PORT of a Ray cluster that answers, auto, or local"
    if ":" in address:
        # Ray itself asks for two minutes, and then ends the process.
        host, _, port = address.removeprefix("ray://").rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
        except (OSError, ValueError, OverflowError) as error:
            raise InputError([Problem("--ray", address, f"{expected} ({error}).")]) from None
    try:
        ray.init(
            address=None if address == LOCAL else address,
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level="ERROR",
            include_dashboard=False if address == LOCAL else None,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError([Problem("--ray", address, f"{expected} ({said}).")]) from None
