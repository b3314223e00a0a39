"""Comparisons of many training runs, and of trained networks."""
