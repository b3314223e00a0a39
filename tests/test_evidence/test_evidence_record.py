"""Records: what is written is read, and nothing else is."""

import json
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from types import SimpleNamespace

import numpy as np
import pytest
from evidence_cases import make_record, scene
from tool_runs import environment

from mmdsr.errors import EditedRecordError, EvidenceError
from mmdsr.evidence.collect import describe_frame, now, versions
from mmdsr.evidence.digests import pixels_digest, video_digest
from mmdsr.evidence.embedding import (
    KEY,
    container_tags,
    png_texts,
    read_png,
    read_tags,
)
from mmdsr.evidence.record import (
    Reference,
    differences,
    embedded,
    from_json,
    to_json,
)
from mmdsr.evidence.sidecar import overlay_path, read_sidecar, sidecar_path
from mmdsr.io.images import save_png


def test_round_trip():
    record = make_record()
    text = to_json(record)
    assert text.isascii()
    assert from_json(text, 'x') == record
    assert from_json(text.encode(), 'x') == record


def test_the_same_record_is_the_same_text():
    record = make_record()
    turned = replace(
        record,
        settings=dict(reversed(record.settings.items())),
        versions=dict(reversed(record.versions.items())),
    )
    assert to_json(turned) == to_json(record)
    keys = list(json.loads(to_json(record)))
    assert keys[:2] == ['format', 'version']
    assert keys[-1] == 'checksum'


def test_edited_record_is_detected():
    text = to_json(make_record())
    edited = text.replace('0.625', '0.925')
    assert edited != text
    with pytest.raises(EditedRecordError, match='x was edited'):
        from_json(edited, 'x')
    record = from_json(edited, 'x', edited=True)
    assert record.frames[0].seen == 0.925
    assert differences(make_record(), record) == [
        'frames.0.seen is 0.625 there and 0.925 here'
    ]


def changed(**fields):
    content = json.loads(to_json(make_record()))
    for key, value in fields.items():
        place, last = content, key.split('__')
        for step in last[:-1]:
            place = place[step]
        place[last[-1]] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        (b'', 'not a record'),
        (b'\xff\xfe\x00', 'not a record'),
        ('[]', 'not a record'),
        ('{"format": "mmdsr-refsr"}', 'not a record'),
        ('{"format": "mmdsr-evidence", "version": 2}', 'version 2'),
        ('{"format": "mmdsr-evidence", "version": 1}', 'not a record'),
        ('[' * 200_000, 'not a record'),
        ('1' * 10_000, 'not a record'),
        ('{"a": 1, "a": 2}', 'a key occurs twice'),
        (changed(source__name='../a'), 'source.name'),
        (changed(source__name='..'), 'source.name'),
        (changed(source__name='/'), 'source.name'),
        (changed(source__sha256='A' * 64), 'source.sha256'),
        (changed(created='yesterday'), 'created'),
        (changed(extra=1), 'extra'),
        (changed(output__width='32'), 'output.width'),
        (changed(output__width=-1), 'output.width'),
        (changed(settings={'a': [1]}), 'settings.a'),
        (changed(mark='x\x1b[2J' * 2000), 'mark'),
        (changed(frames=[{}]), 'frames.0'),
        (changed().replace('0.31', '1.5'), 'frames.0.confidence'),
        (changed().replace('0.31', 'NaN'), 'NaN is not a number'),
        (changed(**{'evil\x1b[2J\n': 1}), 'not a record'),
    ],
)
def test_other_files_are_refused_in_one_line(text, reason):
    with pytest.raises(EvidenceError, match=reason) as caught:
        from_json(text, 'x.json')
    said = str(caught.value)
    assert said.startswith('x.json')
    assert said.isprintable()
    assert len(said) < 300


def test_wrong_values_are_not_written():
    source = replace(make_record().source, sha256='?')
    record = make_record(source=source)
    with pytest.raises(EvidenceError, match=r'source\.sha256'):
        to_json(record)


@pytest.mark.parametrize('channels', [3, 4])
def test_a_png_holds_its_record(tmp_path, channels):
    record = make_record()
    image = np.random.default_rng(0).integers(
        0, 256, (24, 32, channels), np.uint8
    )
    path = tmp_path / 'a.png'
    save_png(path, image, png_texts(record))
    pixels, texts = read_png(path)
    np.testing.assert_array_equal(pixels, image)
    assert read_tags(texts, 'a.png') == embedded(record)
    assert embedded(record).output.file_sha256 is None
    assert embedded(record).frames == record.frames
    # Of an image without a record, none is read.
    save_png(path, image)
    assert read_tags(read_png(path)[1], 'a.png') is None
    with pytest.raises(EvidenceError, match=r'The record in a\.png'):
        read_tags({KEY: 'x'}, 'a.png')


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_a_video_holds_its_record(tmp_path, suffix):
    av = pytest.importorskip('av')
    from mmdsr.video.reader import probe

    record = make_record('video', f'a{suffix}')
    path = tmp_path / f'a{suffix}'
    options = {'movflags': 'use_metadata_tags'} if suffix == '.mp4' else {}

    def write(brighter):
        with av.open(str(path), 'w', options=options) as container:
            container.metadata.update(container_tags(record))
            stream = container.add_stream('mpeg4', 25)
            stream.width, stream.height = 64, 48
            for number in range(4):
                image = scene(seed=number) // 2
                if number == 3:
                    image += brighter
                frame = av.VideoFrame.from_ndarray(image, 'rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    write(0)
    tags = probe(path, sar='keep').tags
    assert read_tags(tags, path.name) == embedded(record)
    assert embedded(record).frames == ()
    one = video_digest(path)
    assert one == video_digest(path)
    assert one[1] == 4
    write(9)
    assert video_digest(path) != one


def test_digests_of_pixels():
    image = scene()
    one = pixels_digest(image)
    assert one == pixels_digest(np.asfortranarray(image))
    assert one == pixels_digest(image[:, ::-1][:, ::-1])
    other = image.copy()
    other[-1, -1, -1] ^= 1
    assert pixels_digest(other) != one
    # The same bytes in another shape are another picture.
    assert pixels_digest(image.reshape(64, 48, 3)) != one
    with pytest.raises(ValueError, match='of uint8'):
        pixels_digest(image.astype(float))


def test_a_frame_is_summed_up():
    reference = Reference('b.png', None, '')
    confidence = np.zeros((4, 4), np.float32)
    confidence[0] = 0.4
    frame = describe_frame(reference, confidence, 'share', 32)
    assert (frame.confidence, frame.seen, frame.tile) == (0.1, 0.25, 32)
    # A match score does not tell what was seen.
    assert describe_frame(reference, confidence, 'score').seen is None
    none = describe_frame(reference, None, 'share')
    assert (none.confidence, none.seen) == (None, 0.0)


def test_versions_and_time():
    pytest.importorskip('av')
    import torch

    found = versions(video=True)
    assert set(found) == {'mmdsr', 'opencv', 'pillow', 'torch', 'av'}
    assert torch.__version__.startswith(found['torch'])
    assert 'av' not in versions()
    pytest.importorskip('openvino')
    found = versions('openvino')
    assert set(found) == {'mmdsr', 'opencv', 'pillow', 'torch', 'openvino'}
    assert found['openvino'][0].isdigit()
    from_json(to_json(make_record(created=now(), versions=found)), 'x')


def test_versions_of_other_distributions(monkeypatch):
    import PIL

    def find(name):
        if name in ('Pillow', 'onnxruntime'):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    # As after installing onnxruntime-gpu and pillow-simd.
    version = metadata.version
    monkeypatch.setattr(metadata, 'version', find)
    runtime = SimpleNamespace(__version__='1.23.0')
    monkeypatch.setitem(sys.modules, 'onnxruntime', runtime)
    found = versions('onnxruntime')
    assert found['onnxruntime'] == '1.23.0'
    assert found['pillow'] == PIL.__version__


def test_names_beside_a_result(tmp_path):
    assert sidecar_path(tmp_path / 'a.b.png').name == 'a.b.png.json'
    assert overlay_path(tmp_path / 'a.b.png').name == 'a.b.confidence.png'
    with pytest.raises(FileNotFoundError):
        read_sidecar(tmp_path / 'a.json')
    with pytest.raises(EvidenceError, match='not a file'):
        read_sidecar(tmp_path)


def test_no_torch_is_needed():
    code = (
        'import sys, mmdsr.evidence.verify, mmdsr.evidence.overlay, '
        'mmdsr.evidence.collect, mmdsr.cli.verify; '
        'print("torch" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == 'False'
