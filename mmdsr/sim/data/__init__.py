"""Data sets of runs: plans, labels, file layouts, correspondence."""
