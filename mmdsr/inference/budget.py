"""Available memory and cores, and the memory that a tile needs.

On Linux, a process that runs out of memory is killed without an error that
could be caught. Therefore the memory of a network is estimated in advance,
from its widths and from measurements (docs/results.md), on the high side.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from mmdsr.inference.footprint import bytes_per_pixel
from mmdsr.inference.sources import Network
from mmdsr.models.networks.self_ensemble import SelfEnsemble
from mmdsr.models.networks.single_image import SingleImageNet

GIB = 2**30
#: Maximum memory of a network. More would not make it faster: on a CPU, tiles
#: that fit into the caches are. And results should depend on the image, not on
#: other processes of the machine.
_USUAL = {'cpu': 1.5 * GIB}
_USUAL_GPU = 6 * GIB
#: Share of the free memory that may be used.
_SHARE = 0.5
#: For :func:`need`: what the libraries take on first use; how many copies of
#: the features of LR are held while decoding, of those of Ref while encoding,
#: and of images of the size of the result all the time; and bytes per score.
_FIXED = 64 * 2**20
_DECODING, _ENCODING, _IMAGES, _SCORES = 6, 5, 16, 16
#: What convolutions use while they compute, over the tensors of a network
#: that was tried: 1.42 was measured of DBPN at 192x192.
_MARGIN = 1.6
#: Largest side of a tile that is chosen, and the smallest one.
LARGEST, SMALLEST = 256, 64
#: Images or tiles at a time; on a CPU, more than one is slower.
_GPU_BATCH = 8
_NO_LIMIT = 2**60


def budget(device: torch.device, reserve: float = 0) -> float:
    """Return the memory that a network may use.

    Args:
        device: Device of the network.
        reserve: Bytes that are needed otherwise. Defaults to 0.

    Returns:
        The number of bytes; negative if not even the reserve is free.
    """
    usual = _USUAL.get(device.type, _USUAL_GPU)
    free = free_memory(device)
    return usual if free is None else min(usual, _SHARE * (free - reserve))


def batch_size(device: torch.device) -> int:
    """Return how many images or tiles are computed at once.

    Args:
        device: Device of the network.

    Returns:
        The number of images; 1 on a CPU.
    """
    return 1 if device.type == 'cpu' else _GPU_BATCH


def free_memory(device: torch.device) -> int | None:
    """Return how much memory is available to this process.

    On a CPU, this is the minimum of the free memory of the system, of the
    control groups (of a container or of Slurm), and of ``ulimit -v``.

    Args:
        device: The device.

    Returns:
        The number of bytes; ``None`` if it is unknown.
    """
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    if device.type != 'cpu':
        return None
    limits = [_system_free(), _group_free(), _address_space_free()]
    return min((limit for limit in limits if limit is not None), default=None)


def _fields(path: Path | str) -> dict[str, int]:
    """Read numbers by name: ``name 12`` or ``name: 12 kB`` in each line."""
    found = {}
    for line in Path(path).read_text().splitlines():
        name, value, *unit = line.split()
        number = int(value) if value.isdecimal() else 0
        found[name.rstrip(':')] = number * (1024 if unit else 1)
    return found


def _system_free() -> int | None:
    try:
        return _fields('/proc/meminfo')['MemAvailable']
    except (OSError, ValueError, KeyError):
        return None


def _address_space_free() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path('/proc/self/statm').read_text().split()[0])
    except (OSError, ValueError):
        return None
    return max(0, limit - pages * resource.getpagesize())


def _groups(controller: str, root: Path) -> Iterator[Path]:
    """Yield the folders of the control groups of this process, inner first.

    Both versions of control groups are supported; the second one does not
    name controllers.
    """
    try:
        lines = Path('/proc/self/cgroup').read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(':', 2)
        if names and controller not in names.split(','):
            continue
        base = root / controller if names else root
        group = base / path.lstrip('/')
        # Inside a container the path may be that of the host.
        for folder in (group, *group.parents):
            if folder.is_relative_to(base) and folder.is_dir():
                yield folder


def _group_free(root: Path = Path('/sys/fs/cgroup')) -> int | None:
    free: list[int] = []
    for folder in _groups('memory', root):
        for limit, usage, cache in (
            ('memory.max', 'memory.current', 'inactive_file'),
            (
                'memory.limit_in_bytes',
                'memory.usage_in_bytes',
                'total_inactive_file',
            ),
        ):
            try:
                most = int((folder / limit).read_text())
                used = int((folder / usage).read_text())
                # The kernel gives it back when needed.
                used -= _fields(folder / 'memory.stat').get(cache, 0)
            except (OSError, ValueError):  # "max" is not a number
                continue
            if most < _NO_LIMIT:
                free.append(max(0, most - used))
    return min(free, default=None)


def cpu_count(root: Path = Path('/sys/fs/cgroup')) -> int:
    """Return how many cores this process may use.

    Args:
        root: Mount point of the control groups.

    Returns:
        The number of cores, at least 1. In a container this may be less than
        the number of cores of the machine, which other functions return; with
        one thread per core of the machine, threads would wait for each other.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not available on all systems
        cores = os.cpu_count() or 1
    for folder in _groups('cpu', root):
        try:
            if (folder / 'cpu.max').is_file():
                quota, period = (folder / 'cpu.max').read_text().split()
            else:
                quota, period = (
                    (folder / f'cpu.cfs_{name}_us').read_text()
                    for name in ('quota', 'period')
                )
            share = math.ceil(int(quota) / int(period))
        except (OSError, ValueError):  # "max" is not a number
            continue
        if share > 0:  # -1 means no limit, too
            cores = min(cores, share)
    return cores


def need(
    network: Network,
    size: Sequence[int],
    ref_size: Sequence[int],
    block: int = 16,
) -> float:
    """Estimate the memory that a network needs for one image or tile.

    The sizes of the float32 features of LR at x1, x2 and x4 and of Ref follow
    from the widths of the network; they are multiplied by the number of copies
    that exist at the same time, and the images are added. The factors are
    upper bounds fitted to the peaks of networks with 8 to 64 channels
    (docs/results.md).

    Args:
        network: The network.
        size: Height and width of the LR image.
        ref_size: Height and width of its reference.
        block: Side of the matched blocks; 1 for a network without blocks,
            which works at the size of LR. Defaults to 16.

    Returns:
        The peak in bytes, including the inputs and the result.
    """
    pixels, ref_pixels = math.prod(size), math.prod(ref_size)
    images = _IMAGES * 3 * 4 * max(16 * pixels, ref_pixels)
    if isinstance(network, SelfEnsemble):
        results = 8 * 3 * 4 * 16 * pixels
        return results + need(network.network, size, ref_size, block)
    if isinstance(network, SingleImageNet):
        return _MARGIN * bytes_per_pixel(network) * pixels + images
    fine, middle, coarse = network.feature_channels()[0]
    if block == 1:
        return 4 * (14 * coarse + 1000) * pixels + 200 * ref_pixels
    own = 4 * (16 * fine + 4 * middle + coarse) * pixels
    ref = 4 * (fine + middle / 4 + coarse / 16) * ref_pixels
    # Each block is compared with all of Ref-down, then each pixel of a block
    # with those of a window, which is 1.5 blocks wide.
    blocks = max(1, pixels / block**2)
    coarse_scores = blocks * ref_pixels / 16
    fine_scores = (block + 2) ** 2 * 2.25 * ref_pixels / 16 / blocks
    return _FIXED + max(
        _DECODING * own + images,
        _ENCODING * ref + images,
        own + 1.5 * ref + _SCORES * max(coarse_scores, fine_scores),
    )


def smallest(overlap: int, multiple: int) -> int:
    """Return the side of the smallest tiles that may be chosen.

    Args:
        overlap: Minimum overlap of neighboring tiles in pixels.
        multiple: Divisor of the start of each tile.

    Returns:
        The side in pixels of LR.
    """
    return max(SMALLEST, overlap + multiple)


def choose_tile(
    takes: Callable[[Sequence[int]], float],
    size: Sequence[int],
    overlap: int,
    multiple: int,
    limit: float,
) -> int | None:
    """Choose the size of the tiles of an image.

    Args:
        takes: Function that returns the bytes that the network needs for a
            tile of a height and width.
        size: Height and width of the image.
        overlap: Minimum overlap of neighboring tiles in pixels.
        multiple: Divisor of the start of each tile.
        limit: Bytes that may be used.

    Returns:
        The side of the tiles; ``None`` for the whole image.

    Raises:
        MemoryError: If even the smallest tile needs more.
    """
    if takes(size) <= limit:
        return None
    least = smallest(overlap, multiple)
    for tile in range(max(LARGEST, least), least - 1, -multiple):
        if takes([min(side, tile) for side in size]) <= limit:
            return tile
    wanted = takes([min(side, least) for side in size])
    raise MemoryError(
        f'{size[1]}x{size[0]} pixels need about '
        f'{wanted / _SHARE / GIB:.1f} GiB of free memory even in tiles of '
        f'{least}; {max(0, limit) / _SHARE / GIB:.1f} GiB are free for them'
    )


def try_device(device: str | torch.device) -> None:
    """Check that torch can compute on a device.

    Args:
        device: The device.

    Raises:
        ValueError: If it cannot.
    """
    try:
        torch.zeros(1, device=device).cpu()
    # torch raises AssertionError if it was built without CUDA.
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split('\n')[0]
        # torch lists many, most of which need packages of their own.
        if 'at start of device string' in reason:
            reason = "it is not the name of one, such as 'cpu' or 'cuda:0'."
        raise ValueError(
            f'The device {device} cannot be used: {reason}'
        ) from error
