"""Devices that slow each other down: states, and plans as their time-sharing."""
