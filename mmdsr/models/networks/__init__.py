"""Networks of the paper, and DSRNet-X; they need torch and mmengine only."""

from mmdsr.models.networks.aligners import DISAligner, DRIMMAligner
from mmdsr.models.networks.decoder import DRAM, SAM, RefDecoder
from mmdsr.models.networks.depth_fusion import DepthFusion, SharedDepthFusion
from mmdsr.models.networks.depth_unet import DepthUNet
from mmdsr.models.networks.discriminator import VGGStyleDiscriminator
from mmdsr.models.networks.dmm import DMM
from mmdsr.models.networks.drimm import DRIMM
from mmdsr.models.networks.dsrnet import DSRNet
from mmdsr.models.networks.dsrnet_x import DSRNetX
from mmdsr.models.networks.encoder import DepthEncoder, RefEncoder
from mmdsr.models.networks.flow_warp import FlowWarp
from mmdsr.models.networks.flownet import FlowNet
from mmdsr.models.networks.masa_sr import MASASRNet
from mmdsr.models.networks.refsr_net import DSROutput

__all__ = [
    'DMM',
    'DRAM',
    'DRIMM',
    'SAM',
    'DISAligner',
    'DRIMMAligner',
    'DSRNet',
    'DSRNetX',
    'DSROutput',
    'DepthEncoder',
    'DepthFusion',
    'DepthUNet',
    'FlowNet',
    'FlowWarp',
    'MASASRNet',
    'RefDecoder',
    'RefEncoder',
    'SharedDepthFusion',
    'VGGStyleDiscriminator',
]
