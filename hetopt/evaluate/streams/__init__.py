"""Quantities of steady plans: per request of each route, then what the rates make of it."""
