"""Each kind of tampering is told; what cannot be read stops nothing."""

import json
import os
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest
from evidence_cases import make_record, scene, write_frames
from PIL import Image

from mmdsr.cli.main import main
from mmdsr.evidence.digests import video_digest
from mmdsr.evidence.embedding import container_tags, png_texts
from mmdsr.evidence.options import EvidenceOptions
from mmdsr.evidence.record import from_json, to_json
from mmdsr.evidence.sidecar import read_sidecar
from mmdsr.evidence.verify import verify, verify_folder
from mmdsr.inference import SuperResolver, export_folder
from mmdsr.io.checksums import digest
from mmdsr.io.frames import read_rgb
from mmdsr.io.images import save_png, write_png


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Make frames and their results once; tests take a copy."""
    root = tmp_path_factory.mktemp('made')
    write_frames(root / 'in')
    write_png(root / 'in' / 'deep' / 'f9.png', scene(seed=9))
    resolver = SuperResolver(interpolation='bicubic', scale=2)
    options = EvidenceOptions(confidence=True, mark='enhanced')
    export_folder(resolver, root / 'in', root / 'out', evidence=options)
    return root


@pytest.fixture
def copy(made, tmp_path):
    for name in ('in', 'out'):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def call(*words):
    """Run the command: exit code, and what it printed."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(['verify', *map(str, words)])
    return code, out.getvalue(), err.getvalue()


def test_results_have_more_pixels_than_pictures_may(copy, monkeypatch):
    # As if the source had just under the limit.
    result, source = copy / 'out' / 'f1.png', copy / 'in' / 'f1.png'
    with Image.open(source) as image:
        small = image.width * image.height
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', small)
    assert verify(result, source).problems == []
    assert small == Image.MAX_IMAGE_PIXELS
    with pytest.raises(ValueError, match='million pixels: cut it into'):
        read_rgb(result)


def test_unchanged_results_are_as_recorded(copy):
    result, source = copy / 'out' / 'f1.png', copy / 'in'
    verdict = verify(result, source / 'f1.png')
    assert (verdict.problems, verdict.source_checked) == ([], True)
    assert verify(result, source).problems == []
    assert not verify(result).source_checked
    verdicts = list(verify_folder(copy / 'out', source))
    assert [v.name for v in verdicts] == [
        'deep/f9.png',
        'f0.png',
        'f1.png',
        'f2.png',
    ]
    assert all(v.problems == [] and v.source_checked for v in verdicts)
    code, out, _ = call(copy / 'out', '--source', source)
    assert code == 0
    assert '4 of 4 results are as recorded.' in out
    assert call(result, '--source', source)[0] == 0


def repaint(path, texts=None):
    """Change one byte of one pixel."""
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[5, 7, 1] ^= 1
    save_png(path, pixels, texts)


def change_pixel(out):
    record = read_sidecar(out / 'f1.png.json')
    repaint(out / 'f1.png', png_texts(record))


def change_pixel_and_side_car(out):
    """Give the side-car the new file's digest, and a fitting checksum."""
    change_pixel(out)
    record = read_sidecar(out / 'f1.png.json')
    output = replace(record.output, file_sha256=digest(out / 'f1.png'))
    (out / 'f1.png.json').write_text(to_json(replace(record, output=output)))


def strip(out):
    with Image.open(out / 'f1.png') as image:
        pixels = np.array(image)
    save_png(out / 'f1.png', pixels)


def edit(out, old='"enhanced"', new='null'):
    path = out / 'f1.png.json'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit_well(out):
    """Edit the side-car and fix its checksum."""
    edit(out)
    path = out / 'f1.png.json'
    record = from_json(path.read_text(), 'x', edited=True)
    path.write_text(to_json(record))


def edit_metadata(out):
    record = read_sidecar(out / 'f1.png.json')
    with Image.open(out / 'f1.png') as image:
        pixels = np.array(image)
    save_png(out / 'f1.png', pixels, png_texts(replace(record, mark=None)))


def swap(out):
    one, other = out / 'f1.png.json', out / 'f2.png.json'
    text = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(text)


def cut_short(out):
    path = out / 'f1.png'
    path.write_bytes(path.read_bytes()[:-100])


def rename(out):
    for end in ('.png', '.png.json', '.confidence.png'):
        (out / f'f1{end}').rename(out / f'g1{end}')


@pytest.mark.parametrize(
    ('tamper', 'said'),
    [
        (change_pixel, ['pixels were changed', 'file was changed']),
        (change_pixel_and_side_car, ['pixels were changed']),
        (
            strip,
            ['own metadata contain no readable record', 'file was changed'],
        ),
        (edit, ['f1.png.json was edited', 'mark is null there']),
        (edit_well, ['mark is null there and "enhanced" here']),
        (edit_metadata, ['mark is "enhanced" there and null', 'file was']),
        (swap, ['source.name is "f2.png" there', 'pixels', 'renamed', 'file']),
        (cut_short, ['cannot be read', 'file was changed']),
        (lambda out: (out / 'f1.png').unlink(), ['result is missing']),
        (lambda out: (out / 'f1.png').write_bytes(b''), ['empty file']),
        (lambda out: (out / 'f1.png.json').unlink(), ['json is missing']),
        (
            lambda out: (out / 'f1.png.json').write_bytes(b'[' * 9999),
            ['f1.png.json is not a record'],
        ),
        (
            lambda out: (out / 'f1.confidence.png').unlink(),
            ['confidence picture f1.confidence.png is missing'],
        ),
        (
            lambda out: repaint(out / 'f1.confidence.png'),
            ['confidence picture f1.confidence.png was changed'],
        ),
    ],
)
def test_tampering_is_detected(copy, tamper, said):
    out = copy / 'out'
    tamper(out)
    verdicts = {v.name: v for v in verify_folder(out)}
    problems = verdicts['f1.png'].problems
    assert len(problems) >= 1
    missing = all('missing' in text for text in said)
    state = 'incomplete' if missing else 'different'
    assert verdicts['f1.png'].state == state
    for text in said:
        assert any(text in problem for problem in problems), problems
    assert all(problem.isprintable() for problem in problems)
    # Nothing else is blamed.
    others = ['deep/f9.png', 'f0.png'] + ['f2.png'] * (tamper is not swap)
    assert all(not verdicts[name].problems for name in others)
    code, text, _ = call(out)
    assert code == 1
    bad = 2 if tamper is swap else 1
    summary = f'{4 - bad} of 4 results are as recorded ({bad} {state}).'
    assert summary in text


def test_values_of_a_changed_result_are_not_shown(copy):
    """Whoever edits a record must not see the edit in a table."""
    result = copy / 'out' / 'f1.png'
    _, before, _ = call(result)
    assert 'none' in before
    path = copy / 'out' / 'f1.png.json'
    record = read_sidecar(path)
    frame = replace(record.frames[0], seen=0.87)
    path.write_text(to_json(replace(record, frames=(frame,))))
    code, out, _ = call(result)
    assert code == 1
    assert '87' not in out.partition('DIFFERENT')[0]
    assert record.created not in out


def test_a_renamed_result(copy):
    rename(copy / 'out')
    verdict = verify(copy / 'out' / 'g1.png')
    assert verdict.problems == ['the result was renamed; it was "f1.png"']
    assert verdict.state == 'renamed'
    code, out, _ = call(copy / 'out' / 'g1.png')
    assert code == 1
    assert 'RENAMED' in out
    assert verdict.record.created[:4] in out


def test_a_result_that_was_renamed_without_its_side_car(copy):
    out = copy / 'out'
    (out / 'f1.png').rename(out / 'g1.png')
    problems = verify(out / 'g1.png').problems
    assert 'or the result back to "f1.png"' in problems[0]
    assert verify(out / 'g1.png').state == 'incomplete'


@pytest.mark.parametrize('end', ['.confidence.png', '.png.json'])
def test_a_file_beside_a_result(copy, end):
    code, _, err = call(copy / 'out' / f'f1{end}')
    assert code == 2
    assert f'of {copy / "out" / "f1.png"}: check' in err


def test_sources(copy):
    result, source = copy / 'out' / 'f1.png', copy / 'in'
    (problem,) = verify(result, source / 'f2.png').problems
    assert 'the source is a different file' in problem
    path = source / 'f1.png'
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    (problem,) = verify(result, source).problems
    assert 'the source is a different file' in problem
    path.unlink()
    (problem,) = verify(result, source).problems
    assert 'there is no source "f1.png"' in problem
    code, out, _ = call(copy / 'out', '--source', source)
    assert code == 1
    assert '3 of 4' in out
    code, _, err = call(copy / 'out', '--source', copy / 'none')
    assert code == 2
    assert 'There is no source' in err


def test_nothing_to_check(copy, tmp_path):
    out = copy / 'out'
    strip(out)
    (out / 'f1.png.json').unlink()
    text = tmp_path / 'a.png'
    text.write_text('no image')
    empty = tmp_path / 'empty'
    empty.mkdir()
    for place in (out / 'f1.png', tmp_path / 'none.png', empty, text):
        code, printed, err = call(place)
        assert (code, printed) == (2, '')
        assert err.startswith('Error: ')
        assert err.count('\n') == 1
    # Among others it is one that differs.
    (out / 'f7.png').symlink_to('nowhere.png')
    verdicts = {v.name: v for v in verify_folder(out)}
    assert verdicts['f1.png'].state == 'no record'
    assert verdicts['f7.png'].problems == ['not a regular file']
    assert not verdicts['f2.png'].problems
    assert call(out)[0] == 1


def test_without_a_side_car(copy, tmp_path):
    resolver = SuperResolver(interpolation='nearest', scale=2)
    options = EvidenceOptions(sidecar=False)
    out = tmp_path / 'bare'
    export_folder(resolver, copy / 'in', out, evidence=options)
    verdict = verify(out / 'f1.png')
    # It is missing as was asked, and the pixels are checked all the same.
    assert verdict.problems == []
    assert verdict.record.settings['interpolation'] == 'nearest'
    # One that turns up is somebody else's.
    shutil.copy(copy / 'out' / 'f1.png.json', out)
    assert any(
        'side-car and metadata differ' in p
        for p in verify(out / 'f1.png').problems
    )
    (out / 'f1.png.json').unlink()
    repaint(out / 'f1.png', png_texts(verdict.record))
    assert 'the pixels were changed' in verify(out / 'f1.png').problems


def test_hostile_texts_do_not_reach_the_terminal(copy):
    path = copy / 'out' / 'f1.png.json'
    record = read_sidecar(path)
    evil = replace(record, mark='\x1b[2J[red]x[/red]\n')
    path.write_text(to_json(evil))
    code, out, err = call(copy / 'out')
    assert code == 1
    assert '\x1b[2J' not in out + err
    # Escaped, not obeyed.
    assert '[red]x' in ''.join(out.split()) or '\\u001b' in out


@pytest.mark.parametrize('seed', range(60))
def test_damaged_files_never_pass(copy, seed):
    rng = np.random.default_rng(seed)
    name = ('f1.png', 'f1.png.json', 'f1.confidence.png')[seed % 3]
    path = copy / 'out' / name
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, len(data), 1 + seed % 4):
        data[place] ^= int(rng.integers(1, 256))
    path.write_bytes(data)
    problems = verify(copy / 'out' / 'f1.png').problems
    assert problems
    assert all(text.isprintable() and len(text) < 400 for text in problems)


def test_videos(tmp_path):
    av = pytest.importorskip('av')
    path, source = tmp_path / 'a.mkv', tmp_path / 'in.mp4'
    source.write_bytes(b'a recording')
    record = make_record('video', 'a.mkv')
    record = replace(
        record,
        source=replace(record.source, name='in.mp4', sha256=digest(source)),
        output=replace(record.output, width=64, height=48),
    )

    def write(record, brighter=0):
        with av.open(str(path), 'w') as container:
            container.metadata.update(container_tags(record))
            stream = container.add_stream('ffv1', 25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = 'bgr0'
            for number in range(4):
                image = scene(seed=number) // 2
                image[0, 0] += brighter
                frame = av.VideoFrame.from_ndarray(image, 'rgb24')
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    write(record)
    output = replace(
        record.output,
        pixels_sha256=video_digest(path)[0],
        file_sha256=digest(path),
    )
    sidecar = tmp_path / 'a.mkv.json'
    sidecar.write_text(to_json(replace(record, output=output)))
    assert verify(path, tmp_path).problems == []
    assert [v.name for v in verify_folder(tmp_path) if not v.problems] == [
        'a.mkv'
    ]
    write(record, brighter=1)
    problems = verify(path).problems
    assert 'the pixels were changed' in problems
    assert len(problems) == 2
    write(replace(record, mark=None))
    assert 'mark is "enhanced" there' in verify(path).problems[0]
    path.write_bytes(path.read_bytes()[:3000])
    assert any('cannot be read' in text for text in verify(path).problems)


def test_the_options_of_enhance(made, tmp_path):
    out, err = tmp_path / 'out', StringIO()
    words = ['enhance', made / 'in', out, '--interpolation', 'nearest']
    options = ['--mark', '--confidence', '--no-sidecar']
    with redirect_stderr(err):
        assert main([str(word) for word in words + options]) == 0
    record = verify(out / 'f0.png').record
    assert record.mark == 'enhanced'
    assert record.output.confidence
    assert not list(out.rglob('*.png.json'))
    assert json.loads((out / 'manifest.json').read_text())['generator']['mark']
    with redirect_stderr(err):
        assert main([str(word) for word in words]) == 2
    assert "mark was 'enhanced', is None" in ' '.join(err.getvalue().split())
    with redirect_stderr(err), pytest.raises(SystemExit) as stopped:
        main([*map(str, words), '--confidence=yes'])
    assert stopped.value.code == 2


@pytest.mark.skipif(os.name == 'nt', reason='names are text there')
def test_a_source_whose_name_is_no_text(tmp_path):
    folder, out = tmp_path / 'in', tmp_path / 'out'
    folder.mkdir()
    name = os.fsdecode(b'r\xf6hre.png')
    write_png(folder / name, scene())
    export_folder(SuperResolver(interpolation='bicubic'), folder, out)
    assert call(out, '--source', folder)[0] == 0
    (folder / name).unlink()
    assert call(out, '--source', folder)[0] == 1


def test_names_are_shown_as_they_are(tmp_path):
    write_png(tmp_path / 'in/a:warning:.png', scene())
    resolver = SuperResolver(interpolation='bicubic')
    export_folder(resolver, tmp_path / 'in', tmp_path / 'out')
    assert 'a:warning:.png' in call(tmp_path / 'out')[1]
