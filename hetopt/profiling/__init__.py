"""Where options come from: measured tables and models of devices."""
