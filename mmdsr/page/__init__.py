"""A web page that enlarges an uploaded picture or frame of a recording.

Works offline: everything that the browser loads comes from this package.
"""
