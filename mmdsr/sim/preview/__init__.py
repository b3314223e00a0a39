"""Contact sheets of runs and data sets."""
