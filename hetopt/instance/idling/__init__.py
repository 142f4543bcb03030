"""What draws power whether it works or not: idling, sleep in gaps, going on."""
