"""File formats: one module a format, reading or writing, found by a registry."""
