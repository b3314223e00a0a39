"""Task networks that super-resolution is to help.

They need a host package each; the registry imports them on demand.
"""
