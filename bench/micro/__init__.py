"""Micro-benchmarks of hot paths, and their comparison between commits."""
