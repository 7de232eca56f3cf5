"""Compares saved blocks with what they should hold. No I/O, and no message shows a key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.brand_kits.kit import BrandKit, id_with_name
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
)
from prefect_staticadslab.credentials import StaticAdsLabCredentials

WIDEST: Final = 120
"""Characters of a text in a message; a longer one is shown from the first difference on."""

CONTEXT: Final = 15
"""Characters shown before the first difference."""


class BlockStatus(StrEnum):
    """Whether a block is saved, and with the expected content."""

    MISSING = "missing"
    SAME = "same"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Difference:
    """One field that is not the same.

    Attributes:
        field: Its name.
        saved: What it is in Prefect, for people.
        expected: What it should be.
    """

    field: str
    saved: str
    expected: str

    def message_in(self, source: str) -> str:
        """The difference, for people, as long as nothing is replaced.

        Args:
            source: Where the expected value is from, such as `file`.
        """
        return f"{self.field} is {self.saved} in Prefect and {self.expected} in the {source}"

    def replaced_message(self) -> str:
        """The difference, for people, once the saved value is replaced."""
        return f"{self.field} was {self.saved} and is now {self.expected}"


@dataclass(frozen=True)
class SavedCredentials:
    """A credentials block as Prefect has it.

    Attributes:
        api_key: Its key.
        base_url: Where its API is.
        usable: The credentials, if they are valid; else None.
        problem: Why they are not valid; else "".
    """

    api_key: SecretStr
    base_url: str
    usable: StaticAdsLabCredentials | None = None
    problem: str = ""


@dataclass(frozen=True)
class BlockComparison:
    """How one saved block compares with what it should hold.

    Attributes:
        title: What it is, with its name, for people.
        status: Whether it is missing, the same or different.
        differences: The fields that differ.
        source: Where the expected content comes from, for messages: the file or the environment.
    """

    title: str
    status: BlockStatus
    differences: tuple[Difference, ...] = ()
    source: str = "file"

    def must_be_saved(self, *, overwrite: bool) -> bool:
        """Whether the block is missing, or differs and is to be replaced.

        Args:
            overwrite: Whether blocks that differ are replaced.
        """
        is_different = self.status is BlockStatus.DIFFERS
        return self.status is BlockStatus.MISSING or (overwrite and is_different)

    def lines_if_left(self) -> list[str]:
        """What to print if the block is left as it is, a line per fact."""
        match self.status:
            case BlockStatus.MISSING:
                return [f"{self.title} is not there."]
            case BlockStatus.SAME:
                return [f"{self.title} is there already, and the same."]
        return [f"{self.title}: {each.message_in(self.source)}." for each in self.differences]

    def lines_if_saved(self, contents: str = "") -> list[str]:
        """What to print once the block is saved or replaced, a line per fact.

        Args:
            contents: What to print of the contents of a new block; "" for nothing.
        """
        if self.status is BlockStatus.MISSING:
            return [f"{self.title} is saved{f': {contents}' if contents else ''}."]
        return [
            f"{self.title} is replaced: {each.replaced_message()}." for each in self.differences
        ]


def compare_credentials(
    name: str, saved: SavedCredentials | None, expected: StaticAdsLabCredentials | None
) -> BlockComparison:
    """Compares a saved credentials block with the environment's credentials.

    Args:
        name: The block's name.
        saved: What Prefect has; None if there is no such block.
        expected: The environment's credentials; None if it has none, and then a saved block counts
            as the same.
    """
    title = f"Block {name!r}"
    if saved is None:
        return BlockComparison(title, BlockStatus.MISSING, source="environment")
    differences = []
    if expected is not None:
        if saved.api_key.get_secret_value() != expected.api_key.get_secret_value():
            differences.append(Difference("api_key", "another key", f"that of {API_KEY_VARIABLE}"))
        saved_url = saved.usable.base_url if saved.usable else saved.base_url
        if saved_url != expected.base_url:
            differences.append(Difference("base_url", repr(saved_url), repr(expected.base_url)))
    status = BlockStatus.DIFFERS if differences else BlockStatus.SAME
    return BlockComparison(title, status, tuple(differences), "environment")


def compare_kit(
    saved: BrandKit | None, expected: BrandKit, names: Mapping[str, str]
) -> BlockComparison:
    """Compares a saved brand kit with the one of the file.

    Args:
        saved: What Prefect has; None if there is no such block.
        expected: The kit of the file.
        names: The resources' names by their ids, for messages.
    """
    title = f"Brand kit {expected.name!r}"
    if saved is None:
        return BlockComparison(title, BlockStatus.MISSING)
    differences = []
    for (name, before), after in zip(saved.fields.items(), expected.fields.values(), strict=True):
        if before == after:
            continue
        if name == "credentials":
            texts = f"the block {before!r}" if before else "a copy of a key", f"the block {after!r}"
        elif name == "prompt":
            texts = _excerpts(before, after)
        else:
            texts = _value_text(before, names), _value_text(after, names)
        differences.append(Difference(name, *texts))
    status = BlockStatus.DIFFERS if differences else BlockStatus.SAME
    return BlockComparison(title, status, tuple(differences))


def ids_with_names(kit: BrandKit, names: Mapping[str, str]) -> str:
    """A kit's ids with the resources' names, for people: the brand first, the template last."""
    kinds = (BRAND, PRODUCT, VARIANT, AUDIENCE, TEMPLATE)
    ids = filter(None, (getattr(kit.ad, kind.id_column) for kind in kinds))
    return ", ".join(id_with_name(identifier, names) for identifier in ids)


def _value_text(value: str | bool | None, names: Mapping[str, str]) -> str:
    """A field's value as a message shows it: an id with its name, `not set` if it is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return id_with_name(value, names) if value else "not set"


def _excerpts(before: str, after: str) -> tuple[str, str]:
    """Two texts as a message shows them: from just before where they differ if one is long."""
    start = 0
    if max(len(before), len(after)) > WIDEST:
        pairs = zip(before, after, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
        start = max(0, same - CONTEXT)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    """`WIDEST` characters from `start`, in quotes, and dots for the rest; `not set` for no text."""
    if not text:
        return "not set"
    excerpt = text[start : start + WIDEST]
    ellipsis = "…" if start + WIDEST < len(text) else ""
    return repr(f"{'…' if start else ''}{excerpt}{ellipsis}")
