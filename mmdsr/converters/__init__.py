"""Converters from other data to the layout of :mod:`mmdsr.io.layout`.

The modules are imported by name (``mmdsr.converters.frames_to_refsr``), so
that a process which only writes images does not pay for importing torch.
"""
