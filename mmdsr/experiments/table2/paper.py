"""Values of Table 2 in the paper."""

from typing import NamedTuple


class Printed(NamedTuple):
    """A line of the paper's Table 2.

    Args:
        psnr: PSNR in dB.
        ssim: SSIM in [-1, 1].
        flops: FLOPs in 1e9, in the convention of MASA-SR; those of ATD are
            from another counter that omits the products of the attention.
        params: Number of parameters in 1e6.
    """

    psnr: float
    ssim: float
    flops: float
    params: float


TABLE2 = {
    'EDSR': Printed(35.5717, 0.9153, 37.39, 1.81),
    'DBPN': Printed(35.6367, 0.9163, 314.81, 2.21),
    'MDSR': Printed(35.7053, 0.9158, 44.11, 2.22),
    'RCAN': Printed(35.7180, 0.9154, 261.44, 15.59),
    'RCAN+': Printed(36.0771, 0.9191, 261.44, 15.59),
    'MASA-SR': Printed(36.3563, 0.9555, 367.93, 4.03),
    'MASA-rec': Printed(36.7557, 0.9597, 367.93, 4.03),
    'ATD': Printed(35.8824, 0.9439, 300.23, 20.3),
    'ATD-light': Printed(35.8088, 0.9425, 11.41, 0.769),
    'DSRNet': Printed(36.2170, 0.9526, 379.75, 8.13),
    'DSRNet+': Printed(36.9621, 0.9598, 379.75, 8.13),
    'DSRNet-S': Printed(36.5064, 0.9554, 250.81, 5.03),
    'DSRNet-D': Printed(36.6797, 0.9560, 250.81, 5.03),
}
