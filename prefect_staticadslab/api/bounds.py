"""How much of anything is read from a network, and for how long: every bound, with its reason.

Whoever answers may be somebody else than we think, or broken; so nothing that is read has its size
or its end decided by the other side alone. Sizes are bytes after decompression.
"""

from __future__ import annotations

from typing import Final

CONNECT_SECONDS: Final = 10.0
"""A host that has not taken a connection by then is not there."""

READ_SECONDS: Final = 30.0
"""A create is answered at once, with the job still to run; half a minute is a dead connection."""

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
