"""Super-resolution of images: the central class of the package.

Color order, range, references, padding, tiling and rounding are decided here
and nowhere else, so that the preprocessors, the transform and the exported
files agree to the last bit of a pixel.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mmdsr.inference.base_resolver import BaseResolver
from mmdsr.inference.enlarging import enlarge
from mmdsr.inference.inputs import (
    Enhanced,
    ImageLike,
    check_images,
    check_reference,
    read_image,
    to_pixels,
    write_like,
)
from mmdsr.inference.interpolation import interpolate
from mmdsr.inference.pairs import Enlarged, ImagePair, Settings
from mmdsr.inference.references import Sample, at_full_size, metainfo_of
from mmdsr.inference.sources import Network, takes_none


class SuperResolver(BaseResolver):
    """Super-resolve images in the format of the hosts.

    It is not a module: its weights are not part of the ``parameters()`` or the
    ``state_dict()`` of a model that holds it, and ``train()``,
    ``init_weights()`` and copies of that model do not affect it. It computes
    on the device of its input.

    Give exactly one of ``config``, ``weights`` and ``interpolation``.

    Args:
        config: Config of a super-resolution training; only
            ``model.generator`` is built.
        checkpoint: Goes with ``config``: a checkpoint or a working
            directory.
        weights: Name or file of published weights, see :mod:`mmdsr.weights`,
            or a checkpoint of any x4 single-image network that spandrel can
            read.
        interpolation: Interpolation to use instead of a network, as a
            baseline: ``'nearest'``, ``'bilinear'`` or ``'bicubic'`` (Pillow's
            kernel, a = -0.5).
        scale: Factor by which rows and columns are enlarged. A network has its
            own (4); for an interpolation 1 to 8. Defaults to None, 4. An
            interpolation by 1 changes nothing.
        reference: ``'upscaled'``, ``'self'``, ``'file'`` or ``'neighbor'``,
            see :class:`mmdsr.inference.references.References`. An
            interpolation needs none. Defaults to 'upscaled'.
        tile: Maximum side of a tile in pixels of the input, see
            :mod:`mmdsr.inference.tiling`; ``None`` for the whole image,
            ``'auto'`` to choose by the image and the free memory. Defaults to
            'auto'. An interpolation needs none.
        overlap: Minimum overlap of neighboring tiles in pixels. Defaults to
            16.
        max_batch: Maximum number of images or tiles of one size per batch.
            Defaults to None: one on a CPU, otherwise by the free memory.
        precision: ``'fp32'``, ``'bf16'`` or ``'fp16'`` of the network's
            convolutions, independent of any autocast around it; other
            backends support ``'fp32'``, ``'fp16'`` and ``'int8'``. Defaults
            to 'fp32'.
        backend: Runtime of the network: ``'torch'``, ``'onnxruntime'``,
            ``'openvino'``, or ``'auto'``: torch where there is a GPU, and
            for a checkpoint, if it has the precision; otherwise the fastest
            that is installed, see :mod:`mmdsr.deploy.engine`. Defaults to
            'auto'.

    Raises:
        ValueError: If an argument is not allowed, arguments contradict each
            other, or a file cannot be used.
        FileNotFoundError: If the config or the weights do not exist.

    Attributes:
        scale: Factor by which rows and columns are enlarged.

    Examples:
        >>> import torch
        >>> from mmdsr.inference import SuperResolver
        >>> resolver = SuperResolver(weights='dsrnet_x_nano')
        >>> lr = torch.randint(0, 256, (3, 24, 32), dtype=torch.uint8)
        >>> resolver([lr])[0].shape
        torch.Size([3, 96, 128])
    """

    def enhance(
        self,
        image: ImageLike,
        reference: ImageLike | None = None,
        device: str | torch.device | None = None,
    ) -> Image.Image | np.ndarray:
        """Super-resolve one image.

        Args:
            image: A path, a Pillow image, or an RGB array ``(H, W, 3)`` of
                uint8.
            reference: An image of the same scene at full resolution, of any
                of these kinds and any size. Defaults to None: found by the
                resolver's ``reference`` policy.
            device: Device to compute on. Defaults to None, a GPU if there is
                one.

        Returns:
            RGB, ``scale`` times as large: an array if ``image`` is one,
            otherwise a Pillow image.

        Raises:
            FileNotFoundError: If a file does not exist.
            TypeError: If ``image`` is something else.
            ValueError: If it cannot be read or used, or the resolver needs a
                reference that is not given.
            MemoryError: If there is too little memory; the message says what
                to change.

        Examples:
            >>> import numpy as np
            >>> from mmdsr import SuperResolver
            >>> resolver = SuperResolver(weights='dsrnet_x_nano')
            >>> resolver.enhance(np.zeros((24, 32, 3), np.uint8)).shape
            (96, 128, 3)
        """
        return self.explain(image, reference, device).image

    def explain(
        self,
        image: ImageLike,
        reference: ImageLike | None = None,
        device: str | torch.device | None = None,
    ) -> Enhanced:
        """Super-resolve one image, and return where its detail comes from.

        Args:
            image: See :meth:`enhance`.
            reference: See :meth:`enhance`.
            device: See :meth:`enhance`.

        Returns:
            The same image, and the network's confidence in the reference.

        Raises:
            FileNotFoundError: If an image does not exist.
            TypeError: If ``image`` is something else.
            ValueError: If it cannot be read or used.
            MemoryError: If there is too little memory.
        """
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        lr = read_image(image).to(device)
        named = isinstance(image, (str, Path))
        policy, given = self.references.policy, None
        if reference is not None:
            if self._network is None:
                raise ValueError(
                    'An interpolation does not use a reference: omit it.'
                )
            given = [read_image(reference)]
        elif self._network is not None and (
            policy == 'file' or (policy == 'neighbor' and not named)
        ):
            raise ValueError(
                f'reference={policy!r} of the resolver provides no reference '
                'for this image: pass it as enhance(image, reference).'
            )
        samples = [dict(img_path=str(image))] if named else None
        (found,) = self.explain_pixels([lr], samples, given)
        return Enhanced(
            write_like(found.pixels, image), found.confidence, found.tile
        )

    @overload
    def __call__(
        self,
        images: list[Tensor],
        samples: Sequence[Sample | None] | None = None,
    ) -> list[Tensor]: ...

    @overload
    def __call__(
        self, images: Tensor, samples: Sequence[Sample | None] | None = None
    ) -> Tensor: ...

    def __call__(
        self,
        images: list[Tensor] | Tensor,
        samples: Sequence[Sample | None] | None = None,
    ) -> list[Tensor] | Tensor:
        """Super-resolve tensors in the format of the host packages.

        Args:
            images: BGR images (3, H, W) of any sizes in a list, or
                (N, 3, H, W); whole numbers or float, 0..255.
            samples: Data sample or metainfo of each image; the policies
                ``'file'`` and ``'neighbor'`` need them.

        Returns:
            As ``images``: float32 BGR, ``scale`` times as large, whole
            numbers in 0..255, on the device of each input. With scale 1 the
            values of the input.

        Raises:
            ValueError: If an input has another format, a reference cannot be
                found, the device does not support the precision, or the
                network does not return an image.
            FileNotFoundError: If a reference does not exist.
            MemoryError: If there is too little memory; the message says what
                to change.
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

    def pixels(
        self,
        images: list[Tensor] | Tensor,
        samples: Sequence[Sample | None] | None = None,
    ) -> list[Tensor]:
        """Super-resolve to uint8, a quarter of the memory of floats.

        Args:
            images: See :meth:`__call__`.
            samples: See :meth:`__call__`.

        Returns:
            uint8 BGR images.

        Raises:
            ValueError: See :meth:`__call__`.
            FileNotFoundError: If a reference does not exist.
            MemoryError: If there is too little memory.
        """
        return [one.pixels for one in self._run(images, samples)]

    def explain_pixels(
        self,
        images: list[Tensor] | Tensor,
        samples: Sequence[Sample | None] | None = None,
        references: Sequence[Tensor | None] | None = None,
    ) -> list[Enlarged]:
        """Super-resolve to uint8, and return where the detail comes from.

        Args:
            images: See :meth:`__call__`.
            samples: See :meth:`__call__`.
            references: A reference for each image, BGR (3, Hr, Wr) of any
                size in 0..255, or several (K, 3, Hr, Wr), if the network
                :attr:`takes_several`; ``None`` for an image whose reference
                the resolver finds. Defaults to None, for all images.

        Returns:
            The images that :meth:`pixels` returns, with their confidences.

        Raises:
            ValueError: See :meth:`__call__`.
            FileNotFoundError: If a reference does not exist.
            MemoryError: If there is too little memory.
        """
        return self._run(images, samples, references, explain=True)

    @torch.no_grad()
    def _run(
        self,
        images: list[Tensor] | Tensor,
        samples: Sequence[Sample | None] | None,
        references: Sequence[Tensor | None] | None = None,
        explain: bool = False,
    ) -> list[Enlarged]:
        check_images(images, samples)
        images = [to_pixels(image) for image in images]
        if self._network is None:
            kind = str(self.interpolation)
            return [
                Enlarged(interpolate(image, kind, self.scale))
                for image in images
            ]
        for image in images:
            self.check_device(image.device)
        network, none = self._network.module, [None] * len(images)
        pairs = [
            self._pair(network, *parts)
            for parts in zip(
                images, samples or none, references or none, strict=True
            )
        ]
        settings = Settings(
            self.scale,
            network.lr_multiple,
            self.tile,
            self.overlap,
            self.max_batch,
            self.precision if self.backend == 'torch' else 'fp32',
            network.searches_from_center,
            explain,
        )
        # An engine has all of a network that is used.
        engine = cast(Network, self._engine)
        return enlarge(engine, pairs, settings) if pairs else []

    def _pair(
        self,
        network: Network,
        image: Tensor,
        sample: Sample | None,
        reference: Tensor | None,
    ) -> ImagePair:
        name = str(metainfo_of(sample).get('img_path', 'an image'))
        if reference is None:
            reference = self.references.find(sample)
        if reference is not None:
            check_reference(reference, name)
            reference = to_pixels(reference)
            several = reference.ndim == 4
            if several and len(reference) > 1 and not self.takes_several:
                raise ValueError(
                    f'{type(network).__name__} takes one reference per image, '
                    f'not {len(reference)}.'
                )
            full = [
                at_full_size(one, image, self.scale)
                for one in (reference if several else [reference])
            ]
            # One of several is one, so that they can share a batch.
            ref = torch.stack(full) if len(full) > 1 else full[0]
            return ImagePair(image, ref, name)
        if takes_none(network):
            return ImagePair(image, 'none', name)
        own = self.references.policy == 'self'
        return ImagePair(image, 'self' if own else 'upscaled', name)
