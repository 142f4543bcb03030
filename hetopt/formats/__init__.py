"""File formats: one module each, found by a registry; :func:`read_instance` reads them all."""

from hetopt.formats.registry import FORMATS, Format, read_instance, write_instance

__all__ = ["FORMATS", "Format", "read_instance", "write_instance"]
