"""Convert checkpoints of the original MASA-SR and DSRNet.

Only the names of the weights are used here, taken from the released
checkpoints' key lists; the networks themselves are ours.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor

#: Prefix of the second decoder of the original DSRNet, which never runs.
DEAD_PREFIX = 'decoder_d.'

_DECODER_MODULES = {
    'conv_L3': 'conv3',
    'conv_L2': 'conv2',
    'conv_L1': 'conv1',
    'blk_L3': 'blocks3',
    'blk_L2': 'blocks2',
    'blk_L1': 'blocks1',
    'blk_x1': 'blocks_x1',
    'blk_x2': 'blocks_x2',
    'blk_x4': 'blocks_x4',
    'merge_warp_x1': 'merge_x1',
    'conv_out': 'conv_out',
    'dram_x2': 'dram_x2',
    'dram_x4': 'dram_x4',
    'pAda': 'sam',
}
_DRAM_LAYERS = {
    'conv_down_a': 'down_a',
    'conv_up_a': 'up_a',
    'conv_down_b': 'down_b',
    'conv_up_b': 'up_b',
    'conv_cat': 'conv',
}
_SAM_LAYERS = {
    'conv_shared.0': 'conv_shared',
    'conv_gamma': 'conv_gamma',
    'conv_beta': 'conv_beta',
}
_ENCODERS = {'enc': 'encoder', 'enc_d': 'dmm.depth_encoder'}
_FUSION = 'mini_conv_1'


class Converted(NamedTuple):
    """Result of a conversion.

    Args:
        state_dict: Weights under our names.
        network: ``'mmdsr.MASASRNet'`` or ``'mmdsr.DSRNet'`` (variant
            ``released``), the network that they fit.
        dropped: Original keys of the decoder that never runs.
    """

    state_dict: dict[str, Tensor]
    network: str
    dropped: list[str]


def convert_key(key: str) -> str | None:
    """Translate the name of one weight.

    Args:
        key: Original name without ``module.`` in front.

    Returns:
        Our name, or ``None`` if the original has no such weight.
    """
    head, _, rest = key.partition('.')
    if head in _ENCODERS:
        match = re.fullmatch(
            r'(conv_L|blk_L)([123])\.((?:\d+\.conv[12]\.)?)(weight|bias)', rest
        )
        if match is None or (match[1] == 'conv_L') != (match[3] == ''):
            return None
        part = 'conv.' if match[1] == 'conv_L' else f'blocks.{match[3]}'
        return f'{_ENCODERS[head]}.stages.{int(match[2]) - 1}.{part}{match[4]}'
    if head == _FUSION and rest in ('weight', 'bias'):
        return f'dmm.fusion.conv.{rest}'
    if head != 'decoder':
        return None
    module, _, rest = rest.partition('.')
    layer: str | None
    layer, _, kind = rest.rpartition('.')
    if module not in _DECODER_MODULES or kind not in ('weight', 'bias'):
        return None
    if module.startswith('dram'):
        layer = _DRAM_LAYERS.get(layer)
    elif module == 'pAda':
        layer = _SAM_LAYERS.get(layer)
    elif module.startswith('blk'):
        layer = layer if re.fullmatch(r'\d+\.conv[12]', layer) else None
    elif layer:
        layer = None
    if layer is None:
        return None
    parts = ('decoder', _DECODER_MODULES[module], layer, kind)
    return '.'.join(part for part in parts if part)


def convert_released(
    state_dict: Mapping[str, Tensor], bgr: bool = False
) -> Converted:
    """Translate a checkpoint of the original MASA-SR or DSRNet.

    Args:
        state_dict: Original weights; a ``module.`` in front of the keys is
            removed.
        bgr: Whether the weights were trained on BGR images, as the originals
            were: reverse the input channels of the image encoder and the
            output channels of the decoder, so that the result takes and
            returns RGB.

    Returns:
        Weights under our names.

    Raises:
        ValueError: If a key is not one of the originals', or if two keys
            name the same weight.
    """
    converted: dict[str, Tensor] = {}
    dropped: list[str] = []
    unknown: list[str] = []
    for original, value in state_dict.items():
        key = original.removeprefix('module.')
        if key.startswith(DEAD_PREFIX):
            live = 'decoder.' + key.removeprefix(DEAD_PREFIX)
            if convert_key(live) is None:
                unknown.append(original)
            else:
                dropped.append(original)
            continue
        name = convert_key(key)
        if name is None:
            unknown.append(original)
        elif name in converted:
            raise ValueError(
                f'{original} appears twice, with and without a '
                "'module.' prefix."
            )
        else:
            converted[name] = value.clone()
    if unknown:
        raise ValueError(
            f'{len(unknown)} keys belong neither to the original MASA-SR nor '
            f'to the original DSRNet: {", ".join(sorted(unknown)[:5])}'
            f'{", ..." if len(unknown) > 5 else ""}'
        )
    if bgr:
        first = 'encoder.stages.0.conv.weight'
        converted[first] = converted[first].flip(1)
        for kind in ('weight', 'bias'):
            last = f'decoder.conv_out.{kind}'
            converted[last] = converted[last].flip(0)
    depth = 'dmm.fusion.conv.weight' in converted
    network = 'mmdsr.DSRNet' if depth else 'mmdsr.MASASRNet'
    return Converted(converted, network, dropped)
