"""PSNR and SSIM for mmagic's and mmengine's evaluation loops."""

from abc import abstractmethod
from collections.abc import Sequence, Sized
from typing import Any, cast

import numpy as np
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmdsr.evaluation.functional import MODES, psnr, ssim
from mmdsr.registry import METRICS

ORDERS = ('BGR', 'RGB')


class SampleMetric(BaseMetric):
    """A metric for the evaluators of both mmagic and mmengine.

    A subclass has a ``name`` and implements ``process`` and
    ``compute_metrics``.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the name, separated by a slash.
    """

    # mmagic's Evaluator groups the metrics by these.
    SAMPLER_MODE = 'normal'
    sample_model = 'orig'

    def __init__(
        self, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.size: int | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """Key of the result."""

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Note the size of the data set; mmagic's Evaluator calls this.

        Args:
            module: Not used.
            dataloader: Loader of the data set.
        """
        self.size = len(cast(Sized, dataloader.dataset))

    def get_metric_sampler(
        self, model: nn.Module, dataloader: DataLoader, metrics: list[Any]
    ) -> DataLoader:
        """Return the source of batches; mmagic's Evaluator calls this.

        Args:
            model: Not used.
            dataloader: Loader of the data set.
            metrics: Not used.

        Returns:
            The loader itself.
        """
        return dataloader

    def evaluate(self, size: int | None = None) -> dict[str, float]:
        """Collect the values of all processes and average them.

        Args:
            size: Number of samples in the data set. mmengine's loops pass it,
                mmagic's call :meth:`prepare`.

        Returns:
            The mean.

        Raises:
            ValueError: If the size is not known, or there was no sample.
        """
        size = self.size if size is None else size
        if size is None:
            raise ValueError(
                f'{self.name}.evaluate needs the size of the data set.'
            )
        if not self.results:
            raise ValueError(f'{self.name}: there was no sample to evaluate.')
        return super().evaluate(size)


class ImageMetric(SampleMetric):
    """A metric that compares each prediction with its truth.

    The samples are mmagic's data samples as dicts: the truth at ``gt_key``,
    the prediction at ``pred_key`` of ``'output'``, both ``(3, H, W)`` in
    [0, 255].

    **Order of the channels.** mmagic's ``DataPreprocessor.destruct`` turns
    predictions to BGR, and in evaluation it turns the fields of its
    ``data_keys`` (by default the truth) to BGR as well and records this in
    ``{gt_key}_output_channel_order``. The truth is read in that order; if it
    was not converted, in the order in which it was loaded
    (``gt_channel_order``). ``channel_order`` is the order of the prediction,
    and of a truth whose order is not recorded.

    Args:
        mode: ``'Y'`` or ``'RGB'``.
        gt_key: Field of the truth.
        pred_key: Field of the prediction.
        channel_order: ``'BGR'`` (mmagic's editors) or ``'RGB'``.
        collect_device: ``'cpu'`` or ``'gpu'``, for several processes.
        prefix: Prefix of the name, separated by a slash.

    Raises:
        ValueError: If an argument is unknown.
    """

    metric = ''

    def __init__(
        self,
        mode: str = 'Y',
        gt_key: str = 'gt_img',
        pred_key: str = 'pred_img',
        channel_order: str = 'BGR',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f'mode must be one of {MODES}, not {mode!r}.')
        if channel_order not in ORDERS:
            raise ValueError(
                f'channel_order must be one of {ORDERS}, not '
                f'{channel_order!r}.'
            )
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.mode = mode
        self.gt_key = gt_key
        self.pred_key = pred_key
        self.channel_order = channel_order

    @property
    def name(self) -> str:
        """Key of the result, such as ``PSNR-Y``."""
        return f'{self.metric}-{self.mode}'

    @abstractmethod
    def compare(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """Compare one prediction with its truth.

        Args:
            sr: Prediction ``(H, W, 3)``, RGB in [0, 255].
            hr: Ground truth of the same shape.

        Returns:
            The value.
        """

    def process(
        self,
        data_batch: dict[str, Any],
        data_samples: Sequence[dict[str, Any]],
    ) -> None:
        """Compare the samples of a batch.

        Args:
            data_batch: Not used.
            data_samples: Samples with predictions.

        Raises:
            KeyError: If a sample has no truth or no prediction.
        """
        for sample in data_samples:
            if self.gt_key not in sample:
                raise KeyError(
                    f'{self.name} needs the truth {self.gt_key!r}: load it '
                    'in the pipeline or remove the metric.'
                )
            sr = to_rgb_array(
                sample['output'][self.pred_key], self.channel_order
            )
            hr = to_rgb_array(
                sample[self.gt_key],
                field_order(sample, self.gt_key, self.channel_order),
            )
            self.results.append(self.compare(sr, hr))

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the samples.

        Args:
            results: One value per sample.

        Returns:
            The mean.
        """
        return {self.name: float(np.mean(results))}


@METRICS.register_module()
class PSNR(ImageMetric):
    """Peak signal-to-noise ratio, ``PSNR-Y`` or ``PSNR-RGB``, in dB.

    The arguments are those of :class:`ImageMetric`, the protocol that of
    :mod:`mmdsr.evaluation.functional`.
    """

    metric = 'PSNR'

    def compare(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """Compare one prediction with its truth; see the base class."""
        return psnr(sr, hr, self.mode)


@METRICS.register_module()
class SSIM(ImageMetric):
    """Structural similarity, ``SSIM-Y`` or ``SSIM-RGB``.

    The arguments are those of :class:`ImageMetric`, the protocol that of
    :mod:`mmdsr.evaluation.functional`.
    """

    metric = 'SSIM'

    def compare(self, sr: np.ndarray, hr: np.ndarray) -> float:
        """Compare one prediction with its truth; see the base class."""
        return ssim(sr, hr, self.mode)


def field_order(sample: dict[str, Any], key: str, default: str) -> str:
    """Return the channel order of a field of a data sample.

    Args:
        sample: An mmagic data sample with its meta information.
        key: Field, such as ``'gt_img'``.
        default: Order to assume if none is recorded.

    Returns:
        ``'RGB'`` or ``'BGR'``.
    """
    # mmagic records the order of gt_img as gt_channel_order.
    loaded = f'{"gt" if key == "gt_img" else key}_channel_order'
    noted = (
        sample.get(f'{key}_output_channel_order')
        or sample.get(loaded)
        or default
    )
    return noted.upper()


def to_rgb_array(image: Tensor, channel_order: str) -> np.ndarray:
    """Turn a tensor of a data sample into an RGB array.

    Args:
        image: ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 255].
        channel_order: ``'RGB'`` or ``'BGR'``.

    Returns:
        ``(H, W, 3)`` RGB of the same dtype.

    Raises:
        ValueError: If the shape is another.
    """
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            f'The image must be (3, H, W), not {tuple(image.shape)}.'
        )
    pixels = image.detach().cpu().permute(1, 2, 0)
    array = (pixels.float() if pixels.is_floating_point() else pixels).numpy()
    return array if channel_order == 'RGB' else array[..., ::-1]
