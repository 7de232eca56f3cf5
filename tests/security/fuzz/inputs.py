"""How inputs are made: texts that mean something somewhere, and files with changes in them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[3]

NUMBERS: Final = (
    "0", "-0", "-1", "1", "007", "1.5", "1,50", "-100000", "1e5", "1e308", "1e999", "-1e999",
    "9" * 30, "9" * 400, "9" * 5000, "nan", "NaN", "inf", "-Infinity", "1_000", "٣", "½", "0x10",
    "9223372036854775807", "9223372036854775808", "1e-400", ".", "-", "+", "1e", "4294967296",
)  # fmt: skip

MOMENTS: Final = (
    "2026-11-25T10:00:00Z", "2026-11-25", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-13-45", "2000-01-01T00:00:00.123456+23:59", "20261125T100000", "2026-W48-3", "24:00",
    "1999-12-31T23:59:59Z", "9998-12-31T23:59:59-23:59", "2026-11-25T10:00:00+00:00:00.000001",
)  # fmt: skip

TEXTS: Final = (
    "", " ", "\t", "\n", "\r", "\r\n", "\x00", "\x07", "\x0b", "\x1c", "\x85", "\u2028", "\ufeff",
    "\ufffe", "\uffff", "\u200b", "\U0001f381", "é", "e\u0301", "İ", "ß", "ﬁ", "\U000e0001",
    "=1+1", "'=1+1", "''=1+1", "+1", "-1", "@x", "'@x", "\t=x", "'\t", "＝1", "'", "''", '"', '""',
    "{", "}", "{{", "}}", "{}", "{0}", "{product}", "{audience}", "{name}", "{a.b}", "{a[0]}",
    "{product!r}", "{product:>9999999}", "{price}", "{date}", "{ending}", "%s", "$x", "\\", "/",
    "*", "|", "A | B", "||", ";", "ad_format=Sale", "ad_format=", "=Sale", "ad_format=x; ad_format",
    "dt_1", "brand_1", "prod_1", "aud_1", "pv_1", "ia_1", "dt_", "dt_ 1", "DT_1", "true", "x", "NO",
    "null", "None", "NA", "[]", "[" * 200, '{"a": {}}', "_x0041_", "_x000D_", "&amp;", "<b>", "]]>",
    "..", "../x", "/etc/passwd", "~", "~root", "C:\\x", "file:///etc/passwd", "http://a/b.csv",
    "s3://a/b", "a::b", "reference://a.png::http://h/x.json", "x" * 300, "pending", "completed",
    "Sent as 0a-0b-0c at 2026-11-25T10:00:00Z; no answer is known.", "submitting", "failed",
    "This row is no longer in the spreadsheet; its ad is kept.", "_x", "a,b", "a;b", "a\tb", "a|b",
)  # fmt: skip


@cache
def texts(most: int = 40) -> st.SearchStrategy[str]:
    """Texts as people, programs and attackers write them, now and then several in a row."""
    some = pick((*TEXTS, *NUMBERS, *MOMENTS))
    plain = st.text(st.characters(codec="utf-8"), max_size=most)
    return st.one_of(some, plain, st.lists(st.one_of(some, plain), max_size=4).map("".join))


@cache
def any_texts() -> st.SearchStrategy[str]:
    """Such texts, and ones with halves of characters in them, as JSON and file names may have."""
    return st.one_of(texts(), st.text(st.characters(), max_size=20))


def temporary_folder() -> Path:
    """A new folder that is there as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def pick(values: Sequence[T]) -> st.SearchStrategy[T]:
    """One of some values. Hypothesis's own way would write all of them down, and some are long."""
    return st.integers(0, len(values) - 1).map(lambda number: values[number])


def mostly(good: st.SearchStrategy[T], wild: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """What is good, and one time in eight what is not."""
    return st.integers(0, 7).flatmap(lambda n: wild if n == 7 else good)


def json_values(leaves: st.SearchStrategy[object] | None = None) -> st.SearchStrategy[object]:
    """What JSON can say, besides what cannot be written as a literal of Python's."""
    known = leaves or st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        pick((0, -1, 10**30, 10**400, 1e308, -0.0, 2**63, 48.0)),
        st.floats(allow_nan=False, allow_infinity=False),
        any_texts(),
    )
    return st.recursive(
        known,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(any_texts(), inner, max_size=4)
        ),
        max_leaves=12,
    )


Edit = tuple[str, int, int, bytes]
"""What is done, where (in 65,536ths of the content), to how many bytes, and with what."""

_KINDS: Final = ("replace", "insert", "delete", "repeat", "flip", "cut")


def edits(tokens: Sequence[bytes], most: int = 6) -> st.SearchStrategy[list[Edit]]:
    """Changes to a content.

    Args:
        tokens: What means something in it.
        most: How many changes there are at once.
    """
    payload = st.one_of(pick(tokens), st.binary(max_size=8))
    one = st.tuples(pick(_KINDS), st.integers(0, 0xFFFF), st.integers(0, 40), payload)
    return st.lists(one, max_size=most)


def edited(content: bytes, changes: Sequence[Edit]) -> bytes:
    """A content with changes made to it, one after the other."""
    for kind, place, length, payload in changes:
        at = place * (len(content) + 1) // 0x10000
        part = content[at : at + length]
        match kind:
            case "replace":
                content = content[:at] + payload + content[at + length :]
            case "insert":
                content = content[:at] + payload + content[at:]
            case "delete":
                content = content[:at] + content[at + length :]
            case "repeat":
                content = content[:at] + part * 30 + content[at:]
            case "flip":
                content = content[:at] + bytes(b ^ 0xFF for b in part[:1]) + content[at + 1 :]
            case "cut":
                content = content[:at] if at else content
    return content


def mangled(
    seeds: Callable[[], Sequence[bytes]], tokens: Sequence[bytes], most: int = 6
) -> st.SearchStrategy[bytes]:
    """Contents that were good ones, with changes in them.

    Args:
        seeds: Makes the good ones.
        tokens: What means something in them.
        most: How many changes there are at once.
    """
    return st.builds(edited, pick(seeds()), edits(tokens, most))


def tokens_of(given: Sequence[str]) -> tuple[bytes, ...]:
    """Texts as parts of a file."""
    return tuple(text.encode("utf-8", errors="replace") for text in given)
