"""Commands about work that runs: plans made anew, losses, the live loop."""
