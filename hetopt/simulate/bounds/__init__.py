"""What no policy can do better: bounds on a realised run, of streams and of schedules."""
