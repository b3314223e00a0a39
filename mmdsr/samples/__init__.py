"""Simulated pictures and a recording for trying things out.

``frame.png`` (160x120) is a view down a pipe, ``reference.jpg`` (640x480) the
same pipe after the camera has zoomed in, ``truth.jpg`` what the frame looks
like at four times its size, and ``recording.mp4`` ten seconds of a crawler's
run. ``tools/dev/make_samples.py`` makes them with SewerSim.
"""

from pathlib import Path

from mmdsr.io.files import write_bytes

FOLDER = Path(__file__).parent
FILES = ('frame.png', 'reference.jpg', 'truth.jpg', 'recording.mp4')


def copy_samples(target: str | Path) -> list[Path]:
    """Copy the samples to a folder.

    Args:
        target: The folder, which is made if missing.

    Returns:
        The files.

    Raises:
        FileExistsError: If another file of that name is there; nothing is
            copied.
        OSError: If they cannot be written.
    """
    if Path(target).exists() and not Path(target).is_dir():
        raise FileExistsError(f'{target} is a file: choose a new folder.')
    contents = {name: (FOLDER / name).read_bytes() for name in FILES}
    for name, content in contents.items():
        path = Path(target, name)
        if path.exists() and path.read_bytes() != content:
            raise FileExistsError(
                f'{path} is a different file: choose a new folder.'
            )
    paths = []
    for name, content in contents.items():
        paths.append(Path(target, name))
        write_bytes(paths[-1], content)
    return paths
