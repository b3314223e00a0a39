"""Ctrl-C while a converter works: one line, and the exit code of a shell."""

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ('name', 'function', 'args', 'word'),
    [
        ('frames', 'frames_to_refsr', ['in', 'out'], 'start again'),
        ('masks', 'masks_to_coco', ['in', 'masks', 'out'], 'start again'),
        ('pairs', 'find', ['deep-sewer', 'in', 'out'], 'start again'),
        ('alignment', 'build_aligner', ['in', '--name', 'dis'], 'resume'),
        (
            'alignment',
            'build_aligner',
            ['in', '--name', 'dis', '--overwrite'],
            'start again',
        ),
        ('photos', 'photos_to_refsr', ['in', 'out'], 'resume'),
        ('depth', 'build_provider', ['frames', 'in', 'out'], 'resume'),
        ('video', 'video_to_refsr', ['in', 'out'], 'resume'),
        ('pack', 'pack', ['in', 'out'], 'resume'),
    ],
)
def test_one_line(tmp_path, monkeypatch, capsys, name, function, args, word):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    module = import_module(f'mmdsr.cli.convert.{name}')
    monkeypatch.setattr(module, function, stop)
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'in/train').mkdir(parents=True)
    more = ['--provider', 'pipe'] if name == 'depth' else []
    assert module.main([*args, *more]) == 130
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert 'nterrupted: ' in last
    assert last.rstrip('.').endswith(f'repeat the command to {word}')
    assert [path.name for path in tmp_path.iterdir()] == ['in']
