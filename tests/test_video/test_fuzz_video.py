"""Damaged videos of all kinds: frames or one line, and nothing dies.

``tools/dev/fuzz.py`` does the same for hours; here a few with fixed seeds.
"""

import numpy as np
import pytest
from video_makers import write_video

from mmdsr.dev.mutate import mutate_bytes
from mmdsr.dev.views import texture, view
from mmdsr.errors import VideoError
from mmdsr.video.reader import probe, read_video

KINDS = {
    'mp4': 'libx264',
    'mov': 'mjpeg',
    'avi': 'mpeg4',
    'mkv': 'libx264',
    'ts': 'mpeg2video',
}
COUNT, SIZE = 12, (96, 64)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('fuzz')
    frames = [view(texture(5), x=2 * i, size=SIZE) for i in range(COUNT)]
    return {
        kind: write_video(folder / f'a.{kind}', frames, codec).read_bytes()
        for kind, codec in KINDS.items()
    }


def outcome(path):
    """Return the number of frames, and the lines that tell of damage."""
    problems = []
    try:
        probe(path)
        count = 0
        for _, time, image in read_video(path, problems=problems):
            assert time >= 0
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            count += 1
    except VideoError as error:
        return 0, [str(error)]
    return count, [text for _, text in problems]


@pytest.mark.parametrize('kind', KINDS)
def test_damaged_videos(tmp_path, videos, kind):
    path = tmp_path / f'a.{kind}'
    path.write_bytes(videos[kind])
    assert outcome(path) == (COUNT, [])
    results = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        path.write_bytes(mutate_bytes(videos[kind], rng))
        count, texts = outcome(path)
        assert count or texts
        assert all(text and '\n' not in text for text in texts)
        results.append((count, texts))
    # The damage is real: not all of them are read as if they were whole.
    assert any(result != (COUNT, []) for result in results)
