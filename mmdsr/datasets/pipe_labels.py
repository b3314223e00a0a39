"""What the pixels of the Pipe data set's masks say."""

PIPE_IDS = {'JO': 1, 'IL': 2, 'IN': 3}
"""Ids of the classes: joint offset, intruding lateral, infiltration."""

IGNORED = 255
"""Value of pixels that belong to no class and are not background; they count
neither in training nor in testing."""
