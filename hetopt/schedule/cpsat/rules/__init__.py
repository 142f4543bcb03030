"""Rules of the CP-SAT model that need nothing but its variables: a module each, with ``add``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from hetopt.runtime.found_modules import modules_of
from hetopt.schedule.cpsat.variables import Build


def add_rules(build: Build) -> None:
    """Add the rows of each module, in the order of their names."""
    for module in modules_of(__name__):
        module.add(build)
