"""Compound files, in which Excel kept workbooks until 2007, and keeps encrypted ones today.

What they are made of leads from one place to the next ([MS-CFB]); a hostile file leads in circles.
So the one stream that is wanted is taken out, and put into a new file that has nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEADER: Final = 512
_SECTOR: Final = 512
_IDS: Final = _SECTOR // 4
_ENTRY: Final = 128
_IN_HEADER: Final = 109
"""Sectors of the allocation table that the header lists itself."""

_MINI_BELOW: Final = 4096
"""Bytes; a shorter stream lies in small sectors."""

_ROOT, _STREAM = 5, 2
"""The kinds of entries of a directory that are read here, and made."""

_FREE, _END, _TABLE, _TABLES = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC


class OleError(Exception):
    """A compound file that leads nowhere, or in circles."""


class CompoundFile:
    """The streams of a compound file.

    Raises:
        OleError, struct.error: It is none, or a broken one.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:  # noqa: PLR2004
            raise OleError("sectors of an odd size")
        self._size, self._mini_size = 1 << shift, 1 << mini_shift
        first_directory, _, _, first_mini, _, first_more, _ = struct.unpack_from("<7I", content, 48)
        self._next = self._allocation_table(first_more)
        directory = self._chain(first_directory)
        self.entries: dict[str, tuple[int, int]] = {}
        root = (0, 0)
        for at in range(0, len(directory) - _ENTRY + 1, _ENTRY):
            name, kind, place = _entry(directory[at : at + _ENTRY])
            if kind == _ROOT:
                root = place
            elif kind == _STREAM:
                self.entries.setdefault(name, place)
        table = self._chain(first_mini)
        self._next_mini = struct.unpack(f"<{len(table) // 4}I", table[: len(table) // 4 * 4])
        self._mini = self._chain(root[0])[: root[1]]

    def read(self, name: str) -> bytes:
        """A stream's content. Raises `KeyError` if it is missing."""
        first, size = self.entries[name]
        if size >= _MINI_BELOW:
            return self._chain(first)[:size]
        at = self._mini_size
        parts = [self._mini[n * at : (n + 1) * at] for n in _walk(first, self._next_mini)]
        return b"".join(parts)[:size]

    def _allocation_table(self, first_more: int) -> tuple[int, ...]:
        """Which sector follows each sector. The table is in sectors of its own: the first of them
        are listed in the header, and the others in a chain that starts at `first_more`.

        Raises:
            OleError: The chain goes round in a circle.
        """
        sectors = list(struct.unpack_from(f"<{_IN_HEADER}I", self._content, 76))
        seen: set[int] = set()
        more = first_more
        while more < _TABLES:
            if more in seen:
                raise OleError("a circle")
            seen.add(more)
            ids = self._ids(more)
            sectors += ids[:-1]
            more = ids[-1]
        table: list[int] = []
        for sector in dict.fromkeys(sectors):
            if sector < _TABLES:
                table += self._ids(sector)
        return tuple(table)

    def _ids(self, sector: int) -> tuple[int, ...]:
        ids = f"<{self._size // 4}I"
        return struct.unpack_from(ids, self._content, self._place(sector))

    def _place(self, sector: int) -> int:
        return int(max(_HEADER, self._size) + sector * self._size)

    def _chain(self, first: int) -> bytes:
        places = map(self._place, _walk(first, self._next))
        return b"".join(self._content[at : at + self._size] for at in places)


def _walk(first: int, following: tuple[int, ...]) -> Iterator[int]:
    """The numbers of the sectors of a stream, each as the one before says it.

    Args:
        first: The first of them.
        following: Which sector follows each, as the file's allocation table says.

    Raises:
        OleError: They lead out of the file, or round in a circle.
    """
    sector = first
    for _ in range(len(following) + 1):
        if sector >= _TABLES:
            return
        if sector >= len(following):
            raise OleError("a sector that is not there")
        yield sector
        sector = following[sector]
    raise OleError("a circle")


def _entry(entry: bytes) -> tuple[str, int, tuple[int, int]]:
    (length,) = struct.unpack_from("<H", entry, 64)
    name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
    first, size = struct.unpack_from("<II", entry, 116)
    return name, entry[66], (first, size)


def compound_file(name: str, stream: bytes) -> bytes:
    """A compound file of one stream.

    Args:
        name: What it is called; 31 characters at most.
        stream: Its content, to which zeros are added at the end.
    """
    stream += bytes(max(_MINI_BELOW - len(stream), -len(stream) % _SECTOR))
    sectors = len(stream) // _SECTOR
    tables, more = 1, 0
    while tables * _IDS < sectors + 1 + tables + more:
        tables += 1
        more = -(-max(0, tables - _IN_HEADER) // (_IDS - 1))
    # The stream, its directory, the allocation table, and the list of what did not fit the header.
    directory, first_table = sectors, sectors + 1
    first_more = first_table + tables
    chain = [*range(1, sectors), _END, _END, *[_TABLE] * tables, *[_TABLES] * more]
    chain += [_FREE] * (tables * _IDS - len(chain))
    places = [*range(first_table, first_table + tables)]
    in_header = (places + [_FREE] * _IN_HEADER)[:_IN_HEADER]
    header = SIGNATURE + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<5I", 0, tables, directory, 0, _MINI_BELOW)
    header += struct.pack("<4I", _END, 0, first_more if more else _END, more)
    header += struct.pack(f"<{_IN_HEADER}I", *in_header)
    entries = _packed_entry("Root Entry", _ROOT, _END, 0, child=1) + _packed_entry(
        name, _STREAM, 0, len(stream)
    )
    rest = places[_IN_HEADER:]
    lists = b""
    for number in range(more):
        ids = rest[number * (_IDS - 1) : (number + 1) * (_IDS - 1)]
        ids += [_FREE] * (_IDS - 1 - len(ids))
        following = first_more + number + 1 if number + 1 < more else _END
        lists += struct.pack(f"<{_IDS}I", *ids, following)
    table = struct.pack(f"<{len(chain)}I", *chain)
    return header + stream + entries.ljust(_SECTOR, b"\0") + table + lists


def _packed_entry(name: str, kind: int, first: int, size: int, child: int = _FREE) -> bytes:
    """A directory entry [MS-CFB 2.6.1] without siblings; `first` is its first sector."""
    text = name.encode("utf-16-le") + b"\0\0"
    head = text.ljust(64, b"\0") + struct.pack("<HBB", len(text), kind, 1)
    tree = struct.pack("<3I", _FREE, _FREE, child)
    return head + tree + bytes(36) + struct.pack("<III", first, size, 0)
