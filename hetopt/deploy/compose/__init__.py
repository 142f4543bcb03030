"""Compose: plain containers of one machine, with nginx in front."""
