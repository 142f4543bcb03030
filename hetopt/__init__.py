"""Placement and scheduling of AI work on heterogeneous devices, with proven bounds."""

from hetopt.version import __version__

__all__ = ["__version__"]
