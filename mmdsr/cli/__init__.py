"""The command ``mmdsr``, and what the files of ``tools`` call.

Each command is a module with ``main(argv=None, prog=None)``: it takes the
words after its name, or those of the process, and returns the exit code.
"""
