"""Whether super-resolution helps a task."""
