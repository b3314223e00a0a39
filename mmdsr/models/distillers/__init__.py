"""Feature distillation (Section 4); needs torch and mmengine only."""

from mmdsr.models.distillers.adm import (
    ADM,
    attention,
    attention_loss,
    channel_pool,
    pair_distances,
    pool_and_project,
)
from mmdsr.models.distillers.fakd import FAKD, affinity, affinity_loss

__all__ = [
    'ADM',
    'FAKD',
    'affinity',
    'affinity_loss',
    'attention',
    'attention_loss',
    'channel_pool',
    'pair_distances',
    'pool_and_project',
]
