"""Plans changed while they run: what started stays, what is on costs nothing, what changes pays."""

from hetopt.replan.losses import Contingency, Loss, contingency
from hetopt.replan.replanned import Replanned, Stability, Step
from hetopt.replan.run import replan

__all__ = [
    "Contingency",
    "Loss",
    "Replanned",
    "Stability",
    "Step",
    "contingency",
    "replan",
]
