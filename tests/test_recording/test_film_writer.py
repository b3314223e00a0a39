"""Segments of films, as they are encoded."""

import numpy as np
import pytest
from recording_cases import record

from mmdsr.dev.films import contents_of
from mmdsr.errors import VideoError
from mmdsr.recording.facts import read_facts
from mmdsr.recording.writer import FilmWriter, Shot


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_the_same_pictures_give_the_same_bytes(tmp_path, suffix):
    """x264 alone depends on what lies in memory beside them."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 18, 22, 3), dtype=np.uint8)
    pictures = noise.repeat(8, 1).repeat(8, 2)
    facts = read_facts(record(tmp_path / 'a.mp4', pictures[:2]))
    coded = []
    for number in range(4):
        path = tmp_path / f'{number}.mkv'
        with FilmWriter(path, suffix, facts, crf=18) as writer:
            for index, picture in enumerate(pictures):
                writer.add(Shot(index, picture))
        # Memory that the next one gets is not as this one left it.
        del writer
        rng.integers(0, 256, 3_000_000 + number, dtype=np.uint8)
        coded.append(contents_of(path).coded)
    assert all(one == coded[0] for one in coded[1:])


def test_what_the_encoder_refuses_is_said(tmp_path):
    wide = np.zeros((16, 16400, 3), np.uint8)
    facts = read_facts(record(tmp_path / 'a.mkv', [wide[:, :64]]))
    path = tmp_path / 'out.mkv'
    writer = FilmWriter(path, '.mp4', facts, crf=18)
    with pytest.raises(VideoError, match='pictures cannot be encoded'), writer:
        writer.add(Shot(0, wide))
    assert [path.name for path in tmp_path.iterdir()] == ['a.mkv']
