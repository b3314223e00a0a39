"""What overlapping brings, from the times of both ways."""

import pytest

from mmdsr.analysis.benchmark_recording import Timing, gains, time_recording
from mmdsr.dev.recordings import write_recording
from mmdsr.dev.views import drive, texture
from mmdsr.inference.super_resolver import SuperResolver
from mmdsr.recording.options import RecordingOptions


def test_gains_are_of_pairs():
    seconds = [(False, 8.0), (True, 4.0), (False, 9.0), (True, 6.0)]
    timings = [Timing(overlap, 24, s, 0.0) for overlap, s in seconds]
    assert gains(timings) == [pytest.approx(1.5), pytest.approx(2.0)]


def test_both_ways_are_taken_in_turns(tmp_path):
    timings = time_recording(
        SuperResolver(interpolation='bicubic'),
        write_recording(
            tmp_path / 'in.mkv', drive(texture(), 4, size=(64, 48))
        ),
        RecordingOptions(text='none', scale=1),
        '.mkv',
        repeats=1,
    )
    assert [one.overlap for one in timings] == [False, True]
    assert all(one.frames == 4 and one.seconds > 0 for one in timings)
    assert len(gains(timings)) == 1
