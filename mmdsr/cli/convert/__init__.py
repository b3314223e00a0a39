"""``mmdsr convert``: data sets from existing material."""

from collections.abc import Sequence

from mmdsr.cli.commands import Command, run_command

COMMANDS = {
    name: Command(f'mmdsr.cli.convert.{name}', about)
    for name, about in (
        ('video', 'inspection videos to a super-resolution data set'),
        ('frames', 'folders of consecutive frames to such a data set'),
        ('photos', 'photographs to pairs with exactly known flow'),
        ('pairs', 'a published data set of pairs to our layout'),
        ('masks', 'masks of class IDs to boxes (COCO JSON)'),
        ('subset', 'a small part of a Sewer-ML table'),
        ('depth', 'depth maps for frames or a data set'),
        ('alignment', 'the flow of every sample, stored next to it'),
        ('pack', 'a copy of a data set that needs no decoding'),
    )
}


def main(
    argv: Sequence[str] | None = None, prog: str = 'mmdsr convert'
) -> int | None:
    """Run ``mmdsr convert KIND ...``; return the exit code."""
    return run_command(
        COMMANDS,
        argv,
        prog,
        'Make data sets, and depth maps, masks and flow for them.',
    )
