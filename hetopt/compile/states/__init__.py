"""Tables to columns: the states of units that tasks bring about, as what is loaded."""
