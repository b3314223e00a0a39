"""Files: how they are read, checked, listed and written.

The modules are imported by name (``mmdsr.io.images``), so that a process
which only writes images does not pay for importing torch. Nothing here knows
a network.
"""
