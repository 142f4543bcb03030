"""The states of units that tasks bring about, as what is loaded: what follows from the columns."""
