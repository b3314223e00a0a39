"""Recordings: a video in, the same video enhanced out."""
