"""Refuse phrases that read like a translation, and name better ones.

Example:
    python tools/dev/phrases.py            # all text of the repository
    python tools/dev/phrases.py README.md
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

SUFFIXES = ('.py', '.md', '.yml', '.yaml', '.toml', '.js', '.html')
# Phrase to what to write instead; whole words in any case, across lines.
PHRASES = {
    r'go(?:es|ing)? on': 'continue, resume',
    r'mend(?:s|ed|ing)?': 'fix',
    r'likewise': 'also, the same',
    r'in the place of': 'in place of',
    r'one after the other': 'one by one, in turn',
    r'what became of': 'outcome of',
    r'stays? as (?:it is|they are)': 'is unchanged',
    r'exists already': 'already exists',
    r'cut short': 'truncated, interrupted',
    r'told apart': 'distinguished',
    r'save for': 'except for',
    r'all else': 'everything else',
    r'a mere': 'only a',
    r'commoner': 'more common',
    r'for ever': 'forever',
    r'gone on': 'continued, resumed',
    r'none of its own': 'without its own',
    r'such ones': 'these',
    r'takes? up what is done': 'load finished results',
    r'what it is that': 'name the thing',
    r'as above(?=\.)': 'repeat it, or see X',
}
_GAP = r'[\s#]+'
_ANY = re.compile(
    '|'.join(rf'(\b{phrase.replace(" ", _GAP)}\b)' for phrase in PHRASES),
    re.IGNORECASE,
)


def find(text: str) -> list[tuple[int, str, str]]:
    """Return line, phrase and what to write instead for each phrase found."""
    better = list(PHRASES.values())
    return [
        (
            text.count('\n', 0, match.start()) + 1,
            ' '.join(match[0].split()),
            better[int(match.lastindex or 0) - 1],
        )
        for match in _ANY.finditer(text)
    ]


def main(argv: list[str] | None = None) -> int:
    """Run the tool and return the exit code: 1 if a phrase was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('files', nargs='*', help='files (default: all)')
    files = parser.parse_args(argv).files
    if not files:
        listed = subprocess.run(
            ('git', 'ls-files'), capture_output=True, text=True, check=True
        )
        files = listed.stdout.splitlines()
    code = 0
    for name in files:
        path = Path(name)
        if path.suffix not in SUFFIXES or path.name == Path(__file__).name:
            continue
        for line, phrase, better in find(path.read_text('utf-8')):
            print(f'{name}:{line}: "{phrase}": write {better}')
            code = 1
    return code


if __name__ == '__main__':
    sys.exit(main())
