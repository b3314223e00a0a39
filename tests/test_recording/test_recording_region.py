"""Where one looks, and how it is shown."""

import numpy as np
import pytest
from recording_cases import bicubic, enhance, frames, record, show

from mmdsr import SuperResolver
from mmdsr.io.images import downscale
from mmdsr.recording.facts import read_facts
from mmdsr.recording.layout import inset_factor, plain
from mmdsr.recording.neighbors import Moment
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.painter import Look, Painter
from mmdsr.recording.region import Track, far_size, follow, parse_box, still
from mmdsr.recording.size import picture_size

BOX = (20, 12, 24, 16)


@pytest.fixture
def picture():
    return frames(1, (96, 64))[0]


def painted(picture, box, scale=4, show='zoom', resolver=None, **look):
    track = box if isinstance(box, Track) or box is None else still(box)
    painter = Painter(
        resolver or bicubic(), Look(scale, show, **look), track, 'cpu'
    )
    return painter.paint(Moment(0, 0.0, picture)).picture


def test_zoom_shows_the_box_alone(picture):
    x, y, w, h = BOX
    whole = painted(picture, None)
    assert whole.shape == (256, 384, 3)
    part = whole[4 * y : 4 * (y + h), 4 * x : 4 * (x + w)]
    zoom = painted(picture, BOX)
    # The margin holds all that a bicubic filter sees.
    np.testing.assert_array_equal(zoom, part)
    np.testing.assert_array_equal(
        painted(picture, BOX, scale=2),
        downscale(np.ascontiguousarray(part), 2),
    )


@pytest.mark.parametrize(
    ('region', 'show'),
    [
        ('whole', 'zoom'),
        ('20,12,25,17', 'zoom'),
        ('20,12,25,17', 'inset'),
        ('20,12,25,17', 'back'),
        ('far', 'zoom'),
        ('far', 'inset'),
    ],
)
@pytest.mark.parametrize('scale', [2, 4])
@pytest.mark.parametrize('twice', [False, True])
def test_the_size_is_known_beforehand(
    picture, tmp_path, region, show, scale, twice
):
    facts = read_facts(record(tmp_path / 'in.mkv', [picture]))
    options = RecordingOptions(
        region=region, show=show, scale=scale, side_by_side=twice
    )
    box = None
    if region == 'far':
        box = still((0, 0, *far_size(96, 64)))
    elif region != 'whole':
        box = parse_box(region)
    made = painted(picture, box, scale, show, side_by_side=twice)
    assert picture_size(facts, options) == made.shape[1::-1]


def test_a_box_may_begin_within_a_pixel(picture):
    whole = painted(picture, None)
    track = Track((24, 16), (0.0,), ((20.25, 12.75),))
    zoom = painted(picture, track)
    np.testing.assert_array_equal(zoom, whole[51 : 51 + 64, 81 : 81 + 96])
    # At less scale its corner is rounded to whole pixels of the result.
    assert track.box(0.0, 2) == (20.0, 13.0, 24, 16)
    assert track.box(0.0, 4) == (20.25, 12.75, 24, 16)


def test_back_changes_the_box_alone_without_a_seam(picture):
    nearest = SuperResolver(interpolation='nearest', scale=4)
    back = painted(picture, BOX, show='back', resolver=nearest)
    canvas = plain(picture, (0, 0, 96, 64), 4)
    whole = painted(picture, None, resolver=nearest)
    x, y, w, h = (4 * value for value in BOX)
    inside = np.zeros(canvas.shape[:2], bool)
    inside[y : y + h, x : x + w] = True
    np.testing.assert_array_equal(back[~inside], canvas[~inside])
    middle = np.s_[y + 16 : y + h - 16, x + 16 : x + w - 16]
    np.testing.assert_array_equal(back[middle], whole[middle])
    # In the outermost row hardly anything of the region is left.
    edge = np.s_[y, x : x + w]
    change = np.abs(back[edge].astype(int) - canvas[edge]).mean()
    assert (
        change < 0.15 * np.abs(whole[edge].astype(int) - canvas[edge]).mean()
    )


def test_back_at_the_border_of_the_picture(picture):
    nearest = SuperResolver(interpolation='nearest', scale=4)
    back = painted(picture, (0, 0, 24, 16), show='back', resolver=nearest)
    whole = painted(picture, None, resolver=nearest)
    np.testing.assert_array_equal(back[0, :64], whole[0, :64])


def test_inset(picture):
    box = (4, 4, 24, 16)  # upper left, so the inset is at the lower right
    inset = painted(picture, box, show='inset')
    factor = inset_factor((96, 64), (24, 16), 4)
    assert factor == 2
    assert inset.shape == (128, 192, 3)
    zoom = painted(picture, box)
    line = np.s_[2:-2, 2:-2]
    np.testing.assert_array_equal(inset[64:, 96:][line], zoom[line])
    assert (inset[64, 96:] == 255).all()
    canvas = plain(picture, (0, 0, 96, 64), 2)
    np.testing.assert_array_equal(inset[44:60, :90], canvas[44:60, :90])
    assert inset_factor((720, 576), (180, 144), 4) == 2
    assert inset_factor((720, 576), (180, 144), 1) == 1
    assert inset_factor((720, 576), (700, 500), 4) == 4


def test_side_by_side(picture):
    nearest = SuperResolver(interpolation='nearest', scale=4)
    both = painted(picture, None, resolver=nearest, side_by_side=True)
    assert both.shape == (256, 768, 3)
    np.testing.assert_array_equal(
        both[:, :384], plain(picture, (0, 0, 96, 64), 4)
    )
    np.testing.assert_array_equal(
        both[:, 384:], painted(picture, None, resolver=nearest)
    )


def test_scale_1_and_2_are_reduced_without_aliasing(picture):
    nearest = SuperResolver(interpolation='nearest', scale=4)
    whole = painted(picture, None, resolver=nearest)
    for scale in (1, 2):
        np.testing.assert_array_equal(
            painted(picture, None, scale, resolver=nearest),
            downscale(whole, 4 // scale),
        )


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_text_is_interpolated(picture, scale):
    text = (30, 20, 24, 10)
    nearest = SuperResolver(interpolation='nearest', scale=4)
    look = dict(scale=scale, resolver=nearest)
    result = painted(picture, None, texts=(text,), **look)
    enhanced = painted(picture, None, **look)
    smooth = plain(picture, (0, 0, 96, 64), scale)
    x, y, w, h = (scale * value for value in text)
    inside = np.s_[y : y + h, x : x + w]
    np.testing.assert_array_equal(result[inside], smooth[inside])
    if scale == 1:
        np.testing.assert_array_equal(result[inside], picture[20:30, 30:54])
    far = np.ones(result.shape[:2], bool)
    reach = 4 * scale
    far[y - reach : y + h + reach, x - reach : x + w + reach] = False
    np.testing.assert_array_equal(result[far], enhanced[far])
    # Between them the one goes over into the other.
    beside = result[y + h // 2, x - reach : x].astype(float)
    low = np.minimum(smooth, enhanced)[y + h // 2, x - reach : x]
    high = np.maximum(smooth, enhanced)[y + h // 2, x - reach : x]
    assert ((beside >= low - 1) & (beside <= high + 1)).all()
    # Of a region, too.
    zoom = painted(picture, (24, 16, 24, 24), texts=(text,), **look)
    part = np.s_[4 * scale : 14 * scale, 6 * scale : 24 * scale]
    np.testing.assert_array_equal(
        zoom[part], smooth[y : y + h, x : 48 * scale]
    )


def test_a_track_is_steady_and_stays_inside():
    rng = np.random.default_rng(0)
    times = np.arange(0, 20, 0.5)
    x = 300 + 5 * times + rng.normal(0, 6, len(times))
    y = 200 + rng.normal(0, 6, len(times))
    points = [(t, a, b, 0.9) for t, a, b in zip(times, x, y, strict=True)]
    points[10] = (5.0, 20.0, 560.0, 0.9)  # a single error
    points[20] = (10.0, 700.0, 10.0, 0.1)  # one that is not believed
    track, note = follow(points, 720, 576)
    assert not note
    assert track.size == far_size(720, 576) == (180, 144)
    corners = np.array([track.box(t, 4)[:2] for t in np.arange(0, 19.5, 0.04)])
    true = 300 + 5 * np.arange(0, 19.5, 0.04) - 90
    assert np.abs(corners[:, 0] - true).max() < 12
    assert np.abs(corners[:, 1] - (200 - 72)).max() < 12
    # From frame to frame it moves by less than a pixel.
    assert np.abs(np.diff(corners, axis=0)).max() < 1
    outside, _ = follow([(0.0, 719, 2, 1.0), (1.0, 719, 2, 1.0)], 720, 576)
    assert outside.box(0.5, 4) == (540.0, 0.0, 180, 144)


def test_far_region_is_the_middle_without_a_vanishing_point():
    track, note = follow([(0.0, 5.0, 5.0, 0.0)], 720, 576)
    assert 'center of the picture' in note
    assert track.box(3.0, 4) == (270.0, 216.0, 180, 144)
    assert far_size(40, 20) == (32, 20)


def test_a_box_of_a_recording(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(6, (96, 64)))
    target = tmp_path / 'out.mkv'
    enhance(source, target, region='20,12,24,16', scale=4)
    shown = show(target).pictures
    assert shown[0].shape == (64, 96, 3)
    before = show(source).pictures[3]
    np.testing.assert_allclose(
        shown[3].astype(int), painted(before, BOX).astype(int), atol=3
    )


@pytest.mark.parametrize(
    ('box', 'message'),
    [
        ('80,40,40,40', 'extends beyond the picture: .* within 96x64'),
        ('0,0,8,40', 'too small: .* at least 16'),
        ('1,2,3', 'not a box: give X,Y,WIDTH,HEIGHT'),
        ('-1,2,30,30', 'negative values or be empty'),
    ],
)
def test_boxes_that_do_not_fit(tmp_path, box, message):
    source = record(tmp_path / 'in.mp4', frames(3, (96, 64)))
    with pytest.raises(ValueError, match=message):
        enhance(source, tmp_path / 'out.mkv', region=box)
    assert parse_box('1,2,30,40') == (1, 2, 30, 40)
