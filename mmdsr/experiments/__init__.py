"""Comparisons of many trainings, and of trained networks."""
