"""What a film says of how it was made."""

import json

import pytest
from recording_cases import bicubic, frames, record, show

from mmdsr import SuperResolver
from mmdsr.dev.views import drive, texture
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.sidecar import read_sidecar, sidecar_path
from mmdsr.evidence.verify import verify
from mmdsr.recording import assemble
from mmdsr.recording.export import enhance_recording
from mmdsr.recording.options import RecordingOptions
from mmdsr.recording.ownership import report_path

SMALL = RecordingOptions(text='none', scale=1, segment=4)


@pytest.fixture(scope='module')
def nano():
    return SuperResolver(weights='dsrnet_x_nano')


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv'])
def test_a_film_is_verified_against_its_source(tmp_path, nano, suffix):
    pictures = drive(texture(), 9, 1.02, size=(96, 80))
    source = record(tmp_path / 'in.mp4', pictures)
    target = tmp_path / f'out{suffix}'
    enhance_recording(nano, source, target, SMALL, 'cpu')
    verdict = verify(target, source)
    assert verdict.problems == []
    assert verdict.source_checked
    made = verdict.record
    assert made.weights.name.startswith('dsrnet_x_nano')
    assert made.output.kind == 'video'
    assert made.settings['recording.scale'] == 1
    assert made.settings['recording.reference'] == 'auto'
    # The resolver's own policy is not that of the recording.
    assert 'reference' not in made.settings
    assert made.settings['without_reference'] == 'upscaled'
    assert [one.index for one in made.frames] == list(range(9))
    assert made.frames[3].time == pytest.approx(0.12)
    assert made.frames[0].reference.name == 'frame 6'
    assert 0 < made.frames[0].confidence < 1
    report = json.loads(report_path(target).read_text())
    assert [one['frame'] for one in report['frames'][0]['references']] == [6]
    kept = sidecar_path(target).rename(tmp_path / 'kept.json')
    alone = verify(target, source)
    assert alone.state == 'incomplete'
    assert 'is missing, and the pixels cannot be checked' in alone.problems[0]
    kept.rename(sidecar_path(target))
    data = bytearray(target.read_bytes())
    data[len(data) // 2] ^= 1
    target.write_bytes(data)
    assert verify(target).state == 'different'
    record(source, pictures[:5])
    assert any(
        'source is a different' in p for p in verify(target, source).problems
    )


def test_sound_that_ends_early_is_no_difference(tmp_path, monkeypatch):
    def ask(task, request):
        done = asked(task, request)
        return {**done, 'notes': ['the sound ends at 0.1 s: damaged']}

    asked = assemble.ask
    monkeypatch.setattr(assemble, 'ask', ask)
    source = record(tmp_path / 'in.mp4', frames(4, (96, 80)), sound=True)
    target = tmp_path / 'out.mkv'
    report = enhance_recording(bicubic(), source, target, SMALL, 'cpu')
    assert 'sound ends at 0.1 s' in report.notes[-1]
    assert verify(target, source).problems == []


def test_without_a_side_car_and_with_a_mark(tmp_path):
    source = record(tmp_path / 'in.mp4', frames(4, (96, 80)))
    plain, marked = tmp_path / 'plain.mkv', tmp_path / 'marked.mkv'
    options = EvidenceOptions(sidecar=False)
    enhance_recording(bicubic(), source, plain, SMALL, 'cpu', evidence=options)
    assert not sidecar_path(plain).exists()
    bare = verify(plain)
    assert bare.state == 'incomplete'
    assert 'made with --no-sidecar' in bare.problems[0]
    options = EvidenceOptions(mark='enhanced')
    enhance_recording(
        bicubic(), source, marked, SMALL, 'cpu', evidence=options
    )
    assert read_sidecar(sidecar_path(marked)).mark == 'enhanced'
    for one, other in zip(
        show(plain).pictures, show(marked).pictures, strict=True
    ):
        assert (one[:40] == other[:40]).all()
        assert (one[-8:, -8:] != other[-8:, -8:]).any()
    with pytest.raises(FileExistsError, match='mark was None'):
        enhance_recording(
            bicubic(), source, plain, SMALL, 'cpu', evidence=options
        )
