"""Images in, larger images out: the one place that knows how.

Colour order, range, references, padding, tiling and rounding are decided
here and nowhere else, so that the preprocessors, the transform and the
exported files agree to the last bit of a pixel.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from mmdsr.deploy.engine import ALL_PRECISIONS, make_engine
from mmdsr.deploy.runtimes import RUNTIMES
from mmdsr.inference import budget, tiling
from mmdsr.inference.enlarging import ImagePair, Settings, enlarge
from mmdsr.inference.inputs import (
    ImageLike,
    check_images,
    read_image,
    write_like,
)
from mmdsr.inference.references import (
    References,
    at_full_size,
    metainfo_of,
)
from mmdsr.inference.sources import build_network, digest_of, takes_none
from mmdsr.models.hidden import Hidden

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
        reference (str): ``'upscaled'``, ``'self'``, ``'file'`` or
            ``'neighbor'``, see
            :class:`mmdsr.inference.references.References`. An interpolation
            needs none. Defaults to 'upscaled'.
        tile (str, int or None): Largest side, in pixels of the input, of
            what the network sees at once, see
            :mod:`mmdsr.inference.tiling`; ``None`` for the whole image,
            ``'auto'`` to choose by the image and the free memory. Defaults
            to 'auto'. An interpolation needs none.
        overlap (int): Pixels that neighbouring tiles share at least.
            Defaults to 16.
        max_batch (int, optional): How many images or tiles of one size are
            computed at once. Defaults to None: one on a CPU, else by the
            free memory.
        precision (str): ``'fp32'``, ``'bf16'`` or ``'fp16'`` of the
            network's convolutions, whatever autocast says around it; other
            backends have ``'fp32'``, ``'fp16'`` and ``'int8'``.
            Defaults to 'fp32'.
        backend (str): What the network runs in: ``'torch'``,
            ``'onnxruntime'``, ``'openvino'``, or ``'auto'``: torch where
            there is a GPU, and for a training's checkpoint, otherwise the
            fastest that is installed, see :mod:`mmdsr.deploy.engine`.
            Defaults to 'auto'.

    Raises:
        ValueError: If the arguments or the files do not fit.
        FileNotFoundError: If the config or the weights do not exist.

    Attributes:
        scale (int): How many times as many rows and columns come out.

    Examples:
        >>> import torch
        >>> from mmdsr.inference import SuperResolver
        >>> resolver = SuperResolver(weights='dsrnet_x_nano')
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
        reference='upscaled',
        tile='auto',
        overlap=16,
        max_batch=None,
        precision='fp32',
        backend='auto',
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
        if precision not in ALL_PRECISIONS:
            raise ValueError(
                f'precision must be one of {ALL_PRECISIONS}, not '
                f'{precision!r}.'
            )
        if max_batch is not None and max_batch < 1:
            raise ValueError(f'max_batch must be >= 1, not {max_batch}.')
        self.references = References(reference)
        self.interpolation = interpolation
        self.tile = tile
        self.overlap = overlap
        self.max_batch = max_batch
        self.precision = precision
        self.backend = None
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
        if isinstance(tile, str) and tile != 'auto':
            raise ValueError(
                f"tile must be a number of pixels, 'auto' or None for the "
                f'whole image, not {tile!r}.'
            )
        if tile is not None:
            side = budget.LARGEST if tile == 'auto' else tile
            tiling.check_tiling(side, overlap, network.lr_multiple)
        self._network = Hidden(network)
        if backend == 'auto' and weights is None:
            # Converting takes seconds, and a training has many checkpoints.
            backend = 'torch'
        self._engine = make_engine(
            network, backend, precision, budget.cpu_count()
        )
        self.backend = getattr(self._engine, 'backend', 'torch')

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
            backend=self.backend,
        )

    def check_device(self, device):
        """Refuse a device that cannot compute in the chosen precision.

        Args:
            device (str or torch.device): Where images are to be.

        Raises:
            ValueError: If it cannot.
        """
        kind = torch.device(device).type
        if kind != 'cpu' and self.backend in RUNTIMES:
            raise ValueError(
                f'backend={self.backend!r} computes on the CPU: choose '
                f"device='cpu', or backend='torch' for {kind}."
            )
        if self.backend in RUNTIMES:
            return
        if self.precision == 'fp16' and kind == 'cpu' and self._network:
            raise ValueError(
                "precision='fp16' needs a GPU; use 'fp32' or 'bf16' on a CPU."
            )

    def batch_size(self, device):
        """Return how many images are worth giving at once.

        Args:
            device (str or torch.device): Where they are.

        Returns:
            int: At least 1.
        """
        return self.max_batch or budget.batch_size(torch.device(device))

    @torch.no_grad()
    def enhance(
        self,
        image: ImageLike,
        reference: ImageLike | None = None,
        device: str | torch.device | None = None,
    ) -> Image.Image | np.ndarray:
        """Super-resolve one image, as people have them.

        Args:
            image: A file, a picture of Pillow, or an RGB array ``(H, W, 3)``
                of uint8.
            reference: An image of the same scene at full resolution, of any
                of these kinds and any size. Defaults to None: as the
                resolver's ``reference`` says.
            device: Where to compute. Defaults to None, a GPU if any.

        Returns:
            RGB, ``scale`` times as large: an array if ``image`` is one,
            otherwise a picture of Pillow, of a file as well.

        Raises:
            FileNotFoundError: If a file does not exist.
            TypeError: If ``image`` is something else.
            ValueError: If it cannot be read or used, or the resolver needs a
                reference that is not given.
            MemoryError: If there is too little memory; says what to do.

        Examples:
            >>> import numpy as np
            >>> from mmdsr import SuperResolver
            >>> resolver = SuperResolver(weights='dsrnet_x_nano')
            >>> resolver.enhance(np.zeros((24, 32, 3), np.uint8)).shape
            (96, 128, 3)
        """
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        lr = read_image(image).to(device)
        named = isinstance(image, (str, Path))
        if reference is not None and self._network is None:
            raise ValueError('An interpolation takes no reference.')
        policy = self.references.policy
        if reference is not None:
            name = str(image) if named else 'an image'
            self.check_device(lr.device)
            reference = at_full_size(read_image(reference), lr, self.scale)
            pair = ImagePair(lr, reference, name)
            (result,) = self._enlarge([pair])
        elif policy == 'file' or (policy == 'neighbor' and not named):
            raise ValueError(
                f'reference={policy!r} of the resolver tells no reference for '
                'this image: give it as enhance(image, reference).'
            )
        else:
            samples = [dict(img_path=str(image))] if named else None
            (result,) = self.pixels([lr], samples)
        return write_like(result, image)

    def __call__(self, images, samples=None):
        """Super-resolve tensors as the hosts have them.

        Args:
            images (list[Tensor] or Tensor): BGR images (3, H, W) of any
                sizes in a list, or (N, 3, H, W); whole numbers or float,
                0..255.
            samples (Sequence, optional): Data sample or metainfo of each
                image; the policies ``'file'`` and ``'neighbor'`` need them.

        Returns:
            list[Tensor] or Tensor: As ``images``: float32 BGR, ``scale``
            times as large, whole numbers in 0..255, on the device of each
            input. With scale 1 the values of the input.

        Raises:
            ValueError: If an input is not as said, a reference cannot be
                found, the precision does not exist on the device, or what
                the network gives is no image.
            FileNotFoundError: If a reference does not exist.
            MemoryError: If there is too little memory; says what to do.
        """
        if self.scale == 1:
            check_images(images, samples)
            results = [image.float() for image in images]
        else:
            pixels = self.pixels(images, samples)
            results = [image.float() for image in pixels]
        if isinstance(images, Tensor):
            # An empty batch has nothing to stack.
            if not results:
                height, width = (s * self.scale for s in images.shape[-2:])
                return images.new_zeros(0, 3, height, width).float()
            return torch.stack(results)
        return results

    @torch.no_grad()
    def pixels(self, images, samples=None):
        """Super-resolve into bytes, a quarter of what floats take.

        Args:
            images (list[Tensor] or Tensor): As of :meth:`__call__`.
            samples (Sequence, optional): Likewise.

        Returns:
            list[Tensor]: uint8 BGR images.

        Raises:
            ValueError: As of :meth:`__call__`, likewise the rest.
            FileNotFoundError: If a reference does not exist.
            MemoryError: If there is too little memory.
        """
        check_images(images, samples)
        if self._network is None:
            return [self._interpolate(image) for image in images]
        for image in images:
            self.check_device(image.device)
        samples = samples or [None] * len(images)
        pairs = [
            self._pair(image, sample)
            for image, sample in zip(images, samples, strict=True)
        ]
        return self._enlarge(pairs) if pairs else []

    def _enlarge(self, pairs):
        network = self._network.module
        settings = Settings(
            self.scale,
            network.lr_multiple,
            self.tile,
            self.overlap,
            self.max_batch,
            self.precision if self.backend == 'torch' else 'fp32',
            network.searches_from_center,
        )
        return enlarge(self._engine, pairs, settings)

    def _pair(self, image, sample):
        found = self.references.find(sample)
        if found is None:
            own = self.references.policy == 'self'
            found = 'self' if own else 'upscaled'
            if takes_none(self._network.module):
                found = 'none'
        else:
            found = at_full_size(found, image, self.scale)
        name = metainfo_of(sample).get('img_path', 'an image')
        return ImagePair(image, found, str(name))

    def _interpolate(self, image):
        smooth = self.interpolation != 'nearest'
        height, width = (side * self.scale for side in image.shape[-2:])
        result = image.new_empty(3, height, width, dtype=torch.uint8)
        # One by one, to hold a third of the floats.
        for channel, target in zip(image, result, strict=True):
            enlarged = F.interpolate(
                channel[None, None].float(),
                scale_factor=self.scale,
                mode=self.interpolation,
                # With it torch uses Pillow's cubic kernel (a = -0.5) instead
                # of a = -0.75.
                antialias=smooth,
                **(dict(align_corners=False) if smooth else {}),
            )
            target.copy_(enlarged[0, 0].clamp_(0, 255).round_())
        return result


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
