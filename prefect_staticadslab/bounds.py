"""How much is read of what arrives, and for how long: every bound, with its reason.

Spreadsheets come from strangers, answers from a network; so nothing that is read has its size or
its end decided by the other side alone. What is over a bound is refused with a message that names
it, and together they keep a process that refuses something under 1 GB of memory. Sizes are bytes
after decompression. `docs/security.md` lists them.
"""

from __future__ import annotations

from typing import Final

# Files and cells

TABLE_BYTES: Final = 64 * 1024 * 1024
"""The file of a spreadsheet or a result table. Ten thousand rows of a shop's export have 30 MB."""

TABLE_ROWS: Final = 1_048_576
TABLE_COLUMNS: Final = 16_384
"""Rows and columns of one table: as many as a sheet of Excel's has."""

TABLE_CELLS: Final = 5_000_000
"""Rows times columns. In memory a cell takes 70 bytes and more."""

LONGEST_CELL: Final = 1_000_000
"""Characters of a cell. Excel's own limit is 32,767; more than a million is a broken file."""

WORKBOOK_BYTES: Final = 128 * 1024 * 1024
"""A workbook, or a Parquet file, once it is uncompressed."""

WORKBOOK_PARTS: Final = 10_000
"""Files within a workbook."""

WORKBOOK_ELEMENTS: Final = 6_000_000
"""XML elements of a workbook: three for a cell, and its row."""

WORKBOOK_OTHER_ELEMENTS: Final = 1_000_000
"""XML elements of a workbook that are neither cells nor their texts, and stay in memory: styles,
for the most part."""

XML_DEPTH: Final = 100
"""Elements within elements; spreadsheet programs nest about ten."""

PICTURE_PIXELS: Final = 40_000_000
"""Pixels of a picture that is decoded, at four bytes each. An 8K picture has 33 million."""

DECODED_PICTURES: Final = 2
"""Pictures that are decoded at once."""

NOTE_BYTES: Final = 64 * 1024
"""An inbox's note on a spreadsheet."""

KITS_BYTES: Final = 1024 * 1024
"""A file of brand kits."""

CELL_VALUES: Final = 1_000
"""Names, ids or filters in one cell, with `|` between them."""

PROMPT_PLACEHOLDERS: Final = 200
"""Placeholders in one prompt."""

PROMPT_LENGTH: Final = 100_000
"""Characters of a prompt that was filled in. A few hundred are usual."""

PROMPTS_LENGTH: Final = 64_000_000
"""Characters of all prompts that were filled in: one row may make thousands of ads."""

NAME_LENGTH: Final = 1_000
"""Characters of a name that is compared without its accents' order, which for a million of them
takes hours."""

PATTERN_LENGTH: Final = 200
"""Characters of the pattern for tables' names. A file's name has 255 bytes at most."""

HINTS: Final = 50
"""Words of one kind for which the nearest known ones are looked for. Nobody reads more."""

HINT_LENGTH: Final = 60
"""Characters of a word that are compared for that."""

HINT_CHOICES: Final = 2_000
"""Known words that one is compared with."""

TOLD_PROBLEMS: Final = 1_000
"""Lines that say what is wrong with a spreadsheet."""

PATCH_OPERATIONS: Final = 1_000
"""Operations of one JSON patch."""

PATCH_PATH: Final = 1_000
"""Characters of a path in a JSON patch."""

TREE_LENGTH: Final = 8_000_000
"""Of a tree as JSON, roughly in characters, while a patch copies parts of it. A rich template has
some hundred thousand."""

TREE_DEPTH: Final = 200
"""Levels of a tree: a hundred nodes, one within the other."""

KIT_DOTS: Final = 200
"""Dots in a line of a file of brand kits: parts of a dotted key cost the square of their number."""

KIT_FIELDS: Final = 1_000
"""Fields that one table of YAML has after merges, which may double with every line."""

PAGE_START_BYTES: Final = 4096
"""The start of a contact sheet that is there already, which is read to see whether it is ours."""

EMBEDDED_BYTES: Final = 10_000_000
"""Pictures that a contact sheet holds in itself. Most mail servers take 20 MB; pictures in a
page grow by a third, and the page again on its way."""

SHEET_CELL_LENGTH: Final = 2_000
"""Characters of a cell in a contact sheet. The tree of a revision has megabytes."""

# Networks

CONNECT_SECONDS: Final = 10.0
"""A host that has not taken a connection by then is not there."""

READ_SECONDS: Final = 30.0
"""What is read is answered at once; half a minute is a dead connection."""

CREATE_READ_SECONDS: Final = 80.0
"""What has an idempotency key. The API's lock on the key holds for 30 s only, so a create that is
given up then, and sent again, may be made twice."""

REQUEST_SECONDS: Final = 90.0
"""A whole request to the API; an answer that trickles in is never silent."""

UPLOAD_BYTES_PER_SECOND: Final = 100_000
"""The slowest line on which a file of 15 MB still gets through; it has that much time more."""

ANSWER_BYTES: Final = 16 * 1024 * 1024
"""One answer of the API. A hundred ads with their trees are a few MB; and what Python makes of so
much JSON takes 600 MB at worst, where it is nothing but empty lists."""

JSON_DEPTH: Final = 200
"""Objects and lists within each other. A design's tree has some 20; and what is nested deeper than
Python's own limit, near 1,000, could be read but not be printed, compared or written."""

TEXT_LENGTH: Final = 10_000
"""Characters of a sentence of the API, for logs and for people."""

DETAILS: Final = 100
"""Fields that one answer complains of; a request has no more."""

HEADER_LENGTH: Final = 200
"""Characters of a header that is quoted, such as a request's id."""

EVENT_BYTES: Final = 256 * 1024
"""One event of a stream. It tells a step and a sentence; a line that never ends is no event."""

STREAM_BYTES: Final = 4 * 1024 * 1024
"""One stream of events. A job of ten minutes sends some 20 kB."""

PAGES: Final = 1_000
"""Pages of one list: 100,000 resources. A list that goes on after that never ends."""

LIST_BYTES: Final = 256 * 1024 * 1024
"""All pages of one list together; 100,000 products with their descriptions are some 100 MB."""

PICTURE_BYTES: Final = 256 * 1024 * 1024
"""A 4K PNG has some 10 MB; what does not end is no picture."""

REDIRECTS: Final = 5
"""Web addresses that one after the other point to the next. Shared links of clouds need three."""

WEB_GRACE_SECONDS: Final = 60.0
"""What anything from the web may take, however small: names, connections and redirects."""

SLOWEST_BYTES_PER_SECOND: Final = 10_000
"""The slowest line that is waited for: a body has `WEB_GRACE_SECONDS`, and a second more for each
so many bytes that have arrived."""

WEB_SECONDS: Final = 1_800.0
"""What anything from the web may take, however large."""


def in_megabytes(count: int) -> str:
    """A number of bytes as text for a message: whole megabytes of a million bytes, and two decimals
    below one.

    Example:
        ```python
        from prefect_staticadslab.bounds import TABLE_BYTES, in_megabytes

        assert in_megabytes(TABLE_BYTES) == "67 MB"
        assert in_megabytes(65_536) == "0.07 MB"
        ```
    """
    megabytes = count / 1_000_000
    return f"{megabytes:.0f} MB" if megabytes >= 1 else f"{megabytes:.2f} MB"
