"""What every search runs on: budget, interruption, methods by name, compiled loops."""
