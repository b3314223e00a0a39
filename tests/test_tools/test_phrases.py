"""The list of phrases that must not come back."""

from tool_runs import call


def test_phrases_are_found_with_their_lines(tmp_path):
    text = tmp_path / 'a.md'
    # Written with underscores, or this file would be refused itself.
    bad = 'Go_on\nand go\nback.\nCut_short.\n# It stays_as\n# it_is.\n'
    text.write_text(bad.replace('_', ' '))
    done = call('dev/phrases.py', text)
    assert done.returncode == 1
    found = [line.split('"')[0] for line in done.stdout.splitlines()]
    assert found == [f'{text}:{line}: ' for line in (1, 4, 5)]
    text.write_text('Resume: it is unchanged, an amendment or a phenomenon.\n')
    assert call('dev/phrases.py', text).returncode == 0
