"""Pictures of plans for several demands: scenarios side by side, periods over time."""
