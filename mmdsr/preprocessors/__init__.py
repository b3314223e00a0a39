"""Super-resolution as the first step of a host's model.

The classes of the hosts are in ``seg``, ``det`` and ``cls``, which are
imported when a config has ``type='mmdsr.SR...'``.
"""

from mmdsr.preprocessors.mixin import SuperResolveMixin

__all__ = ['SuperResolveMixin']
