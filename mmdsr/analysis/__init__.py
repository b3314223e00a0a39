"""Costs, speed and studies of trained networks."""
