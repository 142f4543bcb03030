"""Random instances of chosen size, for benchmarks and tests; distributions in docs/generate.md."""

from hetopt.generate.schedule import generate_schedule
from hetopt.generate.steady import generate_steady

__all__ = ["generate_schedule", "generate_steady"]
