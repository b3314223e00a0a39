"""Read, check, list and write files.

The modules are imported by name (``mmdsr.io.images``), so that a process which
only writes images does not pay for importing torch. Nothing here depends on a
network.
"""
