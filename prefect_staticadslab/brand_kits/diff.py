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

BEFORE: Final = 15
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
        """The difference, before anything is replaced."""
        return f"{self.field} is {self.saved} in Prefect and {self.expected} in the {source}"

    def replaced(self) -> str:
        """The difference, once it is replaced."""
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

    def is_due(self, *, overwrite: bool) -> bool:
        """Whether it must be saved: it is missing, or differs and may be overwritten.

        Args:
            overwrite: Whether what differs is replaced.
        """
        is_different = self.status is BlockStatus.DIFFERS
        return self.status is BlockStatus.MISSING or (overwrite and is_different)

    def lines(self) -> list[str]:
        """What to tell people about it if it is left as it is, a line per fact."""
        match self.status:
            case BlockStatus.MISSING:
                return [f"{self.title} is not there."]
            case BlockStatus.SAME:
                return [f"{self.title} is there already, and the same."]
        return [f"{self.title}: {each.message_in(self.source)}." for each in self.differences]

    def lines_after(self, contents: str = "") -> list[str]:
        """What to tell people about it once it is saved, a line per fact."""
        if self.status is BlockStatus.MISSING:
            return [f"{self.title} is saved{f': {contents}' if contents else ''}."]
        return [f"{self.title} is replaced: {each.replaced()}." for each in self.differences]


def compare_credentials(
    name: str, saved: SavedCredentials | None, expected: StaticAdsLabCredentials | None
) -> BlockComparison:
    """Compares a saved credentials block with the environment's credentials.

    Args:
        name: The block's name.
        saved: What Prefect has; None if there is no such block.
        expected: The environment's credentials; None if it has none, and then none can differ.
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
        names: The resources' names by their ids.
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
            texts = _value(before, names), _value(after, names)
        differences.append(Difference(name, *texts))
    status = BlockStatus.DIFFERS if differences else BlockStatus.SAME
    return BlockComparison(title, status, tuple(differences))


def contents(kit: BrandKit, names: Mapping[str, str]) -> str:
    """A kit's ids with their names, for people; the brand's first."""
    kinds = (BRAND, PRODUCT, VARIANT, AUDIENCE, TEMPLATE)
    ids = filter(None, (getattr(kit.ad, kind.id_column) for kind in kinds))
    return ", ".join(id_with_name(identifier, names) for identifier in ids)


def _value(value: str | bool | None, names: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return id_with_name(value, names) if value else "not set"


def _excerpts(before: str, after: str) -> tuple[str, str]:
    """Two texts as a message shows them: from where they differ, or whole if they are short."""
    start = 0
    if max(len(before), len(after)) > WIDEST:
        pairs = zip(before, after, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
        start = max(0, same - BEFORE)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    if not text:
        return "not set"
    excerpt = text[start : start + WIDEST]
    ellipsis = "…" if start + WIDEST < len(text) else ""
    return repr(f"{'…' if start else ''}{excerpt}{ellipsis}")
