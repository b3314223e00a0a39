"""Published weights, some of which are included in the package.

``load_published('dsrnet-student')`` returns a network that is ready to run; it
needs neither a config nor a connection. :func:`available` lists the weights;
``tools/model_converters/publish.py`` writes such files.
"""

from mmdsr.weights.index import available, weight_path
from mmdsr.weights.load import load_published, read_published

__all__ = ['available', 'load_published', 'read_published', 'weight_path']
