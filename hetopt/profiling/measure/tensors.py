"""Tensors of a model as files that several processes map: their places, and values to feed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hetopt.errors import InputError, Problem
from hetopt.profiling.measure.worker import map_tensor
from hetopt.profiling.onnx.shapes import TensorType

FAST = Path("/dev/shm")
DTYPES = {"float": "float32", "double": "float64"}

Tensor = dict[str, Any]


@contextmanager
def folder() -> Iterator[Path]:
    """Make a private folder for tensors, in memory where there is one, and remove it after."""
    base = FAST if FAST.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hetopt-", dir=base) as made:
        yield Path(made)


class Tensors:
    """Places of the tensors of one model in a folder."""

    def __init__(self, place: Path, name: str, types: Mapping[str, TensorType]) -> None:
        self._place, self._name, self._types = place, name, types
        self._known: dict[str, Tensor] = {}

    def of(self, names: Iterable[str]) -> list[Tensor]:
        """Return name, file, shape and type of tensors.

        Raises
        ------
        InputError
            If the shape of one is not known before the model runs: no place can be kept for it.
        """
        return [self._one(name) for name in names]

    def array(self, name: str, slot: int = 0) -> np.ndarray[Any, Any]:
        """Map a tensor."""
        return map_tensor(self._one(name), slot)

    def _one(self, name: str) -> Tensor:
        if name not in self._known:
            kind = self._types.get(name)
            if kind is None or kind.shape is None:
                expected = "A tensor whose size is known before the model runs."
                raise InputError([Problem(self._name, name, expected)])
            self._known[name] = {
                "name": name,
                "file": str(self._place / f"{self._name}-{len(self._known)}".replace("/", "_")),
                "shape": list(kind.shape),
                "dtype": DTYPES.get(kind.dtype, kind.dtype),
            }
        return self._known[name]


def feed(inputs: Iterable[str], tensors: Tensors, slot: int = 0) -> None:
    """Fill the inputs of a model: standard normal numbers; ones where they are whole or flags.

    Ones are token numbers, masks and lengths that every model takes.
    """
    rng = np.random.default_rng(0)
    for name in inputs:
        array = tensors.array(name, slot)
        if array.dtype.kind == "f":
            array[...] = rng.standard_normal(array.shape)
        else:
            array[...] = 1
