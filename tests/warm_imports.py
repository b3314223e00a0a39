"""What a process of ``forks`` finds imported: other people's packages only.

Ours are imported by what is called, as after a usual start.
"""

import gc
import importlib
from contextlib import suppress

from quick_configs import quicken_configs

for _name in (
    'pytest',
    'torch.distributed.optim',
    'torchvision',
    'scipy.signal',
    'pandas',
    'mmengine.runner',
    'mmcv.ops',
    'mmagic.datasets',
    'mmagic.engine',
    'mmagic.evaluation',
    'mmagic.models',
    'mmagic.visualization',
    'mmseg.datasets',
    'mmseg.engine',
    'mmseg.evaluation',
    'mmseg.models',
    'mmseg.structures',
    'mmseg.visualization',
):
    with suppress(ImportError):
        importlib.import_module(_name)
quicken_configs()
gc.freeze()
