import os
import shutil

import numpy as np
import pytest
from PIL import Image

from mmdsr.converters.frames_to_refsr import frames_to_refsr
from mmdsr.depth.base import DepthMap, DepthProvider
from mmdsr.depth.file import FileDepth
from mmdsr.depth.frames import frames_depth
from mmdsr.io.images import read_depth


class Mean(DepthProvider):
    """Depth = mean gray level in centimeters; can be interrupted."""

    name = 'mean'

    def __init__(self, stop_after=None, setting=1):
        self.calls = 0
        self.stop_after, self.setting = stop_after, setting

    def _predict(self, image, path):
        if self.calls == self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        depth = np.full(image.shape[:2], image.mean() / 100, np.float32)
        depth[0, 0] = np.nan
        dark = image.mean() < 10
        return DepthMap(depth, 'relative', 0.5, 'too dark' if dark else '')

    def describe(self):
        return {'name': self.name, 'setting': self.setting}


@pytest.fixture
def frames(tmp_path):
    for run in ('one', 'two words'):
        (tmp_path / 'in' / run).mkdir(parents=True)
        for i in range(3):
            image = np.full((64, 72, 3), 50 * i + 5, np.uint8)
            Image.fromarray(image).save(tmp_path / 'in' / run / f'{i}.jpg')
    return tmp_path / 'in'


def names(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob('*.png')
    )


def test_maps_lie_like_the_frames(frames, tmp_path):
    out = tmp_path / 'out'
    report = frames_depth(frames, out, Mean())
    assert (report.total, report.written, report.kept) == (6, 6, 0)
    assert len(report.fallback) == 2
    assert names(out)[4:] == ['two words/1.png', 'two words/2.png']
    depth = read_depth(out / 'one/2.png')
    assert np.isnan(depth[0, 0])
    assert np.nanmean(depth) == pytest.approx(1.05, abs=0.01)
    assert [p.name for p in tmp_path.iterdir() if p.name[0] == '.'] == []
    summary = frames_to_refsr(frames, tmp_path / 'set', depth=out)
    assert summary.without_depth == 0
    assert (tmp_path / 'set/train/depth_lr/one_0.png').is_file()


def test_resumes_after_an_interruption(frames, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(KeyboardInterrupt):
        frames_depth(frames, out, Mean(stop_after=4))
    assert not out.exists()
    provider = Mean()
    report = frames_depth(frames, out, provider)
    assert (report.kept, report.written, provider.calls) == (4, 2, 2)
    whole = tmp_path / 'whole'
    frames_depth(frames, whole, Mean())
    assert names(out) == names(whole)
    for name in names(out):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_an_interruption_with_other_settings_is_not_mixed(frames, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(KeyboardInterrupt):
        frames_depth(frames, out, Mean(stop_after=4))
    with pytest.raises(FileExistsError, match='other settings'):
        frames_depth(frames, out, Mean(setting=2))
    provider = Mean(setting=2)
    frames_depth(frames, out, provider, overwrite=True)
    assert provider.calls == 6


def test_only_missing_maps_are_made(frames, tmp_path):
    out = tmp_path / 'out'
    good = (frames / 'one/1.jpg').read_bytes()
    (frames / 'one/1.jpg').write_bytes(good[:200])
    report = frames_depth(frames, out, Mean())
    (failed,) = report.failed
    assert failed.endswith('1.jpg')
    assert report.written == 5
    (frames / 'one/1.jpg').write_bytes(good)
    provider = Mean()
    report = frames_depth(frames, out, provider)
    assert (report.kept, report.written, provider.calls) == (5, 1, 1)
    with pytest.raises(FileExistsError, match='already exists'):
        frames_depth(frames, out, Mean(setting=2))
    frames_depth(frames, out, Mean(setting=2), overwrite=True)


def test_overwrite_makes_maps_of_equal_settings_again(frames, tmp_path):
    out = tmp_path / 'out'
    frames_depth(frames, out, Mean())
    shutil.copy(out / names(out)[1], out / names(out)[0])
    provider = Mean()
    report = frames_depth(frames, out, provider, overwrite=True)
    assert (report.kept, report.written, provider.calls) == (0, 6, 6)
    whole = tmp_path / 'whole'
    frames_depth(frames, whole, Mean())
    for name in names(whole):
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_maps_of_other_frames_are_not_kept(frames, tmp_path):
    out, other = tmp_path / 'out', tmp_path / 'other' / frames.name
    frames_depth(frames, out, Mean())
    shutil.copytree(frames, other)
    # The same frames elsewhere.
    assert frames_depth(other, out, Mean()).kept == 6
    image = Image.fromarray(np.full((64, 72, 3), 9, np.uint8))
    image.save(other / 'one/1.jpg')
    # As if the frame had been moved here, which keeps its time.
    os.utime(other / 'one/1.jpg', (1, 1))
    before = (out / 'one/1.png').read_bytes()
    with pytest.raises(FileExistsError, match=r'1 maps.*one.1\.png'):
        frames_depth(other, out, Mean())
    assert (out / 'one/1.png').read_bytes() == before
    # As the message says.
    (out / 'one/1.png').unlink()
    report = frames_depth(other, out, Mean())
    assert (report.kept, report.written) == (5, 1)
    assert (out / 'one/1.png').read_bytes() != before
    assert frames_depth(frames, out, Mean(), overwrite=True).written == 6
    assert (out / 'one/1.png').read_bytes() == before


def test_frames_that_change_before_a_run_resumes(frames, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(KeyboardInterrupt):
        frames_depth(frames, out, Mean(stop_after=4))
    shutil.copy(frames / 'one/2.jpg', frames / 'one/1.jpg')
    with pytest.raises(FileExistsError, match='1 maps'):
        frames_depth(frames, out, Mean())
    report = frames_depth(frames, out, Mean(), overwrite=True)
    assert (report.kept, report.written) == (3, 3)
    one, two = (read_depth(out / f'one/{k}.png') for k in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_frames_and_maps_move_together(frames, tmp_path):
    frames_depth(frames, tmp_path / 'out', Mean())
    (tmp_path / 'new').mkdir()
    for name in ('in', 'out'):
        (tmp_path / name).rename(tmp_path / 'new' / name)
    report = frames_depth(tmp_path / 'new/in', tmp_path / 'new/out', Mean())
    assert report.kept == 6


def test_files_of_depth_that_change(frames, tmp_path):
    folder, out = tmp_path / 'maps', tmp_path / 'out'
    for path in frames.rglob('*.jpg'):
        place = folder / path.relative_to(frames).with_suffix('.npy')
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, np.full((64, 72), 2.0))

    def make(**options):
        provider = FileDepth(folder, frames)
        return frames_depth(frames, out, provider, **options)

    assert make().written == 6
    assert make().kept == 6
    np.save(folder / 'one/0.npy', np.full((64, 72), 3.0))
    with pytest.raises(FileExistsError, match=r'1 maps.*one.0\.png'):
        make()
    np.testing.assert_allclose(read_depth(out / 'one/0.png'), 2, 1e-6)
    (out / 'one/0.png').unlink()
    assert make().written == 1
    np.testing.assert_allclose(read_depth(out / 'one/0.png'), 3, 1e-6)
    # Its maps are not deleted with those that were made from them.
    folder = folder.rename(out / 'maps')
    with pytest.raises(ValueError, match='maps is inside'):
        make(overwrite=True)
    assert len(list(folder.rglob('*.npy'))) == 6


def test_frames_among_their_maps_are_not_deleted(frames, tmp_path):
    out = tmp_path / 'maps'
    frames_depth(frames, out, Mean())
    shutil.copytree(frames, out / 'raw')
    before = names(out)
    with pytest.raises(ValueError, match='raw is inside'):
        frames_depth(out / 'raw', out, Mean(), overwrite=True)
    assert names(out) == before


def test_refuses_to_overwrite_other_files(frames, tmp_path):
    with pytest.raises(ValueError, match='another folder'):
        frames_depth(frames, frames / 'depth', Mean())
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'mine.txt').write_text('keep')
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match='not replaced'):
            frames_depth(frames, other, Mean(), overwrite)
    assert (other / 'mine.txt').read_text() == 'keep'


def test_leaves_nothing_if_no_frame_can_be_read(frames, tmp_path):
    for path in frames.rglob('*.jpg'):
        path.write_bytes(b'junk')
    with pytest.raises(ValueError, match='None of the 6 frames'):
        frames_depth(frames, tmp_path / 'out', Mean())
    shutil.rmtree(frames)
    assert list(tmp_path.iterdir()) == []
