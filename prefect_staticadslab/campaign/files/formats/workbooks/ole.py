"""Compound files, in which Excel kept workbooks until 2007, and keeps encrypted ones today.

A compound file is a small file system ([MS-CFB]): after the header come numbered sectors of equal
size, and an allocation table, FAT, says for each of them which one follows it, so that a stream is
a chain of sectors. Streams that are small lie in a stream of their own, the mini stream, in smaller
sectors with a table like that, the mini FAT. A directory has the streams' names and first sectors.

A hostile file has chains that go in circles. So the one stream that is wanted is taken out, and put
into a new file that has nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

SIGNATURE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first eight bytes of every compound file."""

_HEADER_BYTES: Final = 512
_SECTOR_BYTES: Final = 512
_IDS_IN_SECTOR: Final = _SECTOR_BYTES // 4
_ENTRY_BYTES: Final = 128
_TABLE_SECTORS_IN_HEADER: Final = 109
"""So many sectors of the FAT are listed in the header; the others in sectors of their own, the
DIFAT."""

_SMALLEST_IN_LARGE_SECTORS: Final = 4096
"""Bytes; a shorter stream lies in the mini stream."""

_ROOT, _STREAM = 5, 2
"""The types of directory entries that are read here, and made ([MS-CFB], 2.6.1)."""

_FREE, _END, _TABLE, _TABLES = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
"""What the FAT says in place of a sector's number: of one that is not used, of the last of a chain,
of one of the FAT itself, and of one of the DIFAT ([MS-CFB], 2.1). From the least of them on, no
number is a sector's."""


class OleError(Exception):
    """A compound file in which a chain of sectors leads out of it, or round in a circle."""


class CompoundFile:
    """A compound file, of which the tables and the directory are read when it is made.

    Args:
        content: The file.

    Attributes:
        entries: By a stream's name, its first sector and its size in bytes.

    Raises:
        OleError, struct.error: It is none, or a broken one.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        shift, mini_shift = struct.unpack_from("<HH", content, 30)
        if shift not in (9, 12) or mini_shift != 6:  # noqa: PLR2004
            raise OleError("sectors of an odd size")
        self._sector_bytes, self._mini_sector_bytes = 1 << shift, 1 << mini_shift
        # From the number of the directory's first sector on, as [MS-CFB], 2.2, has them.
        first_directory, _, _, first_mini, _, first_difat, _ = struct.unpack_from(
            "<7I", content, 48
        )
        self._next_sectors = self._read_allocation_table(first_difat)
        directory = self._read_chain(first_directory)
        self.entries: dict[str, tuple[int, int]] = {}
        mini_stream_start, mini_stream_bytes = 0, 0
        for at in range(0, len(directory) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            name, entry_type, first, size = _unpack_entry(directory[at : at + _ENTRY_BYTES])
            if entry_type == _ROOT:
                mini_stream_start, mini_stream_bytes = first, size
            elif entry_type == _STREAM:
                self.entries.setdefault(name, (first, size))
        table = self._read_chain(first_mini)
        self._next_mini_sectors = struct.unpack(
            f"<{len(table) // 4}I", table[: len(table) // 4 * 4]
        )
        self._mini_stream = self._read_chain(mini_stream_start)[:mini_stream_bytes]

    def read(self, name: str) -> bytes:
        """A stream's content.

        Raises:
            KeyError: There is no stream of this name.
            OleError: Its chain leads out of the file, or round in a circle.
        """
        first, size = self.entries[name]
        if size >= _SMALLEST_IN_LARGE_SECTORS:
            return self._read_chain(first)[:size]
        length = self._mini_sector_bytes
        parts = [
            self._mini_stream[n * length : (n + 1) * length]
            for n in _sectors_of_chain(first, self._next_mini_sectors)
        ]
        return b"".join(parts)[:size]

    def _read_allocation_table(self, first_difat: int) -> tuple[int, ...]:
        """The FAT: for each sector, the one that follows it.

        The FAT's own sectors are listed in the header, and, as far as they do not fit it, in the
        chain of DIFAT sectors that starts at `first_difat`, whose last id is the next of them.

        Raises:
            OleError: That chain goes round in a circle.
        """
        sectors = list(struct.unpack_from(f"<{_TABLE_SECTORS_IN_HEADER}I", self._content, 76))
        seen: set[int] = set()
        difat = first_difat
        while difat < _TABLES:
            if difat in seen:
                raise OleError("a circle")
            seen.add(difat)
            ids = self._read_ids(difat)
            sectors += ids[:-1]
            difat = ids[-1]
        table: list[int] = []
        for sector in dict.fromkeys(sectors):
            if sector < _TABLES:
                table += self._read_ids(sector)
        return tuple(table)

    def _read_ids(self, sector: int) -> tuple[int, ...]:
        """A sector's content as numbers of sectors. Raises `struct.error` if the file is short."""
        ids = f"<{self._sector_bytes // 4}I"
        return struct.unpack_from(ids, self._content, self._sector_start(sector))

    def _sector_start(self, sector: int) -> int:
        """Where a sector begins, in bytes from the file's beginning."""
        return int(max(_HEADER_BYTES, self._sector_bytes) + sector * self._sector_bytes)

    def _read_chain(self, first: int) -> bytes:
        """The content of all sectors of the chain that starts at `first`, one after the other."""
        starts = map(self._sector_start, _sectors_of_chain(first, self._next_sectors))
        return b"".join(self._content[at : at + self._sector_bytes] for at in starts)


def _sectors_of_chain(first: int, following: tuple[int, ...]) -> Iterator[int]:
    """The numbers of the sectors of a chain, in order.

    Args:
        first: The first of them.
        following: For each sector, the one that follows it: the FAT or the mini FAT.

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


def _unpack_entry(entry: bytes) -> tuple[str, int, int, int]:
    """A directory entry ([MS-CFB], 2.6.1): its name, type, first sector, and size in bytes."""
    (length,) = struct.unpack_from("<H", entry, 64)
    name = entry[: max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
    first, size = struct.unpack_from("<II", entry, 116)
    return name, entry[66], first, size


def compound_file(name: str, stream: bytes) -> bytes:
    """The bytes of a new compound file of one stream.

    Args:
        name: The stream's name; 31 characters at most.
        stream: Its content. Zeros are added at its end, to fill sectors, and so many that it does
            not belong into a mini stream.
    """
    stream += bytes(max(_SMALLEST_IN_LARGE_SECTORS - len(stream), -len(stream) % _SECTOR_BYTES))
    sectors = len(stream) // _SECTOR_BYTES
    tables, difats = 1, 0
    while tables * _IDS_IN_SECTOR < sectors + 1 + tables + difats:
        tables += 1
        difats = -(-max(0, tables - _TABLE_SECTORS_IN_HEADER) // (_IDS_IN_SECTOR - 1))
    # The sectors are the stream's, one of its directory, those of the FAT, and of the DIFAT.
    first_table = sectors + 1
    first_difat = first_table + tables
    next_sectors = [*range(1, sectors), _END, _END, *[_TABLE] * tables, *[_TABLES] * difats]
    next_sectors += [_FREE] * (tables * _IDS_IN_SECTOR - len(next_sectors))
    table_sectors = [*range(first_table, first_table + tables)]
    entries = _pack_entry("Root Entry", _ROOT, _END, 0, child=1) + _pack_entry(
        name, _STREAM, 0, len(stream)
    )
    return (
        _pack_header(sectors, table_sectors, first_difat, difats)
        + stream
        + entries.ljust(_SECTOR_BYTES, b"\0")
        + struct.pack(f"<{len(next_sectors)}I", *next_sectors)
        + _pack_difats(table_sectors[_TABLE_SECTORS_IN_HEADER:], first_difat, difats)
    )


def _pack_header(directory: int, table_sectors: list[int], first_difat: int, difats: int) -> bytes:
    """The header of a compound file ([MS-CFB], 2.2) with large sectors of 512 bytes.

    Args:
        directory: The number of the sector that is its directory.
        table_sectors: The numbers of those that are its FAT.
        first_difat: The number of the first DIFAT sector, if there are any.
        difats: How many of them there are.
    """
    in_header = (table_sectors + [_FREE] * _TABLE_SECTORS_IN_HEADER)[:_TABLE_SECTORS_IN_HEADER]
    header = SIGNATURE + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<5I", 0, len(table_sectors), directory, 0, _SMALLEST_IN_LARGE_SECTORS)
    header += struct.pack("<4I", _END, 0, first_difat if difats else _END, difats)
    return header + struct.pack(f"<{_TABLE_SECTORS_IN_HEADER}I", *in_header)


def _pack_difats(table_sectors: list[int], first: int, count: int) -> bytes:
    """The `count` DIFAT sectors from the number `first` on, which list these sectors of the FAT;
    the last id of each is the next DIFAT sector ([MS-CFB], 2.5)."""
    packed = b""
    ids_in_each = _IDS_IN_SECTOR - 1
    for nth in range(count):
        ids = table_sectors[nth * ids_in_each : (nth + 1) * ids_in_each]
        ids += [_FREE] * (ids_in_each - len(ids))
        following = first + nth + 1 if nth + 1 < count else _END
        packed += struct.pack(f"<{_IDS_IN_SECTOR}I", *ids, following)
    return packed


def _pack_entry(name: str, entry_type: int, first: int, size: int, child: int = _FREE) -> bytes:
    """A directory entry ([MS-CFB], 2.6.1) without siblings.

    Args:
        name: Its name.
        entry_type: `_ROOT` or `_STREAM`.
        first: The first sector of its chain.
        size: Its content's, in bytes.
        child: For the root, the number of the entry that it contains.
    """
    text = name.encode("utf-16-le") + b"\0\0"
    head = text.ljust(64, b"\0") + struct.pack("<HBB", len(text), entry_type, 1)
    tree = struct.pack("<3I", _FREE, _FREE, child)
    return head + tree + bytes(36) + struct.pack("<III", first, size, 0)
