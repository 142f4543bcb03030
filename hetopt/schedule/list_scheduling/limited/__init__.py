"""List decoding under limits that tie units together: memory, power, resources, channels, groups.

:mod:`decoder` times plans anew, :mod:`tables` makes what the compiled loops read; these are
:mod:`decoder_kernels`, and by concept :mod:`mapping_kernels`, :mod:`event_kernels` and
:mod:`memory_kernels`.
"""
