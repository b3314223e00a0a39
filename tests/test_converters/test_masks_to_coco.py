import json
from functools import partial

import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.converters.masks_to_coco import components, masks_to_coco

pytest.importorskip('pycocotools')

from pycocotools import mask as mask_utils

TOOL = 'dataset_converters/masks_to_coco.py'
call = partial(tool_runs.call, TOOL)


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def pipe(tmp_path):
    """f2: two JO and a speck; f10: none; f11: an IN ring around an IL."""
    masks = np.zeros((3, 40, 50), np.uint8)
    masks[0, 2:10, 3:20] = 1
    masks[0, 30:35, 40:50] = 1
    masks[0, 20, 20:23] = 1
    masks[2, 5:35, 5:35] = 3
    masks[2, 10:30, 10:30] = 0
    masks[2, 15:25, 15:25] = 2
    masks[2, 39, :] = 255
    for name, mask in zip(('f2', 'f10', 'f11'), masks, strict=True):
        gray = np.zeros((40, 50, 3), np.uint8)
        save(tmp_path / 'images' / f'{name}.png', gray)
        save(tmp_path / 'masks' / f'{name}.png', mask)
    return tmp_path


def convert(pipe, **options):
    out = pipe / 'out.json'
    summary = masks_to_coco(
        pipe / 'images', pipe / 'masks', out, overwrite=True, **options
    )
    return json.loads(out.read_text()), summary


def test_boxes_and_masks(pipe):
    coco, summary = convert(pipe)
    # Natural order; the image without a defect is listed, too.
    assert [(i['id'], i['file_name']) for i in coco['images']] == [
        (1, 'f2.png'), (2, 'f10.png'), (3, 'f11.png'),
    ]  # fmt: skip
    assert coco['images'][0]['width'] == 50
    assert coco['images'][0]['height'] == 40
    found = [
        (a['id'], a['image_id'], a['category_id'], a['bbox'])
        for a in coco['annotations']
    ]
    assert found == [
        (1, 1, 1, [3, 2, 17, 8]),
        (2, 1, 1, [40, 30, 10, 5]),
        (3, 3, 2, [15, 15, 10, 10]),
        (4, 3, 3, [5, 5, 30, 30]),
    ]
    names = {c['id']: c['name'] for c in coco['categories']}
    assert names == {1: 'JO', 2: 'IL', 3: 'IN'}
    assert summary.images == 3
    assert summary.small == 1
    assert summary.instances == {'JO': 2, 'IL': 1, 'IN': 1}
    # The masks are exact, holes included.
    with Image.open(pipe / 'masks' / 'f11.png') as file:
        mask = np.asarray(file)
    for annotation in coco['annotations'][2:]:
        decoded = mask_utils.decode(annotation['segmentation'])
        np.testing.assert_array_equal(
            decoded, mask == annotation['category_id']
        )
        assert annotation['area'] == decoded.sum()


def test_components_against_a_flood_fill():
    rng = np.random.default_rng(0)
    mask = rng.random((30, 40)) < 0.3

    def flood(left):
        """Yield the components by their first pixel, as sets of places."""
        while left:
            todo, part = [min(left)], set()
            while todo:
                y, x = todo.pop()
                if (y, x) in left:
                    left.discard((y, x))
                    part.add((y, x))
                    todo += [
                        (y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)
                    ]
            yield part

    expected = list(flood(set(zip(*map(list, np.nonzero(mask)), strict=True))))
    for least in (1, 4):
        kept, small = components(mask, least)
        found = [
            set(zip(*map(list, np.nonzero(part)), strict=True))
            for part in kept
        ]
        assert found == [part for part in expected if len(part) >= least]
        assert small == len(expected) - len(found)
    assert components(np.zeros((4, 4), bool)) == ([], 0)
    full, _ = components(np.ones((4, 4), bool))
    assert len(full) == 1
    assert full[0].all()


def test_min_area_and_ids(pipe):
    coco, summary = convert(pipe, min_area=3)
    assert len(coco['annotations']) == 5
    assert summary.small == 0
    coco, summary = convert(pipe, min_area=51)
    assert len(coco['annotations']) == 3
    assert summary.small == 2
    with pytest.raises(
        ValueError, match=r'f11.png contains \[2\], which are not'
    ):
        convert(pipe, ids={'IN': 3, 'JO': 1})
    coco, _ = convert(pipe, ids={'IN': 3}, other='skip')
    assert [a['category_id'] for a in coco['annotations']] == [3]
    with pytest.raises(ValueError, match=r'No mask .* IN=7'):
        convert(pipe, ids={'IN': 7}, other='skip')


@pytest.mark.parametrize('kind', ['palette', 'rgb', 'rgba', '16', 'bmp', 'la'])
def test_kinds_of_masks(pipe, kind):
    expected, _ = convert(pipe)
    for path in (pipe / 'masks').iterdir():
        with Image.open(path) as file:
            mask = np.asarray(file).copy()
        gray = Image.fromarray(mask)
        if kind == 'palette':
            gray = Image.fromarray(mask)
            gray.putpalette([i for i in range(256) for _ in range(3)][::-1])
            gray.save(path)
        elif kind == '16':
            Image.fromarray(mask.astype(np.uint16)).save(path)
        elif kind == 'bmp':
            path.unlink()
            gray.save(path.with_suffix('.bmp'))
        elif kind == 'la':
            gray.putalpha(9)
            gray.save(path)
        else:
            channels = [mask, 0 * mask + 8, 0 * mask + 9, mask]
            values = np.stack(channels[: len(kind)], axis=2)
            Image.fromarray(values).save(path)
    assert convert(pipe)[0] == expected
    if kind == 'rgb':
        for path in (pipe / 'masks').iterdir():
            with Image.open(path) as file:
                Image.fromarray(np.asarray(file)[..., ::-1]).save(path)
        assert convert(pipe, channel=2)[0] == expected


def test_the_same_bytes_again(pipe):
    convert(pipe)
    first = (pipe / 'out.json').read_bytes()
    for name in ('images', 'masks'):  # another order on the disk
        paths = sorted((pipe / name).iterdir())
        for path in paths:
            path.rename(path.with_name(f'x-{path.name}'))
        for path in paths[::-1]:
            path.with_name(f'x-{path.name}').rename(path)
    convert(pipe)
    assert (pipe / 'out.json').read_bytes() == first


def test_sub_folders(pipe):
    for name in ('images', 'masks'):
        (pipe / name / 'run 1').mkdir()
        (pipe / name / 'f2.png').rename(pipe / name / 'run 1' / 'f2.png')
    coco, _ = convert(pipe)
    names = [image['file_name'] for image in coco['images']]
    assert names == ['f10.png', 'f11.png', 'run 1/f2.png']


def test_files_that_do_not_fit(pipe):
    images, masks, out = pipe / 'images', pipe / 'masks', pipe / 'out.json'
    small = np.zeros((9, 50), np.uint8)
    save(masks / 'f10.png', small)
    (masks / 'f2.png').rename(masks / 'f3.png')
    done = call(images, masks, out)
    assert done.returncode == 2
    assert '3 files refused' in done.stderr
    assert 'f2.png has no mask' in done.stderr
    assert 'f3.png has no image' in done.stderr
    assert 'f10.png is 50x9, but its image is 50x40' in done.stderr
    assert not out.exists()
    done = call(images, masks, out, '--on-error', 'skip')
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('Left out: ') == 3
    assert '1 images, 1 IL, 1 IN' in done.stdout
    assert len(json.loads(out.read_text())['images']) == 1
    before = out.read_bytes()
    done = call(images, masks, out)
    assert done.returncode == 2
    assert 'already exists' in done.stderr
    assert out.read_bytes() == before


def test_wrong_arguments(pipe):
    images, masks, out = pipe / 'images', pipe / 'masks', pipe / 'out.json'
    for args, text in (
        (('--classes', 'JO'), 'is not NAME=ID'),
        (('--classes', 'JO=1', 'JO=2'), 'given twice'),
        (('--classes', 'JO=1', 'IL=1'), 'a different id'),
        (('--classes', 'JO=0'), 'must be from 1'),
        (('--classes', 'JO=255'), 'must be from 1'),
        (('--min-area', '0'), 'min_area must be'),
        (('--channel', '3'), 'invalid choice'),
    ):
        done = call(images, masks, out, *args)
        assert done.returncode == 2, args
        assert text in done.stderr, args
        assert 'Traceback' not in done.stderr
    for args in ((pipe / 'x', masks), (images, pipe / 'x'), (out, masks)):
        done = call(*args, out)
        assert done.returncode == 2
        assert 'no folder' in done.stderr
    (pipe / 'empty').mkdir()
    done = call(pipe / 'empty', masks, out)
    assert done.returncode == 2
    assert 'contains no images' in done.stderr
