"""Columns whose names are close to those that mean something, and are not read."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Self

from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH
from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import column_key, shortened
from prefect_staticadslab.campaign.rows.resource_types import KINDS, VARIANT, ResourceType

_LIKE: Final = 0.85
"""From where on, between 0 and 1, a name is one of ours with a slip of the finger in it."""

_ENDINGS: Final = ("s", "name", "names", "title", "text")
"""What people put behind a name of ours."""

_SHORT: Final = {"template": "design_template", "variant": "product_variant"}
"""Parts of names of ours that people take for the whole."""

_DOUBTFUL: Final = frozenset((VARIANT.name, VARIANT.id_column))
"""Columns that a name may be like and be one of the user's own: a `Variant` is many a thing."""

_REQUIRED: Final = frozenset(
    name for kind in KINDS if kind.name != "product_variant" for name in (kind.name, kind.id_column)
)


@dataclass(frozen=True)
class Hints:
    """The columns of a header that may be meant as others.

    Attributes:
        close: For each column that is not read and close to one that would be, that one.
        present: The columns that are there.
    """

    close: tuple[tuple[str, str], ...]
    present: frozenset[str]

    @classmethod
    def of(cls, names: Sequence[str], present: Collection[str], known: Collection[str]) -> Self:
        """The hints about a header.

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
        close = ((name, _meant(name, keys)) for name in unread)
        return cls(tuple((name, column) for name, column in close if column), frozenset(present))

    def for_kind(self, kind: ResourceType) -> str:
        """A question for a message that a kind's column is missing; "" if nothing is like it."""
        meant = [
            (name, column) for name, column in self.close if column in (kind.name, kind.id_column)
        ]
        if not meant:
            return ""
        (name, column), *_ = meant
        return f" Did you mean {column} by {shortened(name)!r}?"

    def problems(self, header_row: int) -> list[Problem]:
        """Columns that would be ignored, and the ads be made without what they ask for."""
        return [
            Problem(
                f"{shortened(name)!r} is not read. Did you mean {column}? Then rename it; and if "
                "it is a column of your own, give it a name that is less like that one.",
                row=header_row,
            )
            for name, column in self.close
            if column not in self.present | _REQUIRED | _DOUBTFUL
        ]

    @property
    def notes(self) -> list[str]:
        """What else is worth a look, in a sentence each."""
        return [
            f"The column {shortened(name)!r} is not read as {column}, which it is like."
            for name, column in self.close
            if column in _DOUBTFUL - self.present
        ]


def _meant(name: str, keys: dict[str, str]) -> str:
    """The known column that a name is like, or ""."""
    key = column_key(name[:HINT_LENGTH]).strip("?:*#()")
    for candidate in _shorter(key):
        if candidate in keys:
            return keys[candidate]
        if candidate in _SHORT and column_key(_SHORT[candidate]) in keys:
            return _SHORT[candidate]
    near = difflib.get_close_matches(key, keys, 1, _LIKE)
    return keys[near[0]] if near else ""


def _shorter(key: str) -> Iterator[str]:
    yield key
    for ending in _ENDINGS:
        if key.endswith(ending):
            yield key.removesuffix(ending)
    if key.endswith("sid"):
        yield f"{key.removesuffix('sid')}id"
