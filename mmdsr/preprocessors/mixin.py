"""Super-resolution in front of a host's model, as its data preprocessor."""

from typing import Any

from mmengine.model import BaseDataPreprocessor

from mmdsr.errors import StageError
from mmdsr.inference import SuperResolver
from mmdsr.preprocessors.rescale import rescale_samples


class SuperResolveMixin(BaseDataPreprocessor):
    """Super-resolves the images before a data preprocessor sees them.

    Put it before the data preprocessor of a host::

        @MODELS.register_module()
        class SRDetDataPreprocessor(SuperResolveMixin, DetDataPreprocessor):
            pass

    The super-resolver is not a submodule: it is in neither the checkpoint nor
    the optimizer, the model's ``train()``, ``init_weights()`` and ``to()`` do
    not reach it, and an average of the weights (EMA) shares it. Everything
    that calls ``model.train_step``, ``val_step`` or ``test_step`` goes
    through it, the inference functions of the hosts included.

    Args:
        *args: For the host's data preprocessor. Sizes among them (``size``,
            ``pad_size_divisor``, ...) are those of the SR image.
        sr: Arguments of :class:`mmdsr.inference.SuperResolver`.
        **kwargs: For the host's data preprocessor.

    Raises:
        StageError: If ``sr`` cannot be used.
        FileNotFoundError: If the config or the weights do not exist.
    """

    #: Whether annotations depend on the size of the image; samples that match
    #: neither the LR nor the HR image are then refused.
    has_frame = True

    def __init__(
        self, *args: object, sr: dict[str, Any], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.sr = SuperResolver(**sr)
        except (TypeError, ValueError) as error:
            raise StageError(
                f'sr={dict(sr)} of the data preprocessor cannot be used: '
                f'{error}'
            ) from error

    def forward(
        self, data: dict[str, Any], training: bool = False
    ) -> dict[str, Any]:
        """Super-resolve the images, then run the host's preprocessor.

        Args:
            data: ``inputs``: list of (3, H, W) BGR tensors in 0..255, or one
                (N, 3, H, W) tensor; ``data_samples``: optional list.
            training: Whether this is a training step.

        Returns:
            The host's result.

        Raises:
            FrameError: If a sample matches neither the LR nor the HR image.
            StageError: If an image or its reference cannot be used.
            FileNotFoundError: If a reference does not exist.
        """
        inputs = self.cast_data(data['inputs'])
        samples = data.get('data_samples')
        # First, because it is cheap and may refuse the sample.
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
