"""The checker of streams."""
