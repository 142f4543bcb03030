"""From tables of cells to the columns of an instance, with every check on the way, and back."""

from hetopt.compile.to_columns import from_frames
from hetopt.compile.to_tables import to_frames, to_settings

__all__ = [
    "from_frames",
    "to_frames",
    "to_settings",
]
