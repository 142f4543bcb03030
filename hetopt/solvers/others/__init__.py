"""MIP solvers other than HiGHS, through PuLP: CBC, and whatever it knows."""
