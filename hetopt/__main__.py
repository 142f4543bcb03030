"""``python -m hetopt`` is ``hetopt``."""

from hetopt.cli import main

main()
