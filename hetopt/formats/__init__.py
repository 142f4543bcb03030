"""File formats: one module each, found by a registry; :func:`read_instance` reads them all."""

from hetopt.formats.registry import formats, read_instance, write_instance

__all__ = ["formats", "read_instance", "write_instance"]
