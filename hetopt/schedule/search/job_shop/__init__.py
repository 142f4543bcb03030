"""Makespans without transfer times: tabu search over critical blocks."""
