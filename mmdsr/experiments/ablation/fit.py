"""Fit a config to a budget: size of the crops, length of the run."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from mmdsr.errors import UsageError

#: Warm-ups: they end before the run does, at its full learning rate.
_WARM_UPS = ('LinearLR', 'ConstantLR')
#: Schedules that are given by where they begin and end, without milestones.
_SCALABLE = (*_WARM_UPS, 'CosineAnnealingLR', 'PolyLR', 'OneCycleLR')
#: Share of a shortened run in which the generator of a GAN is trained alone.
ALONE = 0.25


def set_crop(cfg: Config, side: int) -> None:
    """Train on square crops, in place.

    Args:
        cfg: The config. If it has no crops, those of ``teacher_quick.py`` are
            added.
        side: Side of the crop in LR pixels.
    """
    pipeline = cfg.train_dataloader.dataset.pipeline
    for step in pipeline:
        if step['type'] == 'mmdsr.PairedRefCrop':
            step['lr_size'] = (side, side)
            return
    loading = [
        number
        for number, step in enumerate(pipeline)
        if step['type'] == 'LoadImageFromFile'
        or step['type'].startswith('mmdsr.Load')
    ]
    pipeline.insert(
        loading[-1] + 1,
        dict(
            type='mmdsr.PairedRefCrop',
            lr_size=(side, side),
            ref='same',
            ref_margin=4,
        ),
    )


def set_iterations(cfg: Config, iters: int) -> None:
    """Fit loop and schedule to a number of iterations, in place.

    A schedule that spans the run is stretched or shortened with it. A warm-up
    before it is unchanged; if it would not end before the run does, it gets
    the same share of the run as in the config. The generator of a GAN is
    trained alone for the share :data:`ALONE` of the run.

    Args:
        cfg: The config, by iterations or by epochs.
        iters: Iterations.

    Raises:
        UsageError: If a schedule neither spans the run nor ends before it, or
            changes at steps that are counted, such as milestones.
    """
    loop = cfg.train_cfg
    total = loop.get('max_iters') or loop.get('max_epochs')
    # What lasts to the end of a longer run must be stretched, too.
    limit = min(iters, total) if loop.get('max_iters') else iters
    schedulers = cfg.get('param_scheduler') or []
    if isinstance(schedulers, dict):
        schedulers = [schedulers]
    fitted = []
    for scheduler in _shorten_warm_up(
        schedulers, loop.get('max_iters') or 0, iters
    ):
        scheduler = dict(scheduler)
        by_epoch = scheduler.pop('by_epoch', True)
        scheduler.pop('convert_to_iter_based', None)
        begin = scheduler.get('begin', 0)
        # Names of the length of a cosine and of a cycle.
        length = {'T_max', 'total_steps'} & scheduler.keys()
        span = scheduler[min(length)] if length else total - begin
        end = scheduler.get('end', begin + span)
        spans = end == total and span == end - begin
        known = str(scheduler['type']).split('.')[-1] in _SCALABLE
        if known and spans and begin < iters and not (by_epoch and begin):
            scheduler['end'] = iters
            scheduler.update(dict.fromkeys(length, iters - begin))
        elif by_epoch or (iters != total and end >= limit):
            reason = (
                f'it starts at {begin} and ends at {end} of {total}. Choose '
                'other --iters, or set param_scheduler.'
                if known
                else 'only schedules of the types '
                f'{", ".join(_SCALABLE)} can. Set param_scheduler.'
            )
            raise UsageError(
                f'The schedule {scheduler["type"]} of {cfg.filename} cannot '
                f'be fitted to {iters} iterations: {reason}'
            )
        fitted.append(dict(scheduler, by_epoch=False))
    cfg.param_scheduler = fitted
    if loop.get('max_epochs'):
        cfg.train_dataloader.sampler.infinite = True
    cfg.train_cfg = dict(
        type='IterBasedTrainLoop', max_iters=iters, val_interval=iters
    )
    if cfg.model.get('discriminator'):
        cfg.model.train_cfg.pixel_init = int(ALONE * iters)
    hook = cfg.default_hooks.checkpoint
    interval = 250 if hook.get('by_epoch', True) else hook.interval
    hook.update(by_epoch=False, interval=min(interval, iters))
    cfg.log_processor = dict(cfg.get('log_processor') or {}, by_epoch=False)


def _shorten_warm_up(
    schedulers: Sequence[dict[str, Any]], total: int, iters: int
) -> list[dict[str, Any]]:
    """Fit a warm-up to a run that would end before it.

    Args:
        schedulers: Schedulers of a config.
        total: Iterations of the config, 0 if it counts epochs.
        iters: Iterations of the run.

    Returns:
        The schedulers. If a warm-up does not end before the run, its end, and
        everything that begins or ends there, is moved to the same share of the
        run. A warm-up of a single step is removed, as it would never reach the
        full rate.
    """

    def is_warm_up(scheduler: dict[str, Any]) -> bool:
        return (
            scheduler['type'] in _WARM_UPS
            and not scheduler.get('by_epoch', True)
            and scheduler.get('end', total) < total
        )

    ends = [s['end'] for s in schedulers if is_warm_up(s)]
    if not ends or max(ends) < iters:
        return list(schedulers)
    shares = {end: end * iters // total for end in ends}
    moved = {end: share * (share > 1) for end, share in shares.items()}
    fitted = []
    for scheduler in schedulers:
        old = scheduler.get('begin', 0)
        begin = moved.get(old, old)
        scheduler = dict(scheduler, begin=begin)
        for key in {'T_max', 'total_steps'} & scheduler.keys():
            scheduler[key] += old - begin
        if is_warm_up(scheduler):
            scheduler['end'] = moved[scheduler['end']]
            if scheduler['end'] == begin:
                continue
        fitted.append(scheduler)
    return fitted
