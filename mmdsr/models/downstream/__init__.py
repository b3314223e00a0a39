"""Task networks that super-resolution should help.

Each needs a host package; the registry imports them on demand.
"""
