"""Files of published benchmarks and other tools: one module each."""
