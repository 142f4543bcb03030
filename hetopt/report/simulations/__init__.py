"""Pages about simulations, of streams and of schedules."""
