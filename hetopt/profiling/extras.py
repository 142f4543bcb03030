"""Packages that only some installations have: loaded by name, or named with what installs them."""

from __future__ import annotations

import importlib
from typing import Any

from hetopt.errors import InputError, Problem


def load_extra(module: str, extra: str, place: object) -> Any:
    """Return a module of an extra of hetopt.

    Parameters
    ----------
    module
        Name of the module, such as ``onnxruntime``.
    extra
        The extra that has it: ``onnx`` of ``hetopt[onnx]``.
    place
        The file or flag that needs it.

    Raises
    ------
    InputError
        If it is not installed: says the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        expected = (
            f"This needs {module.partition('.')[0]}, which is not installed: "
            f"pip install 'hetopt[{extra}]'."
        )
        raise InputError([Problem(str(place), "", expected)]) from None
