"""Data sets.

The modules are imported by name, so that a process which only reads tables
does not pay for importing torch.
"""
