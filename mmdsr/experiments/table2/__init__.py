"""Table 2 of the paper and its figures: all compared methods at once."""
