"""Write an image with its record and overlay, or nothing."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from mmdsr.evidence.digests import pixels_digest
from mmdsr.evidence.embedding import png_texts
from mmdsr.evidence.record import NamedFile, Output, Record, to_json
from mmdsr.evidence.sidecar import overlay_path, sidecar_path
from mmdsr.io.files import whole_file
from mmdsr.io.frames import shown
from mmdsr.io.images import save_png
from mmdsr.io.stamps import Stamp, stamp


@contextmanager
def whole_result(
    target: Path,
    pixels: np.ndarray,
    overlay: np.ndarray | None,
    sidecar: bool,
    describe: Callable[[Output], Record],
) -> Iterator[dict[Path, Stamp]]:
    """Write a PNG file with its record, and the files beside it.

    All files get their final names at the end, the image last: if it exists,
    the others do, too.

    Args:
        target: The PNG file.
        pixels: RGB (H, W, 3) or RGBA (H, W, 4), uint8.
        overlay: The confidence picture (H, W, 3), RGB uint8, if any.
        sidecar: Whether to write a side-car.
        describe: Returns the record of such an output.

    Yields:
        The stamp of each file by its path, while all still have temporary
        names; after an error nothing is left.

    Raises:
        OSError: If a file cannot be written.
    """
    made: dict[Path, Stamp] = {}
    with ExitStack() as stack:
        own = stack.enter_context(whole_file(target))
        named = None
        if overlay is not None:
            path = overlay_path(target)
            temporary = stack.enter_context(whole_file(path))
            save_png(temporary, overlay)
            made[path] = stamp(temporary, shown='')
            named = NamedFile(shown(path.name), made[path].sha256)
        output = Output(
            shown(target.name),
            'image',
            pixels.shape[1],
            pixels.shape[0],
            pixels_digest(pixels),
            confidence=named,
            sidecar=sidecar,
        )
        record = describe(output)
        save_png(own, pixels, png_texts(record))
        made[target] = stamp(own, shown='')
        if sidecar:
            path = sidecar_path(target)
            output = replace(output, file_sha256=made[target].sha256)
            text = to_json(replace(record, output=output))
            temporary = stack.enter_context(whole_file(path))
            temporary.write_text(f'{text}\n', encoding='ascii')
            made[path] = stamp(temporary, shown='')
        yield made
