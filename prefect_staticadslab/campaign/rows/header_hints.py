"""Columns whose names are close to those that mean something, and are not read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import column_key, shortened
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, VARIANT, ResourceType

LIKE: Final = 0.85
"""How similar, between 0 and 1, a name is at least to a known one that was mistyped."""

_ENDINGS: Final = ("s", "name", "names", "title", "text")
"""What people put behind a known name."""

_REMARK: Final = re.compile(r"\s*[(\[（【].*", re.S)
"""What people put behind a name in brackets: a language, a length, a price."""

_SHORT: Final = {"template": "design_template", "variant": "product_variant"}
"""Parts of known names that people take for the whole."""

_PROMPT: Final = "prompt"
_NAMES_A_PROMPT: Final = re.compile(r"(?<!negative)prompts?((?!id)[a-z]{2}|\d+)?$")
"""The end of a `column_key`, with a language or a number behind it: `Image prompt`, `Bildprompt`,
`prompt_en`. Ads without their prompts cost as much as those with them."""

_DOUBTFUL: Final = frozenset(VARIANT.columns)
"""Columns that a name may be like and be one of the user's own: a `Variant` is many a thing."""

_REQUIRED: Final = frozenset(
    name for kind in RESOURCE_TYPES if kind.name != "product_variant" for name in kind.columns
)
"""Columns whose absence is a problem of its own, which asks about names that are like them."""


@dataclass(frozen=True)
class Hints:
    """The columns of a header that are not read and may be meant as known ones.

    Attributes:
        similar: Pairs of a name in the header and the known column that it is like.
        present: The known columns that the header has.
    """

    similar: tuple[tuple[str, str], ...]
    present: frozenset[str]

    @classmethod
    def for_header(
        cls, names: Sequence[str], present: Collection[str], known: Collection[str]
    ) -> Self:
        """Compares the names of a header that are not known to those that are.

        Args:
            names: The header.
            present: The known columns that it has.
            known: All known columns.
        """
        keys = {column_key(name): name for name in sorted(known)}
        taken = {column_key(name) for name in present}
        unread = [
            name
            for name in names[:HINT_CHOICES]
            if name.strip() and column_key(name) not in keys.keys() | taken
        ]
        pairs = ((name, _similar_column(name, keys)) for name in unread)
        return cls(tuple((name, column) for name, column in pairs if column), frozenset(present))

    def question_for(self, kind: ResourceType) -> str:
        """A question for the message that a kind's column is missing; "" if no name is like it."""
        meant = [(name, column) for name, column in self.similar if column in kind.columns]
        if not meant:
            return ""
        (name, column), *_ = meant
        return f" Did you mean {column} by {shortened(name)!r}?"

    def problems(self, header_row: int) -> list[Problem]:
        """A problem for each name that is like an optional column's and would be ignored.

        Args:
            header_row: The header's row number.
        """
        return [
            Problem(not_read_message(name, column), row=header_row)
            for name, column in self.similar
            if column not in self.present | _REQUIRED | _DOUBTFUL
        ]

    @property
    def notes(self) -> list[str]:
        """A sentence for each name that is like a known one's and may well be the user's own."""
        return [
            f"The column {shortened(name)!r} is not read as {column}, which it is like."
            for name, column in self.similar
            if column in _DOUBTFUL - self.present
        ]


def not_read_message(name: str, meant: str, thing: str = "column") -> str:
    """What to say of a column, or another thing, that is not read and is called nearly like one."""
    return (
        f"{shortened(name)!r} is not read. Did you mean {meant}? Then rename it; and if it is a "
        f"{thing} of your own, give it a name that is less like that one."
    )


def without_remark(name: str) -> str:
    """The beginning of a name, without a remark in brackets behind it."""
    return _REMARK.sub("", name[:HINT_LENGTH]) or name[:HINT_LENGTH]


def _similar_column(name: str, keys: dict[str, str]) -> str:
    """The known column that a name is like; "" if there is none.

    Args:
        name: What people wrote.
        keys: The known columns, by their `column_key`.
    """
    key = column_key(without_remark(name)).strip("?:*#()")
    for candidate in _without_endings(key):
        if candidate in keys:
            return keys[candidate]
        if candidate in _SHORT and column_key(_SHORT[candidate]) in keys:
            return _SHORT[candidate]
    if _PROMPT in keys and _NAMES_A_PROMPT.search(key):
        return _PROMPT
    near = difflib.get_close_matches(key, keys, 1, LIKE)
    return keys[near[0]] if near else ""


def _without_endings(key: str) -> Iterator[str]:
    """A name's key, and what is left of it without an ending that people put behind names."""
    yield key
    for ending in _ENDINGS:
        if key.endswith(ending):
            yield key.removesuffix(ending)
    if key.endswith("sid"):
        yield f"{key.removesuffix('sid')}id"
