"""Tests of mmdsr.io.console."""

import pytest

from mmdsr.io.console import plain_console


@pytest.mark.parametrize('stderr', [False, True])
def test_text_is_printed_as_it_is(
    stderr: bool, capsys: pytest.CaptureFixture
) -> None:
    text = f'[red]a :warning: b[/red] {"long " * 40}.png'
    plain_console(stderr=stderr).print(text, style='yellow')
    out, err = capsys.readouterr()
    assert (err if stderr else out) == text + '\n'
    assert not (out if stderr else err)
