"""States of units: idle, asleep, set up, slowed by others. What follows from the columns."""
