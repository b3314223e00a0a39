"""Videos: from a file, as far as it can be read, to frames worth keeping."""
