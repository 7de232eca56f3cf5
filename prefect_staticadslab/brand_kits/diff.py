"""Compares what is saved with what should be: pure, and never with a key in what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from prefect_staticadslab.api.connection import API_KEY_VARIABLE
from prefect_staticadslab.brand_kits.kit import BrandKit, described
from prefect_staticadslab.credentials import StaticAdsLabCredentials

WIDEST: Final = 120
"""Of a longer text, what is shown begins where it differs."""

BEFORE: Final = 15
"""And so many characters before."""


class Standing(StrEnum):
    """How a saved block stands to what was asked for."""

    MISSING = "missing"
    SAME = "same"
    DIFFERS = "differs"


@dataclass(frozen=True)
class Difference:
    """One field that is not the same.

    Attributes:
        field: Its name.
        saved: What it is in Prefect, for people.
        wanted: What it should be.
    """

    field: str
    saved: str
    wanted: str

    def message_in(self, source: str) -> str:
        """The difference, before anything is replaced."""
        return f"{self.field} is {self.saved} in Prefect and {self.wanted} in the {source}"

    def replaced(self) -> str:
        """The difference, once it is replaced."""
        return f"{self.field} was {self.saved} and is now {self.wanted}"


@dataclass(frozen=True)
class SavedCredentials:
    """A credentials block as Prefect has it.

    Attributes:
        api_key: Its key.
        base_url: Where its API is.
        usable: The block, if it is fit for use.
        unfit: Why it is not.
    """

    api_key: SecretStr
    base_url: str
    usable: StaticAdsLabCredentials | None = None
    unfit: str = ""


@dataclass(frozen=True)
class Finding:
    """How one block stands.

    Attributes:
        title: What it is, with its name, for people.
        standing: How it stands.
        differences: What is not the same.
        source: Where it is said how it should be.
    """

    title: str
    standing: Standing
    differences: tuple[Difference, ...] = ()
    source: str = "file"

    def is_due(self, *, overwrite: bool) -> bool:
        """Whether it is to be saved.

        Args:
            overwrite: Whether what differs is replaced.
        """
        differs = self.standing is Standing.DIFFERS
        return self.standing is Standing.MISSING or (overwrite and differs)

    def lines(self) -> list[str]:
        """What to say of it if nothing is done about it."""
        match self.standing:
            case Standing.MISSING:
                return [f"{self.title} is not there."]
            case Standing.SAME:
                return [f"{self.title} is there already, and the same."]
        return [f"{self.title}: {each.message_in(self.source)}." for each in self.differences]

    def lines_after(self, contents: str = "") -> list[str]:
        """What to say of it once it is saved."""
        if self.standing is Standing.MISSING:
            return [f"{self.title} is saved{f': {contents}' if contents else ''}."]
        return [f"{self.title} is replaced: {each.replaced()}." for each in self.differences]


def compare_credentials(
    name: str, saved: SavedCredentials | None, wanted: StaticAdsLabCredentials | None
) -> Finding:
    """How the credentials block stands to those of the environment; None are not given there."""
    title = f"Block {name!r}"
    if saved is None:
        return Finding(title, Standing.MISSING, source="environment")
    differences = []
    if wanted is not None:
        if saved.api_key.get_secret_value() != wanted.api_key.get_secret_value():
            differences.append(Difference("api_key", "another key", f"that of {API_KEY_VARIABLE}"))
        theirs = saved.usable.base_url if saved.usable else saved.base_url
        if theirs != wanted.base_url:
            differences.append(Difference("base_url", repr(theirs), repr(wanted.base_url)))
    standing = Standing.DIFFERS if differences else Standing.SAME
    return Finding(title, standing, tuple(differences), "environment")


def compare_kit(saved: BrandKit | None, wanted: BrandKit, names: Mapping[str, str]) -> Finding:
    """How a brand kit stands.

    Args:
        saved: What Prefect has; None is nothing.
        wanted: What the file says.
        names: The names of ids.
    """
    title = f"Brand kit {wanted.name!r}"
    if saved is None:
        return Finding(title, Standing.MISSING)
    differences = []
    for field in fields(BrandKit):
        before, after = getattr(saved, field.name), getattr(wanted, field.name)
        if before == after:
            continue
        if field.name == "credentials":
            texts = f"the block {before!r}" if before else "a copy of a key", f"the block {after!r}"
        elif field.name == "prompt":
            texts = _excerpts(before, after)
        else:
            texts = _value(before, names), _value(after, names)
        differences.append(Difference(field.name, *texts))
    standing = Standing.DIFFERS if differences else Standing.SAME
    return Finding(title, standing, tuple(differences))


def contents(kit: BrandKit, names: Mapping[str, str]) -> str:
    """What a kit holds, for people."""
    return ", ".join(described(identifier, names) for identifier in kit.ids)


def _value(value: str | bool | None, names: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return described(value, names) if value else "not set"


def _excerpts(before: str, after: str) -> tuple[str, str]:
    """Two texts from where they differ, or all of them if they are short."""
    start = 0
    if max(len(before), len(after)) > WIDEST:
        pairs = zip(before, after, strict=False)
        same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(after)))
        start = max(0, same - BEFORE)
    return _excerpt(before, start), _excerpt(after, start)


def _excerpt(text: str, start: int) -> str:
    if not text:
        return "not set"
    shown = text[start : start + WIDEST]
    cut = "…" if start + WIDEST < len(text) else ""
    return repr(f"{'…' if start else ''}{shown}{cut}")
