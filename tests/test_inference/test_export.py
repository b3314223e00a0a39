"""A folder in, a mirrored folder of PNG files out."""

import os

import cv2
import numpy as np
import pytest
import torch
from inference_cases import pipe

from mmdsr.converters.images import write_png
from mmdsr.inference import SuperResolver, export_folder, export_target
from mmdsr.inference.ranks import Place, find_place
from mmdsr.transforms import SuperResolve

NANO = 'dsrnet_nano_quick'


@pytest.fixture
def frames(tmp_path):
    """Make a folder of frames in two sub-folders, of two sizes."""
    root = tmp_path / 'in'
    for seed, (name, size) in enumerate(
        [
            ('one/f9.png', (16, 20)),
            ('one/f10.png', (16, 20)),
            ('one/f11.bmp', (18, 16)),
            ('two/f1.png', (16, 20)),
        ]
    ):
        image = pipe(*size, seed).permute(1, 2, 0).numpy().copy()
        image[..., 0] //= 2
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), image)
    return root


def plain(scale=2):
    return SuperResolver(interpolation='nearest', scale=scale)


def files_of(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob('*.png'))


@pytest.mark.filterwarnings('ignore:.*has no neighbour')
def test_file_transform_and_resolver_agree(frames, tmp_path):
    resolver = SuperResolver(weights=NANO, reference='neighbor', max_batch=2)
    transform = SuperResolve(sr=dict(weights=NANO, reference='neighbor'))
    out = tmp_path / 'out'
    with pytest.warns(UserWarning, match=r'f1.png has no neighbour'):
        report = export_folder(resolver, frames, out)
    assert (report.total, report.written, report.failed) == (4, 4, {})
    expected = ['one/f10.png', 'one/f11.png', 'one/f9.png', 'two/f1.png']
    assert files_of(out) == expected
    for source in frames.rglob('f*'):
        image = cv2.imread(str(source))
        name = source.relative_to(frames).with_suffix('.png')
        exported = cv2.imread(str(out / name))
        results = dict(img=image, img_path=str(source))
        called = resolver(
            [torch.from_numpy(image).permute(2, 0, 1)], [results]
        )[0]
        np.testing.assert_array_equal(
            exported, called.permute(1, 2, 0).numpy()
        )
        np.testing.assert_array_equal(exported, transform(results)['img'])


def test_goes_on_where_it_was(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    (out / 'two' / 'f1.png').unlink()
    # A source that has changed since is done again.
    changed = frames / 'one' / 'f9.png'
    cv2.imwrite(str(changed), np.zeros((16, 20, 3), np.uint8))
    later = (out / 'one' / 'f9.png').stat().st_mtime + 5
    os.utime(changed, (later, later))
    report = export_folder(plain(), frames, out)
    assert (report.written, report.kept) == (2, 2)
    assert not cv2.imread(str(out / 'one' / 'f9.png')).any()


def test_other_settings_are_refused(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    (out / 'one' / 'stale.png').write_bytes(b'of another run')
    with pytest.raises(FileExistsError, match='scale was 2, is 3'):
        export_folder(plain(3), frames, out)
    export_folder(plain(3), frames, out, overwrite=True)
    assert cv2.imread(str(out / 'two' / 'f1.png')).shape == (48, 60, 3)
    assert len(files_of(out)) == 4
    kept = export_folder(plain(3), frames, out, overwrite=True).kept
    assert kept == 4


def test_foreign_folders_are_left_alone(frames, tmp_path):
    before = files_of(frames)
    for out in (frames, frames / 'out', frames.parent):
        with pytest.raises(ValueError, match='lie in one another'):
            export_folder(plain(), frames, out, overwrite=True)
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    (foreign / 'thesis.txt').write_text('')
    with pytest.raises(FileExistsError, match='no manifest.json'):
        export_folder(plain(), frames, foreign, overwrite=True)
    (foreign / 'manifest.json').write_text('{}')
    with pytest.raises(FileExistsError, match='holds something else'):
        export_folder(plain(), frames, foreign, overwrite=True)
    assert files_of(frames) == before and not files_of(foreign)


def test_one_broken_image_stops_no_other(frames, tmp_path):
    (frames / 'one' / 'f12.png').write_bytes(b'no image')
    report = export_folder(plain(), frames, tmp_path / 'out')
    assert report.written == 4
    assert [p[-7:] for p in report.failed] == ['f12.png']


def test_one_image(frames, tmp_path):
    out = frames / 'one' / 'large'
    export_folder(plain(), frames / 'one' / 'f11.bmp', out)
    export_folder(plain(), frames / 'one' / 'f9.png', out)
    assert files_of(out) == ['f11.png', 'f9.png']
    with pytest.raises(ValueError, match='must be a folder'):
        export_folder(plain(), frames / 'one' / 'f9.png', tmp_path / 'a.png')


def test_refuses_twins(frames, tmp_path):
    (frames / 'one' / 'f9.jpg').write_bytes(b'')
    with pytest.raises(ValueError, match='would both become'):
        export_folder(plain(), frames, tmp_path / 'out')


def test_references_from_a_folder(frames, tmp_path):
    refs = tmp_path / 'refs'
    with pytest.raises(ValueError, match='go together only'):
        export_folder(plain(), frames, tmp_path / 'out', refs=refs)
    resolver = SuperResolver(weights=NANO, reference='file')
    with pytest.raises(FileNotFoundError, match=f'no folder {refs}'):
        export_folder(resolver, frames, tmp_path / 'out', refs=refs)
    refs.mkdir()
    with pytest.raises(FileNotFoundError, match='must lie like the images'):
        export_folder(resolver, frames, tmp_path / 'out', refs=refs)
    rng = np.random.default_rng(0)
    # None for one/f11, whose batch must not suffer.
    for name in ('one/f9.png', 'one/f10.png', 'two/f1.png'):
        write_png(refs / name, rng.integers(0, 256, (40, 60, 3), np.uint8))
    (refs / 'two' / 'f1.png').rename(refs / 'two' / 'f1.webp')
    (refs / 'one' / 'f10.png').write_bytes(b'no image')
    report = export_folder(resolver, frames, tmp_path / 'out', refs=refs)
    assert report.written == 2
    assert sorted(name[-7:] for name in report.failed) == [
        'f10.png',
        'f11.bmp',
    ]
    image = torch.from_numpy(cv2.imread(str(frames / 'two' / 'f1.png')))
    expected = resolver(
        [image.permute(2, 0, 1)], [dict(ref_path=refs / 'two' / 'f1.webp')]
    )[0]
    found = cv2.imread(str(tmp_path / 'out' / 'two' / 'f1.png'))
    np.testing.assert_array_equal(found, expected.permute(1, 2, 0))


def test_processes_share_the_images(frames, tmp_path, monkeypatch):
    out = tmp_path / 'out'
    monkeypatch.setattr(export_target, '_PATIENCE', 0)
    with pytest.raises(TimeoutError, match='Process 0 has not made'):
        export_folder(plain(), frames, out, rank=1, world_size=2)
    first = export_folder(plain(), frames, out, rank=0, world_size=2)
    with pytest.raises(FileExistsError, match='other settings'):
        export_folder(plain(3), frames, out, rank=1, world_size=2)
    second = export_folder(plain(), frames, out, rank=1, world_size=2)
    assert first.written == second.written == 2
    assert len(files_of(out)) == 4
    with pytest.raises(ValueError, match='rank must be in'):
        export_folder(plain(), frames, out, rank=2, world_size=2)


def test_place_of_a_process():
    assert find_place({}) == Place()
    torchrun = {'RANK': '5', 'WORLD_SIZE': '8', 'LOCAL_RANK': '1'}
    assert find_place(torchrun) == Place(5, 8, 1, 'torchrun')
    job = {'SLURM_PROCID': '1', 'SLURM_NTASKS': '2', 'SLURM_JOB_ID': '7'}
    assert find_place({**job, 'SLURM_STEP_ID': '0'}) == Place(1, 2, 0, 'Slurm')
    # A batch script without srun is alone, though its job has two tasks.
    assert find_place(job) == Place()
    with pytest.raises(ValueError, match='RANK=8 and WORLD_SIZE=8'):
        find_place({**torchrun, 'RANK': '8'})
    with pytest.raises(ValueError, match='make no sense'):
        find_place({**torchrun, 'RANK': 'x'})


def test_device_is_tried_before_anything_is_written(frames, tmp_path):
    with pytest.raises(ValueError, match='device cow cannot be used'):
        export_folder(plain(), frames, tmp_path / 'out', device='cow')
    half = SuperResolver(weights=NANO, precision='fp16')
    with pytest.raises(ValueError, match='fp16'):
        export_folder(half, frames, tmp_path / 'out', device='cpu')
    assert not (tmp_path / 'out').exists()
