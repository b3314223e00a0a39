"""Writing data sets and checkpoints in the formats that mmdsr reads.

The modules are imported by name (``mmdsr.io.layout``), so that a
process which only writes images does not pay for importing torch.
"""
