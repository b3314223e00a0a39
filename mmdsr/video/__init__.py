"""Read videos as far as possible, and select frames worth keeping."""
