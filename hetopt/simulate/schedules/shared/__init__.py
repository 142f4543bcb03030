"""What the tasks of a schedule share while it runs: units, channels, memory, power, resources."""
