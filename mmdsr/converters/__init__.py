"""Converters of other data to our layout.

The modules are imported by name (``mmdsr.converters.frames_to_refsr``), so
that a process which only writes images does not pay for importing torch.
"""
