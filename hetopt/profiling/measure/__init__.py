"""Options measured on this machine: runtimes, their processes, timing, energy."""
