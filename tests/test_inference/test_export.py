"""A folder in, a mirrored folder of PNG files out."""

import errno
import json
import os
import signal

import cv2
import numpy as np
import pytest
import torch
from forks import Fork
from inference_cases import pipe
from PIL import Image

from mmdsr.evidence import writing
from mmdsr.inference import (
    SuperResolver,
    export_folder,
    outputs,
)
from mmdsr.inference.ranks import Place, find_place
from mmdsr.io import folder_job
from mmdsr.io.images import write_png

NANO = 'dsrnet_student'


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


@pytest.mark.filterwarnings('ignore:.*has no neighbor')
def test_file_transform_and_resolver_agree(frames, tmp_path):
    resolver = SuperResolver(weights=NANO, reference='neighbor', max_batch=2)
    pytest.importorskip('mmcv')
    from mmdsr.transforms import SuperResolve

    transform = SuperResolve(sr=dict(weights=NANO, reference='neighbor'))
    out = tmp_path / 'out'
    with pytest.warns(UserWarning, match=r'f1.png has no neighbor'):
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


def test_interrupted_export_is_resumed(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    (out / 'two' / 'f1.png').unlink()
    report = export_folder(plain(), frames, out)
    assert (report.written, report.kept) == (1, 3)


def replace(path, image, age):
    """Write another image that is this many seconds older than the first."""
    time = path.stat().st_mtime_ns - int(age * 1e9)
    cv2.imwrite(str(path), image)
    os.utime(path, ns=(time, time))


@pytest.mark.parametrize('age', [-5, 5])
def test_a_source_that_has_changed_is_done_again(frames, tmp_path, age):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    changed = frames / 'one' / 'f9.png'
    replace(changed, np.zeros((16, 20, 3), np.uint8), age)
    report = export_folder(plain(), frames, out)
    assert (report.written, report.kept) == (1, 3)
    assert not cv2.imread(str(out / 'one' / 'f9.png')).any()
    # Only its time is another one.
    os.utime(frames / 'two' / 'f1.png', (1, 1))
    report = export_folder(plain(), frames, out)
    assert (report.written, report.kept) == (0, 4)


@pytest.mark.parametrize('policy', ['file', 'neighbor'])
def test_a_reference_that_has_changed_makes_results_stale(tmp_path, policy):
    images, refs, out = (tmp_path / name for name in ('in', 'refs', 'out'))
    for number in range(4):
        image = pipe(16, 16, number).permute(1, 2, 0).numpy()
        write_png(images / f'{number}.png', image)
        write_png(refs / f'{number}.png', image)
    resolver = SuperResolver(weights=NANO, reference=policy)
    options = dict(refs=refs) if policy == 'file' else {}
    export_folder(resolver, images, out, **options)
    assert export_folder(resolver, images, out, **options).kept == 4
    place = images if policy == 'neighbor' else refs
    replace(place / '2.png', np.zeros((16, 16, 3), np.uint8), 5)
    report = export_folder(resolver, images, out, **options)
    # As a neighbor it is the reference of 3, and itself an image.
    assert report.written == (1 if policy == 'file' else 2)
    assert export_folder(resolver, images, out, **options).kept == 4
    if policy == 'neighbor':
        # Now 3 has another neighbor.
        (images / '2.png').unlink()
        report = export_folder(resolver, images, out)
        assert (report.written, report.kept) == (1, 2)


def export_until_killed(frames, out, when):
    """Be killed as the system does it; for a process of its own."""
    kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    if when == 'writing':
        writing.save_png = lambda path, *_: kill(path.write_bytes(b'half'))
    else:
        outputs.Journal.add = kill
    export_folder(plain(), frames, out)


@pytest.mark.parametrize('when', ['writing', 'whole'])
def test_killed_at_the_worst_moment(frames, tmp_path, when):
    out = tmp_path / 'out'
    assert Fork(export_until_killed, frames, out, when).wait() == -9
    assert not files_of(out)
    assert list(out.rglob('.*.tmp'))
    # Half a line, too.
    with (out / 'manifest.0.jsonl').open('a') as file:
        file.write('{"name": "one/f')
    report = export_folder(plain(), frames, out)
    assert (report.written, report.failed) == (4, {})
    assert not list(out.rglob('.*'))
    whole = tmp_path / 'whole'
    export_folder(plain(), frames, whole)
    for name in files_of(whole):
        np.testing.assert_array_equal(
            cv2.imread(str(out / name)), cv2.imread(str(whole / name))
        )
    assert export_folder(plain(), frames, out).kept == 4


def test_other_settings_are_refused(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    with pytest.raises(FileExistsError, match='scale was 2, is 3'):
        export_folder(plain(3), frames, out)
    (frames / 'one' / 'f9.png').unlink()
    export_folder(plain(3), frames, out, overwrite=True)
    assert cv2.imread(str(out / 'two' / 'f1.png')).shape == (48, 60, 3)
    assert files_of(out) == ['one/f10.png', 'one/f11.png', 'two/f1.png']
    kept = export_folder(plain(3), frames, out, overwrite=True).kept
    assert kept == 3


def test_files_of_others_are_never_touched(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    mine = [out / 'notes' / 'figure.png', out / 'one' / 'f10.png']
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b'mine')
    write_png(frames / 'notes' / 'figure.png', np.zeros((4, 4, 3), np.uint8))
    for scale in (2, 3):
        report = export_folder(plain(scale), frames, out, overwrite=True)
        assert sorted(report.failed) == [
            str(frames / 'notes' / 'figure.png'),
            str(frames / 'one' / 'f10.png'),
        ]
        for reason in report.failed.values():
            assert 'was not written by this tool' in reason
        assert [path.read_bytes() for path in mine] == [b'mine'] * 2
    assert report.written == 3
    # Moved away, as the message says.
    for path in mine:
        path.rename(tmp_path / path.name)
    assert export_folder(plain(3), frames, out).written == 2


def test_lines_of_others_are_not_believed(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    journal = out / 'manifest.0.jsonl'
    line = journal.read_text().splitlines()[0]
    fields = json.loads(line)
    (tmp_path / 'secret.png').write_bytes((out / fields['name']).read_bytes())
    fields['name'] = '../secret.png'
    journal.write_text(f'{json.dumps(fields)}\n[1]\n{{}}\n{line[:-9]}')
    report = export_folder(plain(3), frames, out, overwrite=True)
    assert (tmp_path / 'secret.png').exists()
    # Without their lines they are somebody else's.
    assert len(report.failed) == 4
    assert len(files_of(out)) == 4


def test_foreign_folders_are_left_alone(frames, tmp_path):
    before = files_of(frames)
    for out, said in (
        (frames, 'is the folder of the images'),
        (frames / 'out', 'is inside the other'),
        (frames.parent, 'is inside the other'),
        (tmp_path / 'large.png', 'written to a folder: .*/large.$'),
    ):
        with pytest.raises(ValueError, match=said):
            export_folder(plain(), frames, out, overwrite=True)
    foreign = tmp_path / 'foreign'
    foreign.mkdir()
    (foreign / 'thesis.txt').write_text('')
    with pytest.raises(FileExistsError, match=r'no manifest\.json'):
        export_folder(plain(), frames, foreign, overwrite=True)
    (foreign / 'manifest.json').write_text('{}')
    with pytest.raises(FileExistsError, match='contains other files'):
        export_folder(plain(), frames, foreign, overwrite=True)
    assert files_of(frames) == before
    assert not files_of(foreign)


def test_one_broken_image_stops_no_other(frames, tmp_path):
    (frames / 'one' / 'f12.png').write_bytes(b'no image')
    report = export_folder(plain(), frames, tmp_path / 'out')
    assert report.written == 4
    assert [p[-7:] for p in report.failed] == ['f12.png']


def test_a_pipe_is_not_waited_for(frames, tmp_path):
    os.mkfifo(frames / 'one' / 'f12.png')
    report = export_folder(plain(), frames, tmp_path / 'out')
    assert report.written == 4
    assert list(report.failed.values()) == ['not a regular file']


def test_a_very_long_name_is_one_like_others(frames, tmp_path):
    name = f'one/{"f" * 246}.png'
    (frames / 'one' / 'f9.png').rename(frames / name)
    report = export_folder(plain(), frames, tmp_path / 'out')
    assert (report.written, report.failed) == (4, {})
    assert name in files_of(tmp_path / 'out')


@pytest.mark.parametrize('what', ['result', 'journal'])
def test_a_full_disk_is_named_and_leaves_nothing(
    frames, tmp_path, monkeypatch, what
):
    out = tmp_path / 'out'
    full = OSError(errno.ENOSPC, 'No space left on device')
    save, count = writing.save_png, []

    def fill_up(path, image, texts=None):
        count.append(path)
        if what == 'result' and len(count) == 2:
            path.write_bytes(b'half')
            raise full
        save(path, image, texts)

    def fail(journal, record):
        if len(count) == 2:
            raise full
        add(journal, record)

    add = outputs.Journal.add
    monkeypatch.setattr(writing, 'save_png', fill_up)
    if what == 'journal':
        monkeypatch.setattr(outputs.Journal, 'add', fail)
    report = export_folder(plain(), frames, out)
    assert report.written == 3
    assert report.failed == {
        str(frames / 'one' / 'f10.png'): 'not written: No space left on '
        f'device: {out / "one" / "f10.png"}'
    }
    assert len(files_of(out)) == 3
    assert not list(out.rglob('.*'))
    assert export_folder(plain(), frames, out).written == 1


def test_transparency_is_kept(tmp_path):
    image = np.full((16, 20, 4), (0, 200, 0, 255), np.uint8)
    # What cannot be seen is red, and must not be seen afterwards either.
    image[:, :10] = 255, 0, 0, 0
    write_png(tmp_path / 'in' / 'a.png', image)
    report = export_folder(
        SuperResolver(weights=NANO), tmp_path / 'in', tmp_path / 'out'
    )
    assert list(report.notes.values()) == ['transparency enlarged bicubically']
    found = np.asarray(Image.open(tmp_path / 'out' / 'a.png')).astype(int)
    assert found.shape == (64, 80, 4)
    assert (found[:, :32, 3] == 0).all()
    assert (found[:, 48:, 3] == 255).all()
    assert found[..., 0].max() < 60
    assert found[..., 1].min() > 120


def test_pictures_that_are_left_out_are_named(frames, tmp_path):
    pictures = [Image.new('RGB', (16, 20), c) for c in ('red', 'blue', 'lime')]
    many = dict(save_all=True, append_images=pictures[1:])
    for name in ('m.webp', 'n.gif', 'o.tif'):
        pictures[0].save(frames / name, **many)
    pictures[0].save(frames / 'w.jfif', format='JPEG')
    for name in ('x.heic', 'y.PSD', 'readme.txt', '.z.heic'):
        (frames / name).write_bytes(b'')
    # What is kept is named, too.
    for written in (8, 0):
        report = export_folder(plain(), frames, tmp_path / 'out')
        assert (report.total, report.written) == (8, written)
        assert sorted(report.partial) == [
            str(frames / name) for name in ('m.webp', 'n.gif', 'o.tif')
        ]
        assert all(
            'numbers 2 to 3 are' in text for text in report.partial.values()
        )
        assert sorted(report.failed) == [
            str(frames / name) for name in ('x.heic', 'y.PSD')
        ]
    for name in ('m', 'n', 'o'):
        found = cv2.imread(str(tmp_path / 'out' / f'{name}.png'))
        assert (abs(found.astype(int) - (0, 0, 255)) < 5).all()


def test_a_folder_of_other_kinds_only(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in' / 'a.heic').write_bytes(b'')
    with pytest.raises(
        FileNotFoundError, match=r'format of .*a.heic is not supported'
    ):
        export_folder(plain(), tmp_path / 'in', tmp_path / 'out')


def test_one_image(frames, tmp_path):
    out = frames / 'one' / 'large'
    export_folder(plain(), frames / 'one' / 'f11.bmp', out)
    export_folder(plain(), frames / 'one' / 'f9.png', out)
    assert files_of(out) == ['f11.png', 'f9.png']
    with pytest.raises(ValueError, match='written to a folder'):
        export_folder(plain(), frames / 'one' / 'f9.png', tmp_path / 'a.png')


def test_refuses_twins(frames, tmp_path):
    (frames / 'one' / 'f9.jpg').write_bytes(b'')
    with pytest.raises(ValueError, match='would both become'):
        export_folder(plain(), frames, tmp_path / 'out')


def test_refuses_twins_of_two_calls(frames, tmp_path):
    out, one = tmp_path / 'out', frames / 'one' / 'f9.png'
    export_folder(plain(), one, out)
    before = (out / 'f9.png').read_bytes()
    other = one.with_suffix('.bmp')
    cv2.imwrite(str(other), np.zeros((16, 20, 3), np.uint8))
    for overwrite in (False, True):
        report = export_folder(plain(), other, out, overwrite=overwrite)
        assert report.failed == {
            str(other): f'{out / "f9.png"} is the result of {one}: rename '
            'one of the images, or choose another folder for the results'
        }
        assert (out / 'f9.png').read_bytes() == before
    # A changed version of its own image replaces it, as ever.
    replace(one, np.zeros((16, 20, 3), np.uint8), 5)
    assert export_folder(plain(), one, out).written == 1
    # Other settings, which remove what is there.
    report = export_folder(plain(3), other, out, overwrite=True)
    assert (report.written, report.failed) == (1, {})
    # The image of the result is gone.
    other.unlink()
    assert export_folder(plain(3), one, out).written == 1


def test_a_link_may_lead_to_another_image(frames, tmp_path):
    out, link = tmp_path / 'out', frames / 'latest.png'
    for name in ('f9.png', 'f10.png'):
        link.unlink(missing_ok=True)
        link.symlink_to(frames / 'one' / name)
        report = export_folder(plain(), link, out)
        assert (report.written, report.failed) == (1, {})
    # Two links to be distinguished are like two files.
    other = link.with_suffix('.bmp')
    other.symlink_to(frames / 'one' / 'f11.bmp')
    (reason,) = export_folder(plain(), other, out).failed.values()
    assert f'is the result of {link}:' in reason


def test_references_from_a_folder(frames, tmp_path):
    refs = tmp_path / 'refs'
    with pytest.raises(ValueError, match='must be given together'):
        export_folder(plain(), frames, tmp_path / 'out', refs=refs)
    resolver = SuperResolver(weights=NANO, reference='file')
    with pytest.raises(FileNotFoundError, match=f'no folder {refs}'):
        export_folder(resolver, frames, tmp_path / 'out', refs=refs)
    refs.mkdir()
    with pytest.raises(FileNotFoundError, match='the same folders and names'):
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
    monkeypatch.setattr(folder_job, '_PATIENCE', 0)
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
    with pytest.raises(ValueError, match='are not valid'):
        find_place({**torchrun, 'RANK': 'x'})


def test_device_is_tried_before_anything_is_written(frames, tmp_path):
    with pytest.raises(ValueError, match='device cow cannot be used'):
        export_folder(plain(), frames, tmp_path / 'out', device='cow')
    half = SuperResolver(weights=NANO, precision='fp16', backend='torch')
    with pytest.raises(ValueError, match='fp16'):
        export_folder(half, frames, tmp_path / 'out', device='cpu')
    assert not (tmp_path / 'out').exists()


def test_inputs_in_the_folder_of_the_results_are_kept(frames, tmp_path):
    out = tmp_path / 'out'
    export_folder(plain(), frames, out)
    before = {p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()}
    resolver = SuperResolver(weights=NANO, reference='file')
    link = tmp_path / 'link'
    link.symlink_to(out / 'one')
    cases = [
        (plain(), out / 'one/f9.png', None),
        (plain(), link / 'f9.png', None),
        (resolver, frames, out),
        (resolver, frames / 'one/f9.png', out / 'one/f9.png'),
    ]
    for own, source, refs in cases:
        with pytest.raises(ValueError, match='the folder of the results'):
            export_folder(own, source, out, refs, overwrite=True)
    assert before == {
        p: p.read_bytes() for p in tmp_path.rglob('*') if p.is_file()
    }


def test_recordings_among_images_are_named(frames, tmp_path):
    (frames / 'two/film.MP4').write_bytes(b'')
    report = export_folder(plain(), frames, tmp_path / 'out')
    assert report.written == 4
    ((name, reason),) = report.failed.items()
    assert name.endswith('film.MP4')
    assert reason.startswith('a recording; ')
    only = tmp_path / 'only'
    only.mkdir()
    (only / 'film.MP4').write_bytes(b'')
    with pytest.raises(FileNotFoundError, match=r'name it: .*film.MP4'):
        export_folder(plain(), only, tmp_path / 'out2')
