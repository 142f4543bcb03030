"""The decoder under limits that tie units together: compiled, or as plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hetopt.formats import write_instance
from hetopt.generate import generate_schedule


def test_a_first_answer_under_memory_does_not_wait_for_the_compiler(tmp_path: Path) -> None:
    # In a process of its own with an empty cache of compiled code, as on the day of installing.
    write_instance(
        generate_schedule(tasks=12, devices=3, seed=5, memory="tight"), tmp_path / "i.json"
    )
    script = f"""
from hetopt import solve
from hetopt.formats import read_instance
from hetopt.runtime.jit import is_compiled
from hetopt.schedule.list_scheduling.limited.decoder_kernels import decode_limited
solution = solve(read_instance({str(tmp_path / "i.json")!r}), time_limit=60)
assert solution.status == "optimal", solution.status
assert not is_compiled(decode_limited)
"""
    fresh = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run([sys.executable, "-c", script], check=True, env=fresh)
