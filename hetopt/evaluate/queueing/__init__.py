"""Waiting times of a steady plan, estimated."""

from hetopt.evaluate.queueing.of_plan import PlanQueues, queue_rows

__all__ = ["PlanQueues", "queue_rows"]
