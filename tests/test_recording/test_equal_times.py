"""Recordings in which frames have no time of their own."""

import av
import pytest
from recording_cases import enhance, frames, record, show

from mmdsr.evidence.verify import verify

COUNT = 12


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    """A film without reordered frames, whose packets can get any time."""
    return record(tmp_path_factory.mktemp('plain') / 'in.avi', frames(COUNT))


def retime(plain, path, time_of):
    with av.open(str(plain)) as old, av.open(str(path), 'w') as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [p for p in old.demux(old.streams.video[0]) if p.size]
        for number, packet in enumerate(packets):
            packet.pts = packet.dts = time_of(number) * 40
            packet.stream = stream
            new.mux_one(packet)
    return path


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
@pytest.mark.parametrize(
    ('time_of', 'late'),
    [(lambda n: n - (n >= 6), 1), (lambda n: 0, COUNT - 1)],
    ids=['one pair', 'all'],
)
def test_every_frame_is_shown(plain, tmp_path, suffix, time_of, late):
    source = retime(plain, tmp_path / 'in.mkv', time_of)
    target = tmp_path / f'out{suffix}'
    report = enhance(source, target)
    assert report.total == COUNT
    said = '1 frame has' if late == 1 else f'{late} frames have'
    assert any(
        note.startswith(f'{said} the time of the frame before')
        for note in report.notes
    )
    times = show(target).times
    assert len(times) == COUNT
    assert times == sorted(set(times))
    assert verify(target, source).problems == []
