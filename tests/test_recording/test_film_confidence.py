"""The confidence film beside a film, and how it is laid out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from forks import Fork, kill_at_rename
from recording_cases import bicubic, frames, record, show

from mmdsr import SuperResolver
from mmdsr.dev.films import contents_of
from mmdsr.dev.views import drive, texture
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.overlay import INFERRED_COLOR, SEEN_COLOR
from mmdsr.evidence.sidecar import overlay_path, read_sidecar
from mmdsr.evidence.verify import verify, verify_folder
from mmdsr.io.checksums import digest
from mmdsr.recording.confidence import shown_confidence
from mmdsr.recording.export import Hooks, enhance_recording
from mmdsr.recording.neighbors import Moment, Reference
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.painter import Look, Painter
from mmdsr.recording.region import still
from mmdsr.recording.staging import staging_root

COUNT = 9
SMALL = RecordingOptions(text='none', scale=1, segment=4)
ALL = EvidenceOptions(confidence=True)
BOX, TEXT = (20, 12, 40, 32), (30, 20, 20, 10)


@pytest.fixture(scope='module')
def nano():
    return SuperResolver(weights='dsrnet_x_nano')


@pytest.fixture(scope='module')
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp('source')
    pictures = drive(texture(), COUNT, 1.02, size=(96, 80))
    return record(folder / 'in.mp4', pictures, sound=True)


@pytest.fixture(scope='module')
def whole(source, nano):
    """A film made in one go; tests do not change it."""
    target = source.with_name('whole.mkv')
    enhance_recording(nano, source, target, SMALL, 'cpu', evidence=ALL)
    return target


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


def from_first(times):
    return [time - times[0] for time in times]


def gray_of(picture):
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float)


def without_color(colored):
    """Return the gray picture behind any of the colors."""
    seen, inferred = map(np.array, (SEEN_COLOR, INFERRED_COLOR))
    along = (seen - inferred) / np.linalg.norm(seen - inferred)
    across = np.ones(3) - along.sum() * along
    level = colored[:80, :96] @ across
    return (2 * level - inferred @ across) / across.sum()


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
@pytest.mark.parametrize('start', [0.0, 0.12])
def test_both_films_run_together(source, nano, tmp_path, suffix, start):
    target = tmp_path / f'out{suffix}'
    # Little loss, so that what is compared is the picture, not the codec.
    options = replace(SMALL, start=start, every=2, crf=8)
    enhance_recording(nano, source, target, options, 'cpu', evidence=ALL)
    overlay = tmp_path / f'out.confidence{suffix}'
    assert overlay_path(target) == overlay
    film, shown = show(target), show(overlay)
    assert len(film.times) >= 3
    assert from_first(shown.times) == from_first(film.times)
    # Matroska cannot begin below zero, as the sound of the film does.
    if suffix == '.mp4' or start:
        assert shown.times == film.times
    assert film.sounds
    assert not shown.sounds
    # Of all pictures of the film it is its own that shines through.
    grays = [gray_of(picture) for picture in film.pictures]
    for number, colored in enumerate(shown.pictures):
        off = [np.median(np.abs(without_color(colored) - g)) for g in grays]
        assert np.argmin(off) == number
        assert off[number] < 4
    verdict = verify(target, source)
    assert verdict.problems == []
    assert verdict.record.output.confidence.name == overlay.name
    assert verdict.record.output.confidence.sha256 == digest(overlay)
    # It is no result of its own.
    assert [one.name for one in verify_folder(tmp_path)] == [target.name]
    overlay.write_bytes(overlay.read_bytes() + b'0')
    (problem,) = verify(target).problems
    assert problem == f'the confidence film {overlay.name} was changed'
    overlay.unlink()
    assert 'is missing' in verify(target).problems[0]


def test_the_film_is_the_same_with_it(source, nano, whole, tmp_path):
    target = tmp_path / 'out.mkv'
    enhance_recording(nano, source, target, SMALL, 'cpu')
    assert contents_of(target).coded == contents_of(whole).coded
    one, other = (
        read_sidecar(path.with_name(f'{path.name}.json'))
        for path in (target, whole)
    )
    assert one.frames == other.frames
    assert one.output.pixels_sha256 == other.output.pixels_sha256


def make(source, target):
    nano = SuperResolver(weights='dsrnet_x_nano')
    enhance_recording(nano, source, target, SMALL, 'cpu', evidence=ALL)


@pytest.mark.slow
@pytest.mark.parametrize('after', [0, 1, 2])
def test_killed_between_both_films(source, whole, tmp_path, after):
    target = tmp_path / 'out.mkv'
    kill_at_rename(after, '000001', make, source, target)
    # A segment counts as finished if both are.
    assert not (staging_root(target) / '000001.json').exists()
    assert (staging_root(target) / '000000.json').exists()
    assert Fork(make, source, target).wait(120) == 0
    for one, other in ((target, whole), map(overlay_path, (target, whole))):
        assert contents_of(one).coded == contents_of(other).coded
        assert contents_of(one).times == contents_of(other).times
    assert listed(tmp_path) == [
        'out.confidence.mkv',
        'out.mkv',
        'out.mkv.json',
        'out.mkv.report.json',
    ]


def test_confidence_without_references_is_refused(source, nano, tmp_path):
    for resolver, options, why in (
        (bicubic(), SMALL, 'an interpolation uses none'),
        (nano, replace(SMALL, reference='none'), "reference='none'"),
    ):
        for name in ('out.mp4', 'out'):
            with pytest.raises(ValueError, match=why):
                enhance_recording(
                    resolver,
                    source,
                    tmp_path / name,
                    options,
                    'cpu',
                    evidence=ALL,
                )
    assert listed(tmp_path) == []


@pytest.mark.parametrize(
    'name', ['out.confidence.mkv', 'out.mkv.json', 'out.mkv.report.json']
)
def test_files_of_others_beside_a_film(source, nano, tmp_path, name):
    mine, target = tmp_path / name, tmp_path / 'out.mkv'
    mine.write_text('mine')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match='not made by this command'):
            enhance_recording(
                nano, source, target, SMALL, 'cpu', overwrite, evidence=ALL
            )
    assert listed(tmp_path) == [name]
    assert mine.read_text() == 'mine'


def test_stale_files_are_removed_with_a_new_film(source, nano, tmp_path):
    target = tmp_path / 'out.mkv'
    options = replace(SMALL, every=4)

    def enhance(**evidence):
        enhance_recording(
            nano,
            source,
            target,
            options,
            'cpu',
            overwrite=True,
            evidence=EvidenceOptions(**evidence),
        )
        return listed(tmp_path)

    every = ['out.confidence.mkv', 'out.mkv', 'out.mkv.json']
    assert enhance(confidence=True) == [*every, 'out.mkv.report.json']
    assert enhance() == [*every[1:], 'out.mkv.report.json']
    assert enhance(sidecar=False) == [every[1], 'out.mkv.report.json']
    # Without it nothing says that the pixels are what they were.
    (problem,) = verify(target).problems
    assert 'pixels cannot be checked' in problem
    assert enhance(confidence=True) == [*every, 'out.mkv.report.json']
    (tmp_path / every[0]).unlink()
    with pytest.raises(FileExistsError, match=r'out\.confidence\.mkv\): make'):
        enhance_recording(nano, source, target, options, 'cpu', evidence=ALL)


def lay_out(nano, look, box=None):
    """Paint a frame whose reference is itself, large."""
    large = frames(1, (384, 256))[0]
    picture = cv2.resize(large, (96, 64), interpolation=cv2.INTER_AREA)
    painter = Painter(nano, look, box and still(box), 'cpu')
    moment = Moment(0, 0.0, picture, [Reference(large, 1)])
    painted = painter.paint(moment)
    return picture, painted, *shown_confidence(painter, moment, painted)


@pytest.mark.parametrize('scale', [1, 2, 4])
def test_the_whole_picture(nano, scale):
    _, painted, share, made = lay_out(nano, Look(scale, 'zoom'))
    assert share.shape == painted.picture.shape[:2]
    assert made.all()
    assert share.mean() == pytest.approx(painted.confidence.mean(), abs=0.01)
    small = cv2.resize(share, (96, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(small, painted.confidence, atol=0.15)
    assert np.corrcoef(small.ravel(), painted.confidence.ravel())[0, 1] > 0.9


@pytest.mark.parametrize('side_by_side', [False, True])
@pytest.mark.parametrize('how', ['zoom', 'back', 'inset'])
def test_interpolated_parts_are_gray(nano, how, side_by_side):
    look = Look(4, how, (TEXT,), side_by_side)
    picture, painted, share, made = lay_out(nano, look, BOX)
    width = painted.picture.shape[1]
    if side_by_side:
        assert not made[:, : width // 2].any()
        half = np.s_[:, width // 2 :]
        result, share, made = painted.picture[half], share[half], made[half]
    else:
        result = painted.picture
    assert not share[~made].any()
    assert share[made].mean() > 0.2
    # Compared with the same without a network, in the same places.
    painter = Painter(
        bicubic(), replace(look, side_by_side=False), still(BOX), 'cpu'
    )
    smooth = painter.paint(Moment(0, 0.0, picture)).picture
    same = (smooth == result).all(2)
    # Where pictures are blended a little of both is left.
    inner, outer = (
        cv2.erode(np.uint8(one), np.ones((33, 33))) > 0
        for one in (made, ~made)
    )
    assert outer.any()
    assert inner.any()
    assert same[outer].all()
    assert same[inner].mean() < 0.5
    # The box takes its share, the text is left out of it.
    text = TEXT[2] * TEXT[3] / (BOX[2] * BOX[3])
    shown = made.sum() / (BOX[2] * BOX[3] * 16)
    assert 0.4 < shown / (1 - text) < 1.01


def test_position_of_seen_pixels(nano):
    """A confidence of one corner is in that corner of the picture."""
    picture = frames(1, (96, 64))[0]
    for how, box, corner in (
        ('zoom', None, (0, 0)),
        ('back', BOX, (4 * BOX[1], 4 * BOX[0])),
    ):
        painter = Painter(nano, Look(4, how), box and still(box), 'cpu')
        moment = Moment(0, 0.0, picture, [Reference(picture, 1)])
        painted = painter.paint(moment)
        seen = np.zeros_like(painted.confidence)
        margin = 8 if box else 0
        seen[: margin + 8, : margin + 8] = 1
        share, _ = shown_confidence(
            painter, moment, painted._replace(confidence=seen)
        )
        rows, columns = np.nonzero(share > 0.5)
        assert rows.max() == corner[0] + 4 * 8 - 1
        assert columns.max() == corner[1] + 4 * 8 - 1


def test_without_a_reference(nano):
    painter = Painter(nano, Look(2, 'zoom'), None, 'cpu')
    moment = Moment(0, 0.0, frames(1, (96, 64))[0])
    share, made = shown_confidence(painter, moment, painter.paint(moment))
    assert share is None
    assert made.all()


def test_a_hook_that_stops_leaves_no_segment_half(source, nano, tmp_path):
    target = tmp_path / 'out.mkv'

    def stop(moment, painted):
        if moment.index == 6:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        enhance_recording(
            nano,
            source,
            target,
            SMALL,
            'cpu',
            hooks=Hooks(frame=stop),
            evidence=ALL,
        )
    films = [path.name for path in staging_root(target).glob('*.mkv')]
    assert sorted(films) == ['000000.confidence.mkv', '000000.mkv']
    assert not list(staging_root(target).glob('.*.tmp'))
