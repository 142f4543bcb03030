"""Plans in time: policies, the simulator of what they do, and the bound of what any could do."""

from hetopt.simulate.outcomes import Outcome, Simulation
from hetopt.simulate.run import simulate

__all__ = ["Outcome", "Simulation", "simulate"]
