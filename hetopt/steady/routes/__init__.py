"""Routes: ways for requests of a job through the platform."""
