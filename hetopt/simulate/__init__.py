"""Plans in time: policies, the simulator of what they do, and the bound of what any could do."""
