"""The independent checker of plans and claims."""

from hetopt.verify.check import verify, verify_solution
from hetopt.verify.report import Report, Violation

__all__ = ["Report", "Violation", "verify", "verify_solution"]
