"""Compiled functions: what their machine code on disk depends on, and the same in plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CALLED = """
from hetopt.runtime.jit import inner

STEP = {step}

@inner
def more(x):
    return x + STEP
"""
CALLS = """
from hetopt.called_kernels import more
from hetopt.runtime.jit import jit

@jit
def twice(x):
    return more(more(x))
"""


def answer(folder: Path, code: str) -> str:
    """Run code in a process of its own, to which the folder's modules are part of hetopt."""
    script = f"import sys, hetopt; hetopt.__path__.append({str(folder)!r})\n{code}"
    cache = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, env=cache, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_machine_code_is_made_anew_where_a_function_of_another_module_changed(
    tmp_path: Path,
) -> None:
    (tmp_path / "calling_kernels.py").write_text(CALLS)
    (tmp_path / "called_kernels.py").write_text(CALLED.format(step=1))
    code = """
from hetopt.calling_kernels import twice
from hetopt.runtime.jit import is_compiled
print(is_compiled(twice), twice(1), is_compiled(twice))
"""
    assert answer(tmp_path, code) == "False 3 True"
    assert answer(tmp_path, code) == "True 3 True"
    (tmp_path / "called_kernels.py").write_text(CALLED.format(step=5))
    assert answer(tmp_path, code) == "False 11 True"


def test_plain_kernels_call_plain_kernels_of_other_modules_without_the_compiler(
    tmp_path: Path,
) -> None:
    (tmp_path / "calling_kernels.py").write_text(CALLS)
    (tmp_path / "called_kernels.py").write_text(CALLED.format(step=1))
    code = """
from hetopt.runtime.jit import plain
print(plain("hetopt.calling_kernels").twice(1), "numba" in sys.modules)
print("hetopt.called_kernels" in sys.modules)
"""
    assert answer(tmp_path, code).split() == ["3", "False", "False"]
