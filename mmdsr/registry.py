"""Child registries of mmengine with the scope ``mmdsr``.

Write ``type='mmdsr.X'`` in any host's config; no ``custom_imports`` needed.
This module imports mmengine only. A component that needs a host package is
listed in ``host_modules`` and its module is imported when its name is looked
up, so that a config for one host never pulls in another.
"""

from importlib import import_module

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry


class HostRegistry(Registry):
    """A registry that imports host-dependent modules on demand.

    Args:
        name: Name of the registry.
        parent: The mmengine root registry.
        locations: Modules that need torch and mmengine only.
        host_modules: Component name to the module that registers it, for
            components that need a host package.
    """

    def __init__(
        self,
        name: str,
        parent: Registry,
        locations: list[str],
        host_modules: dict[str, str] | None = None,
    ) -> None:
        super().__init__(
            name, parent=parent, scope='mmdsr', locations=locations
        )
        self._host_modules = dict(host_modules or {})

    def get(self, key: str) -> type | None:
        """Return the class registered as ``key``.

        Args:
            key: Name, with or without the scope.

        Returns:
            The class, or ``None`` if there is none.

        Raises:
            ImportError: If the component needs a host package that is
                missing or outside the supported versions.
        """
        scope, name = self.split_scope_key(key)
        module = self._host_modules.get(name)
        if module is not None and scope in (None, 'mmdsr'):
            try:
                import_module(module)
            # The hosts raise AssertionError for a version they do not support.
            except (ImportError, AssertionError) as error:
                raise ImportError(
                    f'mmdsr.{name} cannot be used: {error}. Run "python -m '
                    'mmdsr.doctor" to see what to install.'
                ) from error
        return super().get(key)


MODELS = HostRegistry(
    'model',
    parent=MMENGINE_MODELS,
    locations=[
        'mmdsr.models.networks',
        'mmdsr.models.losses',
        'mmdsr.models.distillers',
    ],
    host_modules={
        'AuxMultiLabelClsHead': 'mmdsr.models.downstream.inception',
        'DSR': 'mmdsr.models.editors.dsr',
        'DSRDistiller': 'mmdsr.models.editors.distill',
        'DSRGAN': 'mmdsr.models.editors.dsrgan',
        'EDSR': 'mmdsr.models.editors.edsr',
        'DepthEditor': 'mmdsr.models.editors.depth',
        'FlowEditor': 'mmdsr.models.editors.flow',
        'SRClsDataPreprocessor': 'mmdsr.preprocessors.cls',
        'SRDetDataPreprocessor': 'mmdsr.preprocessors.det',
        'SRSegDataPreProcessor': 'mmdsr.preprocessors.seg',
        # These need no host, but further packages.
        'EfficientNetLite0': 'mmdsr.models.downstream.efficientnet_lite',
        'SlimInceptionV3': 'mmdsr.models.downstream.inception',
        'TwoStageClassifier': 'mmdsr.models.downstream.two_stage_classifier',
        # This needs no host, but no other module imports it.
        'XieNet': 'mmdsr.models.downstream.xie_net',
        'SSDHead': 'mmdsr.models.downstream.ssd_head',
        'YOLOv5Head': 'mmdsr.models.downstream.yolov5_head',
        'YOLOv5PAFPN': 'mmdsr.models.downstream.yolov5_pafpn',
    },
)
DATASETS = HostRegistry(
    'dataset',
    parent=MMENGINE_DATASETS,
    locations=[
        'mmdsr.datasets.mixed_dataset',
        'mmdsr.datasets.refsr_dataset',
    ],
    host_modules={
        'PipeSegDataset': 'mmdsr.datasets.pipe_seg',
        'SewerMLDataset': 'mmdsr.datasets.sewer_ml',
    },
)
TRANSFORMS = HostRegistry(
    'transform',
    parent=MMENGINE_TRANSFORMS,
    locations=['mmdsr.transforms'],
    host_modules={'LoadPipeMask': 'mmdsr.transforms.load_pipe_mask'},
)
METRICS = HostRegistry(
    'metric',
    parent=MMENGINE_METRICS,
    locations=['mmdsr.evaluation'],
    host_modules={
        'PipeAPMetric': 'mmdsr.evaluation.pipe_ap',
        'PipeIoUMetric': 'mmdsr.evaluation.pipe_iou',
    },
)
HOOKS = HostRegistry('hook', parent=MMENGINE_HOOKS, locations=['mmdsr.engine'])
DATA_SAMPLERS = HostRegistry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    locations=['mmdsr.engine'],
)
OPTIM_WRAPPERS = HostRegistry(
    'optim wrapper',
    parent=MMENGINE_OPTIM_WRAPPERS,
    locations=['mmdsr.engine'],
)
