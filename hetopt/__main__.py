"""``python -m hetopt`` is ``hetopt``."""

from hetopt.cli.app import main

main()
