"""The contract of the resolver, on the bundled weights."""

import torch

from mmdsr.inference import SuperResolver


def test_identity_changes_nothing():
    image = torch.rand(3, 5, 7) * 255
    same = SuperResolver(interpolation='nearest', scale=1)([image])[0]
    assert torch.equal(same, image)
