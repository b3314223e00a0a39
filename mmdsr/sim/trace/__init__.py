"""Camera rays and what they hit: the pipe, the water and bodies."""
