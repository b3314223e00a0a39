"""Make invalid inputs from valid ones.

Every mutator takes bytes and a random generator and returns bytes. Mutators of
a format repair its checksums, because otherwise a reader that checks them
would refuse the file before reading the rest.
"""

import csv
import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
#: Unexpected values for tables and JSON files.
_VALUES: tuple[object, ...] = (
    None,
    True,
    -1,
    0,
    1e308,
    float('nan'),
    float('inf'),
    10**30,
    '',
    'a/../../b',
    '/',
    '\0',
    '\ud800',
    'x' * 300,
    'Größe 下水道',
    [],
    {},
    [[[]]],
    {'a': None},
)


def mutate_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a file of any format.

    Args:
        data: The file.
        rng: The choices.

    Returns:
        The new file, possibly of another length.
    """
    for _ in range(int(rng.integers(1, 4))):
        data = _BYTES[rng.integers(len(_BYTES))](data, rng)
    return data


def _span(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Return a part of a file, which is usually short."""
    start = int(rng.integers(len(data) + 1))
    return start, min(len(data), start + int(2 ** rng.uniform(0, 10)))


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data) + 1))]


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    content = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(content)


def _head(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the first bytes, which define the structure."""
    content = bytearray(data)
    for _ in range(4 if data else 0):
        content[rng.integers(min(400, len(content)))] = int(rng.integers(256))
    return bytes(content)


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + rng.bytes(end - start) + data[end:]


def _zero(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def _remove(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:start] + data[end:]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = _span(data, rng)
    return data[:end] + data[start:end] * int(rng.integers(1, 4)) + data[end:]


def _number(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a number of the kind that overflows."""
    number = int(_NUMBERS[rng.integers(len(_NUMBERS))])
    order = '<>'[rng.integers(2)]
    code, size = (('I', 4), ('H', 2), ('Q', 8))[rng.integers(3)]
    start = int(rng.integers(max(1, len(data) - size)))
    packed = struct.pack(order + code, number % 256**size)
    return data[:start] + packed + data[start + size :]


_BYTES = (_cut, _flip, _head, _noise, _zero, _remove, _repeat, _number)


def mutate_png(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the content of a PNG's chunks; the checksums fit again.

    Args:
        data: A PNG file.
        rng: The choices.

    Returns:
        The new file.
    """
    chunks, place = [], 8
    while place + 12 <= len(data):
        (size,) = struct.unpack_from('>I', data, place)
        name = data[place + 4 : place + 8]
        chunks.append((name, data[place + 8 : place + 8 + size]))
        place += 12 + size
    number = int(rng.integers(len(chunks)))
    name, content = chunks[number]
    choice = rng.integers(4)
    if choice == 0:
        chunks.insert(int(rng.integers(len(chunks) + 1)), chunks[number])
    elif choice == 1:
        del chunks[number]
    elif choice == 2 and name == b'IDAT':
        raw = mutate_bytes(zlib.decompressobj().decompress(content), rng)
        chunks[number] = name, zlib.compress(raw)
    else:
        chunks[number] = name, mutate_bytes(content, rng)
    parts = [data[:8]]
    for name, content in chunks:
        crc = struct.pack('>I', zlib.crc32(name + content))
        parts += [struct.pack('>I', len(content)), name, content, crc]
    return b''.join(parts)


def mutate_npy(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the header of a ``.npy`` file; its length fits again.

    Args:
        data: A file of version 1.0.
        rng: The choices.

    Returns:
        The new file.
    """
    size = struct.unpack_from('<H', data, 8)[0]
    header, rest = data[10 : 10 + size].decode('latin1'), data[10 + size :]
    header = _mutate_text(header, rng, ("'|O'", "'<f8'", "'<c16'", "'<U9'"))
    encoded = header.encode('latin1', 'replace')[:60_000]
    return data[:8] + struct.pack('<H', len(encoded)) + encoded + rest


def _mutate_text(
    text: str, rng: np.random.Generator, words: Sequence[str] = ()
) -> str:
    """Replace one word or number of a text."""
    found = list(re.finditer(r"'[^']*'|-?\d+|\w+", text))
    if not found:
        return text
    place = found[rng.integers(len(found))]
    choices = (*words, '0', '-1', '99999999', '1e9', 'None', 'x', '(', '')
    word = choices[rng.integers(len(choices))]
    return text[: place.start()] + word + text[place.end() :]


def mutate_json(data: bytes, rng: np.random.Generator) -> bytes:
    """Change values and keys of a JSON file, which usually remains valid.

    Args:
        data: The file.
        rng: The choices.

    Returns:
        The new file.
    """
    content = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        content = mutate_tree(content, rng)
    text = json.dumps(content)
    if rng.random() < 0.2:
        text = _mutate_text(text, rng)
    return text.encode('utf-8', 'surrogatepass')


def mutate_tree(
    content: object,
    rng: np.random.Generator,
    values: Sequence[object] = _VALUES,
) -> object:
    """Change one place in nested dicts and lists.

    Args:
        content: Content, changed in place if possible.
        rng: The choices.
        values: Possible values.

    Returns:
        The new content.
    """
    new = values[rng.integers(len(values))]
    if not isinstance(content, (dict, list)) or rng.random() < 0.02:
        return new
    parent = content
    while True:
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        if not keys:
            return content
        key = keys[rng.integers(len(keys))]
        inner = parent[key]
        if not isinstance(inner, (dict, list)) or rng.random() < 0.3:
            break
        parent = inner
    choice = rng.random()
    if choice < 0.2:
        del parent[key]
    elif choice < 0.3 and isinstance(parent, list):
        parent.append(inner)
    elif choice < 0.4 and isinstance(parent, dict):
        parent[str(new)[:20]] = parent.pop(key)
    else:
        parent[key] = new
    return content


def mutate_csv(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the cells, columns or lines of a table.

    Args:
        data: The file.
        rng: The choices.

    Returns:
        The new file.
    """
    rows = list(csv.reader(io.StringIO(data.decode())))
    for _ in range(int(rng.integers(1, 4))):
        row = rows[rng.integers(len(rows))]
        column = int(rng.integers(len(row))) if row else 0
        choice = rng.integers(5)
        if choice == 0 and row:
            del row[column]
        elif choice == 1:
            rows.append(list(row))
        elif choice == 2:
            row.insert(column, '1')
        elif row:
            values = (*_VALUES, '2', ' 1', '1.0', '"', '\n', '\r', ',')
            row[column] = str(values[rng.integers(len(values))])
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode('utf-8', 'surrogatepass')


def mutate_checkpoint(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the content of a checkpoint, written as by another program.

    Args:
        data: A file of ``torch.save``.
        rng: The choices.

    Returns:
        The new file.
    """
    content = torch.load(io.BytesIO(data), weights_only=False)
    values = (
        *_VALUES,
        torch.tensor(np.nan),
        torch.full((3, 3), np.inf),
        torch.zeros(0),
        torch.zeros(1).expand(10**12),
        torch.zeros(2, 2).to_sparse(),
        torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8),
        torch.zeros(3, dtype=torch.complex64),
        torch.zeros(3, dtype=torch.float8_e4m3fn),
        {3: 4},
        (1, 2),
        b'bytes',
    )
    for _ in range(int(rng.integers(1, 4))):
        content = mutate_tree(content, rng, values)
    tensors: list[tuple[Any, Any]] = []
    _collect(content, tensors)
    if tensors and rng.random() < 0.5:
        parent, key = tensors[rng.integers(len(tensors))]
        parent[key] = _mutate_tensor(parent[key], rng)
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _collect(content: object, found: list[tuple[Any, Any]]) -> None:
    """Return the positions of the tensors in nested containers."""
    if isinstance(content, (dict, list)):
        items = (
            content.items()
            if isinstance(content, dict)
            else enumerate(content)
        )
        for key, value in items:
            if isinstance(value, torch.Tensor):
                # Except the one that claims to be larger than the memory.
                if value.numel() > 10**8:
                    continue
                found.append((content, key))
            else:
                _collect(value, found)


def _mutate_tensor(
    value: torch.Tensor, rng: np.random.Generator
) -> torch.Tensor:
    choice = rng.integers(4)
    if choice == 0 and value.is_floating_point() and value.numel():
        value = value.clone()
        value.reshape(-1)[rng.integers(value.numel())] = np.nan
    elif choice == 1:
        value = value[None]
    elif choice == 2:
        value = value.to(torch.int64)
    elif choice == 3 and value.is_floating_point():
        value = value * 1e30
    return value


def mutate_zip(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one file of an archive; the checksums fit again.

    Args:
        data: A ZIP archive without compression, as written by ``torch.save``.
        rng: The choices.

    Returns:
        The new file.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = [(info, archive.read(info)) for info in archive.infolist()]
    # The pickle, more often than one of the many tensors.
    names = [info.filename for info, _ in parts]
    number = int(rng.integers(len(parts)))
    if rng.random() < 0.6:
        number = next(i for i, n in enumerate(names) if n.endswith('.pkl'))
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        for i, (info, content) in enumerate(parts):
            changed = mutate_bytes(content, rng) if i == number else content
            archive.writestr(info, changed)
    return file.getvalue()


def mutate_safetensors(data: bytes, rng: np.random.Generator) -> bytes:
    """Change the header of a safetensors file; its length fits again.

    Args:
        data: The file.
        rng: The choices.

    Returns:
        The new file.
    """
    (size,) = struct.unpack_from('<Q', data)
    header, rest = data[8 : 8 + size], data[8 + size :]
    content = json.loads(header)
    if rng.random() < 0.5 and '__metadata__' in content:
        meta = content['__metadata__']
        key = next(iter(meta))
        meta[key] = mutate_json(meta[key].encode(), rng).decode(
            'utf-8', 'replace'
        )
        header = json.dumps(content).encode()
    else:
        header = mutate_json(header, rng)
    return struct.pack('<Q', len(header)) + header + rest
