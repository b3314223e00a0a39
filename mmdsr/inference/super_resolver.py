"""Images in, larger images out: the one place that knows how.

Colour order, range, references, padding, tiling and rounding are decided
here and nowhere else, so that the preprocessors, the transform and the
exported files agree to the last bit of a pixel.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor

from mmdsr.inference import tiling
from mmdsr.inference.references import References
from mmdsr.inference.sources import build_network, digest_of
from mmdsr.models.hidden import Hidden
from mmdsr.models.networks.padding import MIN_SIZE

PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
INTERPOLATIONS = ('nearest', 'bilinear', 'bicubic')
MAX_SCALE = 8


class SuperResolver:
    """Super-resolves images as the hosts have them.

    A plain object: a model that holds it has none of its weights in
    ``parameters()`` or ``state_dict()``, and ``train()``, ``init_weights()``
    and copies of the model leave it alone. It computes where its input is.

    Give exactly one of ``config``, ``weights`` and ``interpolation``.

    Args:
        config (str, Path, Config or dict, optional): Config of a
            super-resolution training; only ``model.generator`` is built.
        checkpoint (str or Path, optional): Goes with ``config``: a
            checkpoint or a working directory.
        weights (str or Path, optional): Name or file of published weights,
            see :mod:`mmdsr.weights`.
        interpolation (str, optional): No network, an honest baseline:
            ``'nearest'``, ``'bilinear'`` or ``'bicubic'`` (Pillow's kernel,
            a = -0.5).
        scale (int, optional): How many times as many rows and columns. Of a
            network it is what it is (4); for an interpolation 1 to 8.
            Defaults to None, 4. An interpolation by 1 changes nothing.
        reference (str): ``'self'``, ``'file'`` or ``'neighbor'``, see
            :class:`mmdsr.inference.references.References`. An interpolation
            needs none. Defaults to 'self'.
        tile (int, optional): Largest side, in pixels of the input, of what
            the network sees at once, see :mod:`mmdsr.inference.tiling`.
            Defaults to None, the whole image. An interpolation needs none.
        overlap (int): Pixels that neighbouring tiles share at least.
            Defaults to 16.
        max_batch (int): How many images or tiles of one size are computed
            at once. Defaults to 4.
        precision (str): ``'fp32'``, ``'bf16'`` or ``'fp16'`` of the
            network's convolutions, whatever autocast says around it.
            Defaults to 'fp32'.

    Raises:
        ValueError: If the arguments or the files do not fit.
        FileNotFoundError: If the config or the weights do not exist.

    Attributes:
        scale (int): How many times as many rows and columns come out.

    Examples:
        >>> import torch
        >>> from mmdsr.inference import SuperResolver
        >>> resolver = SuperResolver(weights='dsrnet_nano_quick')
        >>> lr = torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
        >>> resolver([lr])[0].shape
        torch.Size([3, 96, 128])
    """

    def __init__(
        self,
        config=None,
        checkpoint=None,
        weights=None,
        interpolation=None,
        scale=None,
        reference='self',
        tile=None,
        overlap=16,
        max_batch=4,
        precision='fp32',
    ):
        given = [
            name
            for name, value in (
                ('config', config),
                ('weights', weights),
                ('interpolation', interpolation),
            )
            if value is not None
        ]
        if len(given) != 1:
            raise ValueError(
                'Give exactly one of config (with checkpoint), weights and '
                f'interpolation, not {", ".join(given) or "none"}.'
            )
        if checkpoint is not None and config is None:
            raise ValueError('checkpoint goes with config only.')
        if precision not in PRECISIONS:
            raise ValueError(
                f'precision must be one of {tuple(PRECISIONS)}, not '
                f'{precision!r}.'
            )
        if max_batch < 1:
            raise ValueError(f'max_batch must be >= 1, not {max_batch}.')
        self.references = References(reference)
        self.interpolation = interpolation
        self.tile = tile
        self.overlap = overlap
        self.max_batch = max_batch
        self.precision = precision
        self._network = None
        if interpolation is not None:
            self.scale = _interpolation_scale(interpolation, scale)
            return
        network = build_network(config, checkpoint, weights)
        if scale not in (None, network.scale):
            raise ValueError(
                f'scale={scale} does not fit: the network enlarges by '
                f'{network.scale}. Leave scale out.'
            )
        self.scale = network.scale
        if tile is not None:
            tiling.check_tiling(tile, overlap, network.lr_multiple)
        self._network = Hidden(network)

    def __deepcopy__(self, memo):
        # Constant: an average of a model needs no second copy.
        return self

    def __repr__(self):
        if self._network is None:
            source = self.interpolation
        else:
            source = type(self._network.module).__name__
        return f'{type(self).__name__}({source}, scale={self.scale})'

    def describe(self):
        """Say what decides about the results, but for the input.

        Returns:
            dict: Texts and numbers; equal for resolvers that give the same.
        """
        if self._network is None:
            return dict(interpolation=self.interpolation, scale=self.scale)
        network = self._network.module
        return dict(
            network=type(network).__name__,
            weights=digest_of(network),
            scale=self.scale,
            reference=self.references.policy,
            tile=self.tile,
            overlap=self.overlap if self.tile else None,
            precision=self.precision,
        )

    def check_device(self, device):
        """Refuse a device that cannot compute in the chosen precision.

        Args:
            device (str or torch.device): Where images are to be.

        Raises:
            ValueError: If it cannot.
        """
        kind = torch.device(device).type
        if self.precision == 'fp16' and kind == 'cpu' and self._network:
            raise ValueError(
                "precision='fp16' needs a GPU; use 'fp32' or 'bf16' on a CPU."
            )

    @torch.no_grad()
    def __call__(self, images, samples=None):
        """Super-resolve.

        Args:
            images (list[Tensor] or Tensor): BGR images (3, H, W) of any
                sizes in a list, or (N, 3, H, W); uint8 or float, 0..255.
            samples (Sequence, optional): Data sample or metainfo of each
                image; the policies ``'file'`` and ``'neighbor'`` need them.

        Returns:
            list[Tensor] or Tensor: As ``images``: float32 BGR, ``scale``
            times as large, whole numbers in 0..255, on the device of each
            input. With scale 1 the values of the input.

        Raises:
            ValueError: If an input is not as said, a reference cannot be
                found, or the precision does not exist on the device.
            FileNotFoundError: If a reference does not exist.
        """
        _check_images(images, samples)
        if self._network is None:
            results = [self._interpolate(image) for image in images]
        else:
            results = self._run(images, samples or [None] * len(images))
        if isinstance(images, Tensor):
            # An empty batch has nothing to stack.
            if not results:
                height, width = (s * self.scale for s in images.shape[-2:])
                return images.new_zeros(0, 3, height, width).float()
            return torch.stack(results)
        return results

    def _interpolate(self, image):
        image = image.float()
        if self.scale == 1:
            return image
        smooth = self.interpolation != 'nearest'
        enlarged = F.interpolate(
            image[None],
            scale_factor=self.scale,
            mode=self.interpolation,
            # With it torch uses Pillow's cubic kernel (a = -0.5) instead of
            # a = -0.75.
            antialias=smooth,
            **(dict(align_corners=False) if smooth else {}),
        )
        return enlarged[0].clamp(0, 255).round()

    def _run(self, images, samples):
        plans, groups, done = [], {}, {}
        multiple = self._network.module.lr_multiple
        for number, (image, sample) in enumerate(
            zip(images, samples, strict=True)
        ):
            lr = _to_rgb(image)
            ref = self.references.find(sample)
            # Grown before cutting, as the network refuses less.
            lr = _grow(lr)
            ref = lr if ref is None else _grow(_to_rgb(ref.to(lr.device)))
            size, ref_size = lr.shape[-2:], ref.shape[-2:]
            tiles = tiling.make_tiles(*size, self.tile, self.overlap, multiple)
            plans.append((image, size, tiles))
            for place, tile in enumerate(tiles):
                window = tiling.reference_window(
                    tile, size, ref_size, (self.tile or 0) // 2
                )
                pair = (
                    _grow(tiling.crop(lr, tile)),
                    _grow(tiling.crop(ref, window)),
                )
                key = pair[0].device, pair[0].shape, pair[1].shape
                groups.setdefault(key, []).append(((number, place), pair))
        for group in groups.values():
            for start in range(0, len(group), self.max_batch):
                keys, pairs = zip(
                    *group[start : start + self.max_batch], strict=True
                )
                lr, ref = map(torch.stack, zip(*pairs, strict=True))
                done.update(zip(keys, self._forward(lr, ref), strict=True))
        return [
            self._finish(plan, number, done)
            for number, plan in enumerate(plans)
        ]

    def _finish(self, plan, number, done):
        image, size, tiles = plan
        enlarged = tiling.join(
            tiles,
            [
                # A tile at the edge may have been grown.
                done.pop((number, place))[
                    :,
                    : (tile.y[1] - tile.y[0]) * self.scale,
                    : (tile.x[1] - tile.x[0]) * self.scale,
                ]
                for place, tile in enumerate(tiles)
            ],
            *size,
            self.scale,
            self.overlap,
        )
        height, width = (side * self.scale for side in image.shape[-2:])
        enlarged = enlarged[:, :height, :width].flip(0)
        return (enlarged * 255).clamp(0, 255).round()

    def _forward(self, lr, ref):
        """Run the network on a batch: RGB in 0..1, LR and reference."""
        dtype = PRECISIONS[self.precision]
        kind = lr.device.type
        self.check_device(lr.device)
        with torch.autocast(kind, enabled=False):
            chosen = torch.autocast(kind, dtype) if dtype else nullcontext()
            with chosen:
                return self._network.to(lr)(lr, ref).float()


def _interpolation_scale(interpolation, scale):
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f'interpolation must be one of {INTERPOLATIONS}, not '
            f'{interpolation!r}.'
        )
    scale = 4 if scale is None else scale
    if scale not in range(1, MAX_SCALE + 1):
        raise ValueError(
            f'scale must be a whole number from 1 to {MAX_SCALE}, not '
            f'{scale!r}.'
        )
    return int(scale)


def _check_images(images, samples):
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ValueError(
            'images must be a list of (3, H, W) tensors or one (N, 3, H, W) '
            f'tensor, not {tuple(images.shape)}.'
        )
    for image in images:
        if (
            not isinstance(image, Tensor)
            or image.ndim != 3
            or image.shape[0] != 3
            or not image.numel()
        ):
            found = getattr(image, 'shape', type(image).__name__)
            raise ValueError(
                'Each image must be a BGR tensor (3, H, W), not '
                f'{found if isinstance(found, str) else tuple(found)}.'
            )
        if image.dtype != torch.uint8 and not image.is_floating_point():
            raise ValueError(
                f'Images must be uint8 or float in 0..255, not {image.dtype}.'
            )
    if samples is not None and len(samples) != len(images):
        raise ValueError(
            f'There are {len(images)} images but {len(samples)} samples.'
        )


def _to_rgb(image):
    """Turn BGR in 0..255 into RGB in 0..1."""
    return image.flip(0).float().clamp(0, 255) / 255


def _grow(image):
    """Replicate the last row and column up to the networks' least size."""
    bottom, right = (max(0, MIN_SIZE - side) for side in image.shape[-2:])
    if not bottom and not right:
        return image
    return F.pad(image[None], (0, right, 0, bottom), mode='replicate')[0]
