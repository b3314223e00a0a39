"""The script of the page, in Node instead of a browser."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mmdsr.page.app import STATIC

NODE = shutil.which('node')
STUB = Path(__file__).with_name('page_stub.mjs')


def file(token, kind, frames):
    return {
        'token': token,
        'name': token,
        'kind': kind,
        'width': 64,
        'height': 48,
        'frames': frames,
        'ready': True,
        'error': '' if frames else 'no frame can be read',
    }


@pytest.mark.skipif(NODE is None, reason='there is no Node')
def test_a_video_without_frames_does_not_block_the_next_file():
    files = [
        file('picture', 'image', [[0, 0.0]]),
        file('broken', 'video', []),
        file('video', 'video', [[7, 1.4]]),
    ]
    done = subprocess.run(
        [
            NODE,
            STUB,
            STATIC / 'page.js',
            json.dumps(files),
            json.dumps([0, 1, 2, 1, 0]),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    picture, broken, video, *again = json.loads(done.stdout)
    assert picture['picture'] == '/api/files/picture/picture?number=0'
    assert picture['enlarge']
    # Neither the picture of another file nor the name of its frame stays.
    assert broken == {'picture': None, 'name': '', 'enlarge': False}
    assert video['picture'] == '/api/files/video/picture?number=0'
    assert video['name'] == 'frame 7 at 1.40 s'
    assert video['enlarge']
    assert again == [broken, picture]
