"""Graphs for other runtimes compute what the networks do."""

import pytest
import torch
import torch.nn.functional as F
from deploy_cases import SIZES, assert_alike, pair, small_dsr, small_x

from mmdsr.deploy.graph_dsr import GraphDSR
from mmdsr.deploy.graph_x import GraphX, GraphXAlone
from mmdsr.deploy.onnx_export import make_graph, variants
from mmdsr.deploy.resizing import EnlargeFolded, Reduce
from mmdsr.models.networks import DSRNetX
from mmdsr.models.networks.padding import downscale


@pytest.mark.parametrize('size', [(16, 20), (97, 130), (33, 18)])
def test_reducing_is_that_of_the_networks(size):
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(Reduce()(image), downscale(image))


@pytest.mark.parametrize('scale', [2, 4])
@pytest.mark.parametrize('mode', ['bilinear', 'bicubic'])
def test_enlarging_is_interpolation(scale, mode):
    image = torch.rand(2, 3, 7, 9)
    found = EnlargeFolded(3, scale, mode == 'bicubic')(image)
    expected = F.interpolate(
        image, scale_factor=scale, mode=mode, align_corners=False
    )
    torch.testing.assert_close(F.pixel_shuffle(found, scale), expected)


@pytest.mark.parametrize(('size', 'ref_size'), SIZES)
@pytest.mark.parametrize(('batch', 'count'), [(1, 1), (2, 3)])
def test_x_with_references(size, ref_size, batch, count):
    network = small_x()
    lr, ref = pair(size, ref_size, batch, count)
    with torch.inference_mode():
        found = GraphX(network)(lr, ref)
    assert_alike(found, network, lr, ref)
    # The references matter, or this would say nothing.
    assert (found[0] - network(lr)).abs().max() > 1e-3


@pytest.mark.parametrize(('size', 'ref_size'), SIZES)
def test_further_searches(size, ref_size):
    network = small_x(zooms=(1.4, 2.0))
    # Confidences that differ.
    network.aligner.refine[0].head.weight.data[2] *= 300
    lr, ref = pair(size, ref_size, batch=2)
    with torch.inference_mode():
        flow, confidence = GraphX(network).align(lr, ref[:, 0])
        expected = network.aligner(lr, ref[:, 0])
        network.aligner.zooms = ()
        first, _ = network.aligner(lr, ref[:, 0])
    near = _near(flow, expected[0])
    torch.testing.assert_close(
        confidence * near, expected[1] * near, atol=5e-3, rtol=0
    )
    # Where two searches are equally good, rounding decides.
    assert near.mean() > 0.99
    assert _near(first, expected[0]).mean() < 0.9


def _near(one, other):
    return ((one - other).abs().amax(1, keepdim=True) < 1e-2).float()


def test_x_alone():
    network = small_x()
    lr, _ = pair((21, 30), (84, 120), batch=2)
    sr, confidence = GraphXAlone(network)(lr)
    torch.testing.assert_close(sr, network(lr))
    assert confidence.shape == (2, 1, 21, 30)
    assert not confidence.any()


@pytest.mark.parametrize(('size', 'ref_size'), SIZES)
def test_dsr(size, ref_size):
    network = small_dsr()
    lr, ref = pair(size, ref_size, batch=2)
    with torch.inference_mode():
        found = GraphDSR(network)(lr, ref)
    assert_alike(found, network, lr, ref)


@pytest.mark.parametrize(
    ('network', 'alone', 'reason'),
    [
        (DSRNetX(8, 1), False, 'has no aligner'),
        (
            DSRNetX(8, 1, aligner=dict(type='mmdsr.DISAligner')),
            False,
            r"other than a FlowNet.* or backend='torch' \(--backend torch\)",
        ),
        (torch.nn.Conv2d(3, 3, 1), False, 'cannot be exported'),
        (small_dsr(dilations=(1, 2)), False, 'dilations other'),
        (small_dsr(), True, 'always uses a reference'),
    ],
)
def test_unsupported_networks_are_refused(network, alone, reason):
    with pytest.raises(ValueError, match=reason):
        make_graph(network, alone)


def test_which_models_a_network_has():
    assert variants(small_x()) == (False, True)
    assert variants(small_dsr()) == (False,)
    for network in (DSRNetX(8, 1), DSRNetX(8, 1, use_reference=False)):
        assert variants(network) == (True,)
        assert isinstance(make_graph(network, True), GraphXAlone)
