"""The instance that ships with the package: what commands use where no file is given."""

from __future__ import annotations

from importlib import resources

from hetopt.instance import Instance

DEFAULT_FILE = "default.yaml"


def default_instance() -> Instance:
    """Return the shipped default instance: measured MLPerf v3.0 servers, five networks."""
    from hetopt.formats import read_instance

    with resources.as_file(resources.files("hetopt") / "data" / DEFAULT_FILE) as path:
        return read_instance(path)
