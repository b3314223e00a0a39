"""Fast convolutions on a CPU: bfloat16 and channels last.

mmengine's AmpOptimWrapper refuses a CPU. Processors that multiply bfloat16
(avx512_bf16, amx) need about half the time with it, others emulate it, which
is slower; for narrow convolutions, storing the channels of a pixel
contiguously saves as much again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import nn

from mmdsr.registry import HOOKS, OPTIM_WRAPPERS


@cache
def multiplies_bfloat16(device: str) -> bool:
    """Return whether a device has instructions for bfloat16; log it once.

    Args:
        device: Type of the device: ``'cpu'``, ``'cuda'``, ...
    """
    if device == 'cuda':
        fast = torch.cuda.is_bf16_supported()
    elif device == 'cpu':
        # PyTorch has no public question for it; older versions have none.
        ask = getattr(torch.cpu, '_is_avx512_bf16_supported', None)
        capability = torch.backends.cpu.get_cpu_capability()
        fast = ask() if ask else capability == 'AVX512'
    else:
        fast = True
    name = 'bfloat16' if fast else 'float32: it has no bfloat16 instructions'
    print_log(f'Forward passes on this {device} run in {name}', 'current')
    return fast


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Run forward passes in bfloat16 where that is faster.

    On devices that do not multiply bfloat16, they run in float32. Weights are
    float32 in any case. The exponent of bfloat16 has the range of float32's:
    no loss scale is needed, unlike with float16.

    Args:
        optimizer: See mmengine's ``OptimWrapper``, also for all further
            arguments.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Return the context of the forward pass.

        Args:
            model: The model in training.
        """
        device = next(model.parameters()).device.type
        fast = multiplies_bfloat16(device)
        with (
            super().optim_context(model),
            torch.autocast(device, torch.bfloat16, enabled=fast),
        ):
            yield


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Store the weights with the channels last.

    Values and checkpoints stay the same: with such weights, PyTorch's
    convolutions return feature maps in the same layout.
    """

    # Before EMAHook copies the model.
    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Convert the model.

        Args:
            runner: The runner.
        """
        runner.model.to(memory_format=torch.channels_last)
