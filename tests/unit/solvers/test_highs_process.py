"""The child process of HiGHS belongs to the process that started it."""

import subprocess
import sys

PROGRAM = """
import os
from hetopt.solvers.highs_process import highs_process

parents = highs_process(1)
child = os.fork()
if child == 0:
    own = highs_process(1)
    apart = own is not parents and parents.alive
    own.end()
    os._exit(0 if apart else 9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert highs_process(1) is parents and parents.alive
"""


def test_a_fork_has_a_solver_process_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
