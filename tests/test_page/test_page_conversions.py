"""What is kept of files that hold more than one opaque picture."""

import io

import numpy as np
import pytest
from page_cases import ADDRESS, OWN, encoded, pixels, sent
from PIL import Image
from starlette.testclient import TestClient

from mmdsr import SuperResolver
from mmdsr.evidence.sidecar import read_sidecar
from mmdsr.evidence.verify import verify
from mmdsr.io.checksums import digest
from mmdsr.page.app import make_app
from mmdsr.page.enhance import Given, Request, enhance


def pages(count=3):
    """Return a TIFF file of several pictures."""
    first, *others = (Image.fromarray(pixels(seed=n)) for n in range(count))
    file = io.BytesIO()
    first.save(file, 'TIFF', save_all=True, append_images=others)
    return file.getvalue()


def glass():
    """Return a picture that is transparent on the left, (48, 64, 4)."""
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, :24] = 0
    return np.dstack([pixels(), alpha])


def given(path, content, note=''):
    path.write_bytes(content)
    return Given(path, path.name, digest(path), note)


def enlarged(source, target, box=(0, 0, 64, 48), reference='none', **changes):
    fields = {
        'frame': None,
        'weights': 'bicubic',
        'shows': 'picture',
        'mark': False,
        **changes,
    }
    request = Request(
        source, box=box, reference=reference, target=target, **fields
    )
    outcome = enhance(request, lambda *_: None)
    return outcome, target / outcome['name']


def test_the_visitor_learns_of_left_out_pictures(tmp_path):
    app = make_app(tmp_path)
    client = TestClient(app, base_url=ADDRESS)
    client.headers.update(OWN)
    client.get('/')
    assert sent(client, pages(), 'a.tif')['note'] == 'the first of 3 pictures'
    assert sent(client)['note'] == ''
    app.state.page.close()


@pytest.mark.parametrize('note', ['', 'P to RGB'])
@pytest.mark.parametrize('mark', [False, True])
def test_transparency_is_kept(tmp_path, note, mark):
    source = given(tmp_path / 'glass.png', encoded(glass()), note)
    outcome, result = enlarged(
        source, tmp_path / 'out', (16, 0, 48, 48), mark=mark
    )
    wanted = 'transparency enlarged bicubically'
    wanted = f'{note}, {wanted}' if note else wanted
    assert outcome['note'] == wanted
    record = read_sidecar(result.with_name(f'{result.name}.json'))
    assert record.source.converted == wanted
    image = np.asarray(Image.open(result))
    assert image.shape == (192, 192, 4)
    assert (image[:100, :24, 3] == 0).all()
    assert (image[:100, 40:, 3] == 255).all()
    assert verify(result, source.path).problems == []


def test_an_opaque_picture_stays_so(tmp_path):
    source = given(tmp_path / 'pipe.tif', pages(), 'the first of 3 pictures')
    outcome, result = enlarged(source, tmp_path / 'out')
    assert outcome['note'] == 'the first of 3 pictures'
    np.testing.assert_array_equal(
        np.asarray(Image.open(result)),
        SuperResolver(interpolation='bicubic').enhance(pixels()),
    )


def test_the_record_says_what_was_left_of_a_reference(tmp_path):
    source = given(tmp_path / 'pipe.png', encoded(pixels()))
    for name, content, said in (
        ('a.tif', pages(2), ', the first of 2 pictures'),
        ('b.png', encoded(glass()), ', transparency dropped'),
        ('c.png', encoded(pixels()), ''),
    ):
        reference = given(tmp_path / name, content)
        outcome, result = enlarged(
            source,
            tmp_path / f'out_{name}',
            reference=reference,
            weights='dsrnet_x_nano',
        )
        assert outcome['reference']['why'] == f'the uploaded picture{said}'
        record = read_sidecar(result.with_name(f'{result.name}.json'))
        assert record.frames[0].reference.why == outcome['reference']['why']
