"""Images for the tests of the resolver."""

import torch


def noise(height, width, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, 256, (3, height, width), dtype=torch.uint8, generator=rng
    )


def pipe(height, width, seed=0):
    """Make an image with structure at several scales."""
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij'
    )
    radius = torch.hypot(y - height / 2, x - width / 2)
    rings = 90 + 60 * torch.sin(radius / 5) + radius / 2
    grain = noise(height, width, seed).float() / 8
    return (rings + grain).clamp(0, 255).byte()
