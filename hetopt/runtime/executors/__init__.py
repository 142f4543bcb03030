"""Where loops over solves run: here, in processes of this machine, on a Ray cluster."""
