"""PSNR and SSIM for mmagic's and mmengine's evaluation loops."""

from abc import abstractmethod

import numpy as np
from mmengine.evaluator import BaseMetric

from mmdsr.evaluation.functional import MODES, psnr, ssim
from mmdsr.registry import METRICS

ORDERS = ('BGR', 'RGB')


class SampleMetric(BaseMetric):
    """A metric that mmagic's and mmengine's evaluators can both run.

    A subclass has a ``name`` and implements ``process`` and
    ``compute_metrics``.

    Args:
        collect_device (str): ``'cpu'`` or ``'gpu'``, for several processes.
        prefix (str, optional): Put before the name, with a slash.
    """

    # What mmagic's Evaluator groups the metrics by.
    SAMPLER_MODE = 'normal'
    sample_model = 'orig'

    def __init__(self, collect_device='cpu', prefix=None):
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.size = None

    def prepare(self, module, dataloader):
        """Note the size of the data set; mmagic's Evaluator calls this.

        Args:
            module (nn.Module): Not used.
            dataloader (DataLoader): Loader of the data set.
        """
        self.size = len(dataloader.dataset)

    def get_metric_sampler(self, model, dataloader, metrics):
        """Return what to draw batches from; mmagic's Evaluator calls this.

        Args:
            model (nn.Module): Not used.
            dataloader (DataLoader): Loader of the data set.
            metrics (list): Not used.

        Returns:
            DataLoader: The loader itself.
        """
        return dataloader

    def evaluate(self, size=None):
        """Collect the values of all processes and average them.

        Args:
            size (int, optional): Samples in the data set. mmengine's loops
                give it, mmagic's tell :meth:`prepare`.

        Returns:
            dict[str, float]: The mean.

        Raises:
            ValueError: If nobody told the size, or there was no sample.
        """
        size = self.size if size is None else size
        if size is None:
            raise ValueError(
                f'{self.name}.evaluate needs the size of the data set.'
            )
        if not self.results:
            raise ValueError(f'{self.name}: there was no sample to compare.')
        return super().evaluate(size)


class ImageMetric(SampleMetric):
    """A metric that compares each prediction with its truth.

    What arrives are mmagic's data samples as dicts: the truth at
    ``gt_key``, the prediction at ``pred_key`` of ``'output'``, both
    ``(3, H, W)`` in [0, 255].

    **Order of the channels.** mmagic's ``DataPreprocessor.destruct`` turns
    predictions to BGR, and in evaluation it turns the fields of its
    ``data_keys`` (by default the truth) to BGR as well and says so in
    ``{gt_key}_output_channel_order``. The truth is read by that note; if it
    was not converted, by the order in which it was loaded
    (``gt_channel_order``). ``channel_order`` is the order of the prediction,
    and of a truth about which nothing is noted.

    Args:
        mode (str): ``'Y'`` or ``'RGB'``.
        gt_key (str): Field of the truth.
        pred_key (str): Field of the prediction.
        channel_order (str): ``'BGR'`` (mmagic's editors) or ``'RGB'``.
        collect_device (str): ``'cpu'`` or ``'gpu'``, for several processes.
        prefix (str, optional): Put before the name, with a slash.

    Raises:
        ValueError: If an argument is unknown.
    """

    metric = ''

    def __init__(
        self,
        mode='Y',
        gt_key='gt_img',
        pred_key='pred_img',
        channel_order='BGR',
        collect_device='cpu',
        prefix=None,
    ):
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
    def name(self):
        """str: Key of the result, such as ``PSNR-Y``."""
        return f'{self.metric}-{self.mode}'

    @abstractmethod
    def compare(self, sr, hr):
        """Compare one prediction with its truth.

        Args:
            sr (np.ndarray): ``(H, W, 3)`` RGB in [0, 255].
            hr (np.ndarray): Likewise.

        Returns:
            float: The value.
        """

    def process(self, data_batch, data_samples):
        """Compare the samples of a batch.

        Args:
            data_batch (dict): Not used.
            data_samples (Sequence[dict]): Samples with predictions.

        Raises:
            KeyError: If a sample has no truth or no prediction.
        """
        for sample in data_samples:
            if self.gt_key not in sample:
                raise KeyError(
                    f'{self.name} needs the truth {self.gt_key!r}; load it '
                    'in the pipeline or take the metric out.'
                )
            sr = to_rgb_array(
                sample['output'][self.pred_key], self.channel_order
            )
            hr = to_rgb_array(
                sample[self.gt_key],
                field_order(sample, self.gt_key, self.channel_order),
            )
            self.results.append(self.compare(sr, hr))

    def compute_metrics(self, results):
        """Average over the samples.

        Args:
            results (list[float]): One value per sample.

        Returns:
            dict[str, float]: The mean.
        """
        return {self.name: float(np.mean(results))}


@METRICS.register_module()
class PSNR(ImageMetric):
    """Peak signal-to-noise ratio, ``PSNR-Y`` or ``PSNR-RGB``, in dB.

    The arguments are those of :class:`ImageMetric`, the protocol that of
    :mod:`mmdsr.evaluation.functional`.
    """

    metric = 'PSNR'

    def compare(self, sr, hr):
        """Compare one prediction with its truth; see the base class."""
        return psnr(sr, hr, self.mode)


@METRICS.register_module()
class SSIM(ImageMetric):
    """Structural similarity, ``SSIM-Y`` or ``SSIM-RGB``.

    The arguments are those of :class:`ImageMetric`, the protocol that of
    :mod:`mmdsr.evaluation.functional`.
    """

    metric = 'SSIM'

    def compare(self, sr, hr):
        """Compare one prediction with its truth; see the base class."""
        return ssim(sr, hr, self.mode)


def field_order(sample, key, default):
    """Return the order of the channels of a data sample's field.

    Args:
        sample (dict): An mmagic data sample with its meta information.
        key (str): Field, such as ``'gt_img'``.
        default (str): What to assume if nothing is noted.

    Returns:
        str: ``'RGB'`` or ``'BGR'``.
    """
    # mmagic notes the order of gt_img as gt_channel_order.
    loaded = f'{"gt" if key == "gt_img" else key}_channel_order'
    noted = (
        sample.get(f'{key}_output_channel_order')
        or sample.get(loaded)
        or default
    )
    return noted.upper()


def to_rgb_array(image, channel_order):
    """Turn a tensor of a data sample into an RGB array.

    Args:
        image (Tensor): ``(3, H, W)`` or ``(1, 3, H, W)`` in [0, 255].
        channel_order (str): ``'RGB'`` or ``'BGR'``.

    Returns:
        np.ndarray: ``(H, W, 3)`` RGB, of the same type.

    Raises:
        ValueError: If the shape is not as said.
    """
    if image.ndim == 4 and image.shape[0] == 1:
        image = image[0]
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            f'A colour image (3, H, W) is needed, not {tuple(image.shape)}.'
        )
    array = image.detach().cpu().permute(1, 2, 0)
    array = (array.float() if array.is_floating_point() else array).numpy()
    return array if channel_order == 'RGB' else array[..., ::-1]
