"""Results come with their evidence, whole, and stay so when resumed."""

import cv2
import numpy as np
import pytest
import torch
from evidence_cases import scene, write_frames
from forks import kill_at_rename
from PIL import Image

from mmdsr.errors import EvidenceError
from mmdsr.evidence import writing
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.record import SEEN
from mmdsr.evidence.sidecar import read_sidecar
from mmdsr.inference import SuperResolver, export_folder
from mmdsr.inference.enlarging import enlarge
from mmdsr.inference.pairs import ImagePair, Settings
from mmdsr.io.checksums import digest
from mmdsr.io.images import downscale, write_png
from mmdsr.models.networks.refsr_net import DSROutput
from mmdsr.weights.index import read_index

NANO, STUDENT = 'dsrnet_x_nano', 'dsrnet_student'
ALL = EvidenceOptions(confidence=True)


@pytest.fixture(scope='module')
def neighbor():
    return SuperResolver(weights=NANO, reference='neighbor')


def plain():
    return SuperResolver(interpolation='nearest', scale=2)


def files_of(root):
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob('*')
        if path.is_file() and not path.name.startswith('manifest.')
    )


class Echo(torch.nn.Module):
    """Enlarges by repetition; its confidence is the red of LR."""

    scale, lr_multiple, searches_from_center = 4, 1, True

    def feature_channels(self):
        return [8] * 3, None

    def forward(self, lr, ref):
        return lr.repeat_interleave(4, -1).repeat_interleave(4, -2)

    def explain(self, lr, ref):
        sr = self(lr, ref)
        return DSROutput(sr, None, None, lr[:, :1] * 2 - 0.5, (), None)


@pytest.mark.parametrize('tile', [None, 32])
@pytest.mark.parametrize('size', [(70, 90), (9, 40)])
def test_tiles_of_a_confidence_are_joined(tile, size):
    image = torch.from_numpy(scene(*size)).permute(2, 0, 1)
    reference = image.repeat_interleave(4, -1).repeat_interleave(4, -2)
    pairs = [ImagePair(image, reference), ImagePair(image, 'none')]
    settings = Settings(4, 1, tile, 8, None, 'fp32', True, explain=True)
    shown, alone = enlarge(Echo(), pairs, settings)
    # Red is the last channel of BGR; what is beyond 0..1 is cut off.
    expected = (image[2].float() / 255 * 2 - 0.5).clamp(0, 1).numpy()
    assert shown.confidence.shape == size
    np.testing.assert_allclose(shown.confidence, expected, atol=1 / 255)
    assert torch.equal(shown.pixels, reference)
    assert shown.tile == (tile if max(size) > 32 else None)
    # What is no reference shows nothing.
    assert alone.confidence is None
    assert torch.equal(alone.pixels, reference)


@pytest.mark.parametrize('weights', [NANO, STUDENT])
def test_explaining_changes_no_pixel(weights):
    resolver = SuperResolver(weights=weights)
    lr, reference = scene(24, 32), scene(96, 128, 1)
    found = resolver.explain(lr, reference, device='cpu')
    assert found.confidence.shape == (24, 32)
    assert found.tile is None
    assert found.confidence.dtype == np.float32
    bgr = torch.from_numpy(lr[..., ::-1].copy()).permute(2, 0, 1)
    ref = torch.from_numpy(reference[..., ::-1].copy()).permute(2, 0, 1)
    network = resolver._network.module
    with torch.no_grad():
        sr = network(*(x.flip(0)[None].float() / 255 for x in (bgr, ref)))
    sr = (sr[0] * 255).clamp(0, 255).round().byte().permute(1, 2, 0)
    # Another order of the sums may round one value in thousands differently.
    difference = abs(found.image.astype(int) - sr.numpy())
    assert difference.max() <= 1
    assert difference.mean() < 1e-3
    again = resolver.enhance(lr, reference, device='cpu')
    np.testing.assert_array_equal(found.image, np.asarray(again))
    alone = resolver.explain(lr, device='cpu')
    assert alone.confidence is None
    (pixels,) = resolver.pixels([bgr])
    np.testing.assert_array_equal(alone.image, pixels.flip(0).permute(1, 2, 0))


def test_confidence_is_low_for_a_wrong_reference():
    resolver = SuperResolver(weights=NANO)
    hr, other = (
        cv2.GaussianBlur(scene(192, 256, seed), (0, 0), 3) for seed in (0, 5)
    )
    lr = downscale(hr)
    good = resolver.explain(lr, hr).confidence.mean()
    wrong = resolver.explain(lr, other).confidence.mean()
    assert good > SEEN > 5 * wrong


def test_side_car_records_the_settings(neighbor, tmp_path):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    export_folder(neighbor, source, out, evidence=ALL)
    assert files_of(out) == sorted(
        f'f{n}{end}'
        for n in range(3)
        for end in ('.png', '.png.json', '.confidence.png')
    )
    record = read_sidecar(out / 'f1.png.json')
    assert record.source.name == 'f1.png'
    assert record.source.sha256 == digest(source / 'f1.png')
    entry = read_index()[NANO]
    assert record.weights.name == entry['file']
    assert record.weights.sha256 == entry['sha256']
    assert record.settings['network'] == 'DSRNetX'
    assert record.settings['confidence'] == 'share'
    assert record.settings['device'] == 'cpu' or torch.cuda.is_available()
    assert record.output.file_sha256 == digest(out / 'f1.png')
    assert (record.output.width, record.output.height) == (256, 192)
    assert record.output.confidence.sha256 == digest(out / 'f1.confidence.png')
    (frame,) = record.frames
    assert frame.reference.name == 'f0.png'
    assert frame.reference.sha256 == digest(source / 'f0.png')
    found = neighbor.explain(source / 'f1.png')
    assert frame.confidence == round(float(found.confidence.mean()), 4)
    assert 0 < frame.confidence < 1
    assert 0 <= frame.seen <= 1
    # No folder of this machine is told.
    text = (out / 'f1.png.json').read_text()
    assert str(tmp_path) not in text
    assert 'home' not in text


def test_other_networks_and_none(tmp_path):
    source = write_frames(tmp_path / 'in', 1)
    student = SuperResolver(weights=STUDENT)
    export_folder(student, source, tmp_path / 'a', evidence=ALL)
    record = read_sidecar(tmp_path / 'a' / 'f0.png.json')
    assert record.settings['confidence'] == 'score'
    assert record.settings['seen_from'] is None
    (frame,) = record.frames
    assert (frame.confidence, frame.seen) == (None, 0)
    assert frame.reference.name is None
    assert 'requested' in frame.reference.why

    write_png(tmp_path / 'refs' / 'f0.png', scene(192, 256, 3))
    files = SuperResolver(weights=STUDENT, reference='file')
    refs = tmp_path / 'refs'
    export_folder(files, source, tmp_path / 'b', refs, evidence=ALL)
    (frame,) = read_sidecar(tmp_path / 'b' / 'f0.png.json').frames
    assert frame.seen is None
    assert 0 < frame.confidence <= 1

    export_folder(plain(), source, tmp_path / 'c', evidence=ALL)
    record = read_sidecar(tmp_path / 'c' / 'f0.png.json')
    assert record.weights is None
    assert record.settings['scale'] == 2
    assert 'interpolation' in record.frames[0].reference.why


def test_a_checkpoint_of_the_user_is_hashed(tmp_path):
    from mmdsr.weights import weight_path

    path = tmp_path / 'mine.safetensors'
    path.write_bytes(weight_path(NANO).read_bytes())
    source = write_frames(tmp_path / 'in', 1)
    export_folder(SuperResolver(weights=path), source, tmp_path / 'out')
    weights = read_sidecar(tmp_path / 'out' / 'f0.png.json').weights
    assert (weights.name, weights.sha256) == (path.name, digest(path))


def test_tiles_are_recorded(tmp_path):
    source = write_frames(tmp_path / 'in', 2)
    resolver = SuperResolver(weights=NANO, reference='neighbor', tile=32)
    export_folder(resolver, source, tmp_path / 'out')
    record = read_sidecar(tmp_path / 'out' / 'f1.png.json')
    assert record.frames[0].tile == 32
    assert record.settings['tile'] == 32


def test_mark_is_drawn_and_recorded(tmp_path):
    source, out = write_frames(tmp_path / 'in', 1), tmp_path / 'out'
    resolver = SuperResolver(interpolation='nearest', scale=4)
    export_folder(resolver, source, tmp_path / 'bare')
    marked = EvidenceOptions(mark='enhanced')
    export_folder(resolver, source, out, evidence=marked)
    assert read_sidecar(out / 'f0.png.json').mark == 'enhanced'
    one, other = (
        np.asarray(Image.open(folder / 'f0.png')).astype(int)
        for folder in (out, tmp_path / 'bare')
    )
    rows, columns = np.nonzero((one != other).any(2))
    assert rows.min() > 160
    assert columns.min() > 150
    # Other pixels are other settings.
    with pytest.raises(FileExistsError, match="mark was 'enhanced', is None"):
        export_folder(resolver, source, out)


def test_image_too_small_for_the_mark_is_refused(tmp_path):
    source, out = tmp_path / 'in', tmp_path / 'out'
    write_png(source / 'a.png', scene(8, 8))
    marked = EvidenceOptions(mark='enhanced', confidence=True)
    report = export_folder(plain(), source, out, evidence=marked)
    (reason,) = report.failed.values()
    assert 'too few for the mark' in reason
    assert files_of(out) == []


def test_resuming_makes_missing_files(tmp_path):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    export_folder(plain(), source, out)
    assert export_folder(plain(), source, out).kept == 3
    (out / 'f1.png.json').unlink()
    report = export_folder(plain(), source, out)
    assert (report.written, report.kept) == (1, 2)
    # Asked for later.
    report = export_folder(plain(), source, out, evidence=ALL)
    assert (report.written, report.kept) == (3, 0)
    (out / 'f2.confidence.png').unlink()
    report = export_folder(plain(), source, out, evidence=ALL)
    assert (report.written, report.kept) == (1, 2)
    assert len(files_of(out)) == 9
    # Not asked for any more: what is there is still true.
    assert export_folder(plain(), source, out).kept == 3
    assert len(files_of(out)) == 9


def test_stale_files_are_removed_with_a_new_result(tmp_path):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    export_folder(plain(), source, out, evidence=ALL)
    write_png(source / 'f1.png', scene(seed=9))
    bare = EvidenceOptions(sidecar=False)
    report = export_folder(plain(), source, out, evidence=bare)
    assert (report.written, report.kept) == (1, 2)
    beside = {name for name in files_of(out) if name.startswith('f1')}
    assert beside == {'f1.png'}
    export_folder(plain(), source, out, evidence=ALL)
    record = read_sidecar(out / 'f1.png.json')
    assert record.source.sha256 == digest(source / 'f1.png')


def test_overwriting_drops_all_that_belongs_to_a_result(tmp_path):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    export_folder(plain(), source, out, evidence=ALL)
    (source / 'f1.png').unlink()
    other = SuperResolver(interpolation='bicubic', scale=2)
    export_folder(other, source, out, overwrite=True)
    assert files_of(out) == [
        'f0.png',
        'f0.png.json',
        'f2.png',
        'f2.png.json',
    ]


@pytest.mark.parametrize('name', ['f1.png.json', 'f1.confidence.png'])
def test_files_of_others_beside_a_result_are_left_alone(tmp_path, name):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    export_folder(plain(), source, out, evidence=ALL)
    (out / name).write_bytes(b'mine')
    for _ in range(2):
        report = export_folder(plain(), source, out, evidence=ALL)
        (reason,) = report.failed.values()
        assert 'was not written by this tool' in reason
        assert name in reason
        assert (out / name).read_bytes() == b'mine'
        assert report.kept == 2
        # Nor is it taken where there is no result yet.
        (out / 'f1.png').unlink(missing_ok=True)


def test_an_image_named_as_a_confidence_picture(tmp_path):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    write_png(source / 'f1.confidence.png', scene())
    with pytest.raises(ValueError, match='rename one of the images'):
        export_folder(plain(), source, out, evidence=ALL)
    assert not out.exists()
    assert export_folder(plain(), source, out).written == 4


def export(source, out):
    export_folder(plain(), source, out, evidence=ALL)


@pytest.mark.slow
@pytest.mark.parametrize('after', [0, 1, 2])
def test_killed_between_the_files_of_a_result(tmp_path, after):
    source, out = write_frames(tmp_path / 'in'), tmp_path / 'out'
    kill_at_rename(after, 'f1', export, source, out)
    # Where the result is, all that belongs to it is.
    assert not (out / 'f1.png').exists()
    assert len(files_of(out / '.')) >= 3
    report = export_folder(plain(), source, out, evidence=ALL)
    assert (report.written, report.kept, report.failed) == (2, 1, {})
    assert len(files_of(out)) == 9
    record = read_sidecar(out / 'f1.png.json')
    assert record.output.file_sha256 == digest(out / 'f1.png')


def test_a_record_that_cannot_be_made_leaves_no_result(tmp_path, monkeypatch):
    source, out = write_frames(tmp_path / 'in', 1), tmp_path / 'out'
    text = writing.to_json

    def fail(record):
        text(record)
        raise EvidenceError('no')

    monkeypatch.setattr(writing, 'to_json', fail)
    report = export_folder(plain(), source, out, evidence=ALL)
    assert list(report.failed.values()) == ['not written: no']
    assert files_of(out) == []
