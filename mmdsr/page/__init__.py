"""A web page that enlarges an uploaded picture or frame of a recording.

It works offline: everything that the browser loads is part of this package.
"""
