"""The event loop of streams in loops that can be compiled, by concept; :mod:`loop` has it all."""
