"""Routes shared out by one mixed-integer program."""
