"""Ray Serve: a configuration, and the application that it starts."""
