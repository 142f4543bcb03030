"""Tables that others publish, or that measuring writes, as measurements (docs/measurements.md)."""
