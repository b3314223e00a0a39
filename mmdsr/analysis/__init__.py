"""Costs and speed of networks, and statistics of images."""
