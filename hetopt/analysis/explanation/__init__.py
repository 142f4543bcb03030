"""Why an instance has no plan, and what a plan rests on."""

from hetopt.analysis.explanation.explain_instance import explain
from hetopt.analysis.explanation.result import Explanation, Group, repair_text

__all__ = [
    "Explanation",
    "Group",
    "explain",
    "repair_text",
]
