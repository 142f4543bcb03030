"""Plans in time: policies, the simulator of what they do, and the bound of what any could do."""

from hetopt.simulate.outcomes import Outcome, Simulation
from hetopt.simulate.run import simulate
from hetopt.simulate.schedules.outcomes import ScheduleOutcome, ScheduleSimulation

__all__ = ["Outcome", "ScheduleOutcome", "ScheduleSimulation", "Simulation", "simulate"]
