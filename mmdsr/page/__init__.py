"""A page for the browser: drop in a picture or a recording, look further.

Works offline: everything that the browser loads comes from this package.
"""
