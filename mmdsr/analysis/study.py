"""What reference and depth are worth: a trained network against bicubic.

The network is evaluated on whole images with the true reference, with one of
another run and with none, and with depth maps predicted, given and zeroed. If
the reference matters, the true one is clearly better than none.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.progress import track
from rich.table import Table

from mmdsr.converters.images import write_bytes, write_png
from mmdsr.datasets import RefSRDataset
from mmdsr.engine.checkpoint import find_checkpoint, load_generator
from mmdsr.evaluation.functional import psnr, ssim, to_uint8, upscale
from mmdsr.evaluation.strips import make_strip
from mmdsr.models.networks.padding import SCALE
from mmdsr.registry import MODELS, TRANSFORMS

#: What may stand for the reference. The last three are ways of having none:
#: the enlarged LR image, LR itself (section 5.3) and a black picture.
REFERENCES = ('adjacent', 'wrong', 'upscaled', 'self', 'black')
#: Those that are evaluated when none are named.
USUAL_REFERENCES = ('adjacent', 'wrong', 'upscaled', 'self')
DEPTHS = ('predicted', 'given', 'zero')
_NAMES = {
    'adjacent': 'true reference',
    'wrong': 'wrong reference',
    'upscaled': 'upscaled reference',
    'self': 'self reference',
    'black': 'black reference',
    'predicted': 'depth predicted',
    'given': 'depth given',
    'zero': 'depth zeroed',
}
_DEPTH_FIELDS = ('depth_lr', 'depth_ref')


@dataclass
class Row:
    """One line of the table.

    Args:
        name (str): What was evaluated.
        reference (str, optional): Reference, ``None`` for bicubic.
        depth (str, optional): Depth source, ``None`` if none is used.
        samples (int): Number of images; 0 if it could not be evaluated.
        psnr_y (float, optional): Mean PSNR-Y in dB.
        ssim_y (float, optional): Mean SSIM-Y.
        psnr_rgb (float, optional): Mean PSNR-RGB in dB.
        gain (float, optional): PSNR-Y over bicubic in dB.
        note (str): Why it could not be evaluated.
    """

    name: str
    reference: str | None = None
    depth: str | None = None
    samples: int = 0
    psnr_y: float | None = None
    ssim_y: float | None = None
    psnr_rgb: float | None = None
    gain: float | None = None
    note: str = ''


class MissingDepthError(ValueError):
    """A sample has no complete depth maps."""


def build_generator(cfg, checkpoint, device='cpu'):
    """Build only the network of a config and load its weights.

    Args:
        cfg (Config): Config of a trainable model.
        checkpoint (str or Path): Training checkpoint or plain weights; or a
            working directory, of which the best checkpoint is taken, else
            the newest.
        device (str or torch.device): Where to run. Defaults to 'cpu'.

    Returns:
        nn.Module: The network, frozen, in evaluation mode.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        CheckpointError: If the weights do not fit.
    """
    generator = MODELS.build(cfg.model.generator)
    load_generator(generator, find_checkpoint(checkpoint))
    return generator.to(device).eval().requires_grad_(False)


def variants(generator, references=USUAL_REFERENCES, depths=DEPTHS):
    """List what to evaluate.

    All references with the first usable depth source, then the first
    reference with the other depth sources.

    Args:
        generator (nn.Module): The network.
        references (Sequence[str]): Of :data:`REFERENCES`.
        depths (Sequence[str]): Of :data:`DEPTHS`; unusable ones are left
            out.

    Returns:
        list[Row]: Empty rows.

    Raises:
        ValueError: If nothing is left to evaluate.
    """
    if generator.needs_depth:
        usable = [depth for depth in depths if depth != 'predicted']
    elif getattr(generator, 'depth_net', None) is not None:
        usable = list(depths)
    else:
        usable = [None]
    if not usable or not references:
        raise ValueError(
            'Nothing to evaluate: this network needs depth maps, choose '
            "'given' or 'zero'."
        )
    pairs = [(reference, usable[0]) for reference in references]
    pairs += [(references[0], depth) for depth in usable[1:]]
    return [
        Row(
            ', '.join(_NAMES[part] for part in pair if part is not None),
            *pair,
        )
        for pair in pairs
    ]


def _load_images(sample):
    for key in ('img', 'gt', 'ref'):
        with Image.open(sample[f'{key}_path']) as image:
            sample[key] = np.asarray(image.convert('RGB'))
    return sample


def _enlarge_reference(sample):
    sample['ref'] = upscale(sample['img'], SCALE)
    return sample


def _blacken_reference(sample):
    sample['ref'] = np.zeros_like(upscale(sample['img'], SCALE))
    return sample


_STAND_INS = {'upscaled': _enlarge_reference, 'black': _blacken_reference}


def open_dataset(cfg, data_root, reference, split='test', max_samples=None):
    """Open a data set with the depth normalisation of a config.

    Args:
        cfg (Config): Config whose test pipeline has ``mmdsr.LoadDepth``.
        data_root (str or Path): Data set in the layout of
            :class:`mmdsr.RefSRDataset`.
        reference (str): Of :data:`REFERENCES`.
        split (str): Defaults to 'test'.
        max_samples (int, optional): Defaults to None, all.

    Returns:
        RefSRDataset: Gives dicts with RGB uint8 ``img``, ``gt``, ``ref`` and
        the depth maps.
    """
    pipeline = [_load_images]
    if reference in _STAND_INS:
        # Depth maps are those of 'self', whose size is that of Ref-down.
        pipeline.append(_STAND_INS[reference])
        reference = 'self'
    for step in cfg.test_dataloader.dataset.pipeline:
        if step['type'] == 'mmdsr.LoadDepth':
            pipeline.append(TRANSFORMS.build(step))
    return RefSRDataset(
        data_root,
        split=split,
        pipeline=pipeline,
        reference=reference,
        max_samples=max_samples,
        test_mode=True,
    )


@torch.no_grad()
def super_resolve(generator, sample, depth=None):
    """Run the network on one sample.

    Args:
        generator (nn.Module): The network.
        sample (dict): ``img`` (h, w, 3) and ``ref`` (Hr, Wr, 3) RGB uint8,
            and depth maps (., ., 1) for ``depth='given'``.
        depth (str, optional): Of :data:`DEPTHS`. Defaults to None, for
            networks without depth.

    Returns:
        tuple[np.ndarray, np.ndarray or None]: SR (4h, 4w, 3) uint8 and the
        depth of LR (h, w, 1) that was used.

    Raises:
        MissingDepthError: If given maps are missing or have holes.
    """
    device = next(generator.parameters()).device

    def batch(array):
        array = np.ascontiguousarray(array.transpose(2, 0, 1))
        return torch.from_numpy(array)[None].float().to(device)

    lr, ref = batch(sample['img']) / 255, batch(sample['ref']) / 255
    maps = {}
    if depth in ('given', 'zero'):
        for key, field, image in zip(
            ('depth', 'depth_ref'), _DEPTH_FIELDS, (lr, ref), strict=True
        ):
            if depth == 'zero':
                factor = 1 if field == 'depth_lr' else generator.scale
                sides = [-(-side // factor) for side in image.shape[-2:]]
                maps[key] = image.new_zeros(1, 1, *sides)
                continue
            values = sample.get(field)
            if values is None or np.isnan(values).any():
                raise MissingDepthError(
                    f'{sample["stem"]} has no complete depth map {field}'
                )
            maps[key] = batch(values)
    output = generator(lr, ref, return_feats=True, **maps)
    sr = output.sr[0].permute(1, 2, 0).contiguous().cpu().numpy()
    sr = to_uint8(sr * 255)
    if output.depth is None:
        return sr, None
    return sr, output.depth[0].permute(1, 2, 0).cpu().numpy()


def _scores(image, hr):
    return psnr(image, hr), ssim(image, hr), psnr(image, hr, mode='RGB')


def _fill(row, scores, bicubic):
    row.samples = len(scores)
    row.psnr_y, row.ssim_y, row.psnr_rgb = np.mean(scores, axis=0).tolist()
    row.gain = row.psnr_y - bicubic


def evaluate(
    cfg,
    generator,
    data_root,
    references=USUAL_REFERENCES,
    depths=DEPTHS,
    split='test',
    max_samples=None,
    strips=None,
    max_strips=16,
):
    """Evaluate a network on a data set in all variants.

    Args:
        cfg (Config): Config of the network.
        generator (nn.Module): The network, see :func:`build_generator`.
        data_root (str or Path): The data set.
        references (Sequence[str]): Of :data:`REFERENCES`.
        depths (Sequence[str]): Of :data:`DEPTHS`.
        split (str): Defaults to 'test'.
        max_samples (int, optional): Evenly spread samples. Defaults to None,
            all.
        strips (Path, optional): Folder for comparison strips of the first
            variant. Defaults to None.
        max_strips (int): Number of strips, evenly spread. Defaults to 16.

    Returns:
        list[Row]: Bicubic first. A variant that the data does not allow
        (no depth maps, only one run for a wrong reference) has a note.

    Raises:
        FileNotFoundError: If the data set is missing.
        ValueError: If it cannot be read.
    """
    rows = variants(generator, references, depths)
    bicubic = Row('bicubic')
    dataset = open_dataset(cfg, data_root, 'adjacent', split, max_samples)
    scores = [
        _scores(upscale(sample['img'], generator.scale), sample['gt'])
        for sample in (
            dataset[index]
            for index in track(range(len(dataset)), description='bicubic')
        )
    ]
    _fill(bicubic, scores, np.mean(scores, axis=0)[0])
    shown = np.linspace(
        0, len(dataset) - 1, min(max_strips, len(dataset)), dtype=int
    )
    for number, row in enumerate(rows):
        try:
            dataset = open_dataset(
                cfg, data_root, row.reference, split, max_samples
            )
            scores = []
            for index in track(range(len(dataset)), description=row.name):
                sample = dataset[index]
                sr, depth = super_resolve(generator, sample, row.depth)
                scores.append(_scores(sr, sample['gt']))
                if strips is not None and number == 0 and index in shown:
                    _write_strip(strips, sample, sr, depth)
        except MissingDepthError as error:
            row.note = str(error)
        # The data set has one run only; its other errors came up above.
        except ValueError as error:
            if row.reference != 'wrong':
                raise
            row.note = str(error)
        else:
            _fill(row, scores, bicubic.psnr_y)
    return [bicubic, *rows]


def _write_strip(folder, sample, sr, depth):
    true = sample.get('depth_lr')
    strip = make_strip(
        sample['img'],
        sample['ref'],
        sr,
        sample['gt'],
        depth=depth,
        depth_true=None if true is None or np.isnan(true).all() else true,
    )
    write_png(Path(folder) / f'{sample["stem"]}.png', strip)


def _cells(row):
    if row.psnr_y is None:
        return [row.name, '-', '-', '-', row.note]
    return [
        row.name,
        f'{row.psnr_y:.2f}',
        f'{row.ssim_y:.4f}',
        f'{row.psnr_rgb:.2f}',
        f'{row.gain:+.2f}',
    ]


#: In dB but for SSIM; the gain is that of PSNR-Y over bicubic.
_HEADER = ['', 'PSNR-Y', 'SSIM-Y', 'PSNR-RGB', 'gain']


def rich_table(name, rows):
    """Lay out the rows for the terminal.

    Args:
        name (str): Name of the data set.
        rows (list[Row]): Of :func:`evaluate`.

    Returns:
        rich.table.Table: The table.
    """
    table = Table(title=f'{name} ({rows[0].samples} images)')
    for column, title in enumerate(_HEADER):
        table.add_column(
            title, justify='right' if column else 'left', no_wrap=not column
        )
    for row in rows:
        table.add_row(*_cells(row))
    return table


def write_results(out, results, origin):
    """Write ``results.json`` and ``results.md``.

    Args:
        out (str or Path): Folder.
        results (dict[str, list[Row]]): Rows per data set.
        origin (dict[str, str]): What made them, such as config, checkpoint.
    """
    content = dict(
        **origin,
        results={
            name: [asdict(row) for row in rows]
            for name, rows in results.items()
        },
    )
    text = ['# Results', '', *(f'- {k}: {v}' for k, v in origin.items())]
    for name, rows in results.items():
        text += ['', f'## {name} ({rows[0].samples} images)', '']
        lines = [_HEADER, ['---', *['---:'] * 4], *map(_cells, rows)]
        text += ['| ' + ' | '.join(cells) + ' |' for cells in lines]
    out = Path(out)
    write_bytes(
        out / 'results.json', (json.dumps(content, indent=2) + '\n').encode()
    )
    write_bytes(out / 'results.md', ('\n'.join(text) + '\n').encode())
