"""Meaning of the pixels in masks of the Pipe data set."""

PIPE_IDS = {'JO': 1, 'IL': 2, 'IN': 3}
"""Ids of the classes: joint offset, intruding lateral, infiltration."""

IGNORED = 255
"""Value of pixels that belong to no class and are not background; they are
ignored in training and testing."""
