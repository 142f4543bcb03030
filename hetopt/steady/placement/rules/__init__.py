"""Rules of the placement model that need nothing but its variables: a module each, with ``add``.

A module that is put here is found: nothing else names it.
"""

from __future__ import annotations

from hetopt.runtime.found_modules import modules_of
from hetopt.steady.placement.variables import PlacementModel


def add_rules(m: PlacementModel) -> None:
    """Add the rows of each module, in the order of their names."""
    for module in modules_of(__name__):
        module.add(m)
