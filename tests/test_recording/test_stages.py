"""Steps that run beside each other, and the frames that a share needs."""

import threading
import time

import pytest

from mmdsr.recording.stages import ahead, steps
from mmdsr.video.spans import Spans


def counting(count, log=None, fail_at=None):
    try:
        for number in range(count):
            if number == fail_at:
                raise ValueError('broken')
            yield number
    finally:
        if log is not None:
            log.append(threading.current_thread().name)


def test_order_and_the_other_thread():
    log = []
    assert list(ahead(counting(50, log))) == list(range(50))
    assert log != [threading.current_thread().name]
    log.clear()
    assert list(steps(counting(5, log), overlap=False)) == list(range(5))
    assert log == [threading.current_thread().name]


def test_no_more_waits_than_fits():
    made = []

    def make():
        for number in range(100):
            made.append(number)
            yield number

    flow = ahead(make(), 3)
    assert next(flow) == 0
    time.sleep(0.5)
    # One used, three waiting, one in the hands of the thread.
    assert len(made) <= 5
    flow.close()
    assert len(made) <= 6


def test_error_is_raised_in_the_consumer():
    flow = ahead(ahead(counting(10, fail_at=3)))
    assert [next(flow) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match='broken'):
        next(flow)


def test_closing_ends_all_threads():
    log = []
    before = threading.active_count()
    flow = ahead(ahead(counting(10**6, log)))
    next(flow)
    flow.close()
    assert threading.active_count() == before
    assert len(log) == 1


def test_steps_overlap():
    def slow(items):
        for item in items:
            time.sleep(0.05)
            yield item

    begun = time.monotonic()
    assert len(list(slow(ahead(slow(counting(12)))))) == 12
    # One by one takes 1.2 s.
    assert time.monotonic() - begun < 1.0


def selected(spans, count=60, rate=25):
    return [n for n in range(count) if spans(n, n / rate)]


def test_spans_share_the_frames():
    whole = set(range(60))
    parts = [
        {n for n in range(60) if Spans(8, part, 3).selects(n)}
        for part in range(3)
    ]
    assert set.union(*parts) == whole
    assert sum(map(len, parts)) == 60
    assert parts[1] == {*range(8, 16), *range(32, 40), *range(56, 60)}


@pytest.mark.parametrize('every', [1, 3, 10])
@pytest.mark.parametrize('reach', [0, 2, 7])
def test_spans_include_neighbors(every, reach):
    spans = Spans(
        12, 1, 2, done=[3], every=every, reach=reach, start=0.2, end=2.0
    )
    wanted = [
        n
        for n in range(60)
        if n % every == 0 and n // 12 % 2 == 1 and n // 12 != 3
    ]
    expected = [
        n
        for n in range(60)
        if 0.2 <= n / 25 < 2.0 and any(abs(n - w) <= reach for w in wanted)
    ]
    assert selected(spans) == expected


def test_spans_cross_to_another_process():
    spans = Spans(4, 1, 2, [5, 3], 2, 6, 0.5, 1.5, only=[1, 3])
    again = Spans(**spans.request())
    assert again.request() == spans.request()
    assert selected(again) == selected(spans)
