"""Super-resolution in front of a host's model, as its data preprocessor."""

from mmdsr.errors import StageError
from mmdsr.inference import SuperResolver
from mmdsr.preprocessors.rescale import rescale_samples


class SuperResolveMixin:
    """Enlarges the images before a data preprocessor does its own work.

    Put it before the data preprocessor of a host::

        @MODELS.register_module()
        class SRDetDataPreprocessor(SuperResolveMixin, DetDataPreprocessor):
            pass

    The super-resolver is no submodule: it is in neither the checkpoint nor
    the optimiser, the model's ``train()``, ``init_weights()`` and ``to()`` do
    not reach it, and an average of the weights (EMA) shares it. Everything
    that ends in ``model.train_step``, ``val_step`` or ``test_step`` passes
    here, so the inference functions of the hosts do, too.

    Args:
        *args: Of the host's data preprocessor. Sizes among them (``size``,
            ``pad_size_divisor``, ...) are those of the SR image.
        sr (dict): Arguments of :class:`mmdsr.inference.SuperResolver`.
        **kwargs: Of the host's data preprocessor.

    Raises:
        StageError: If ``sr`` does not fit.
        FileNotFoundError: If the config or the weights do not exist.
    """

    #: Whether samples hold what depends on the size of the image; then
    #: those that fit neither the LR nor the HR image are refused.
    has_frame = True

    def __init__(self, *args, sr, **kwargs):
        super().__init__(*args, **kwargs)
        try:
            self.sr = SuperResolver(**sr)
        except (TypeError, ValueError) as error:
            raise StageError(
                f'sr={dict(sr)} of the data preprocessor cannot be used: '
                f'{error}'
            ) from error

    def forward(self, data, training=False):
        """Enlarge the images, then do what the host does.

        Args:
            data (dict): ``inputs``: list of (3, H, W) BGR tensors in 0..255,
                or one (N, 3, H, W) tensor; ``data_samples``: optional list.
            training (bool): Whether this is a training step. Defaults to
                False.

        Returns:
            dict: As of the host.

        Raises:
            FrameError: If a sample fits neither the LR nor the HR image.
            StageError: If an image or its reference cannot be used.
            FileNotFoundError: If a reference does not exist.
        """
        inputs = self.cast_data(data['inputs'])
        samples = data.get('data_samples')
        # First, as it costs nothing and may refuse the sample.
        rescaled = rescale_samples(
            samples,
            [image.shape[-2:] for image in inputs],
            self.sr.scale,
            training=training,
            strict=self.has_frame,
        )
        try:
            data = {**data, 'inputs': self.sr(inputs, samples)}
        except ValueError as error:
            raise StageError(
                f'An image cannot be super-resolved: {error}'
            ) from error
        if samples is not None:
            data['data_samples'] = rescaled
        return super().forward(data, training)
