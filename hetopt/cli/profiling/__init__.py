"""Commands that say where options come from: profiles, measurements, estimates, clusters."""
