"""Reads a file of brand kits: TOML or YAML, a table for each kit. All problems are collected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from prefect_staticadslab.api.models import ImageAdOptions
from prefect_staticadslab.bounds import HINT_LENGTH, KIT_FIELDS, KITS_BYTES
from prefect_staticadslab.brand_kits.kit import BrandKit, block_name_problem, kit_words
from prefect_staticadslab.brand_kits.kit_syntax import parse_toml, parse_yaml
from prefect_staticadslab.campaign.errors import CampaignError, Problem, Words
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import plain_text, shortened
from prefect_staticadslab.campaign.names.cell_syntax import ALL, Selector, read_selector
from prefect_staticadslab.campaign.names.resolver import BriefLine
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.columns import BOOLEAN_COLUMNS, NAME_COLUMNS
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, ResourceType

TOML: Final = (".toml",)
YAML: Final = (".yaml", ".yml")

TOML_EXAMPLE: Final = '[harbor-roast]\nbrand = "Harbor Roast"'
YAML_EXAMPLE: Final = 'harbor-roast:\n  brand: "Harbor Roast"'

RESOURCE_FIELDS: Final = tuple(n for name in NAME_COLUMNS for n in (name, f"{name}_id"))
TEXT_FIELDS: Final = ("credentials", *RESOURCE_FIELDS, "prompt")
FIELDS: Final = (*TEXT_FIELDS, *BOOLEAN_COLUMNS)


@dataclass(frozen=True)
class WrittenKit:
    """A brand kit as somebody wrote it.

    Attributes:
        kit: The kit without its ids.
        line: Its number in the file, from 1, and what it says of each kind of resource that it
            names.
    """

    kit: BrandKit
    line: BriefLine


@dataclass(frozen=True)
class KitFile:
    """What was read of a file of brand kits.

    Attributes:
        kits: The kits, in the file's order.
        problems: What is wrong; if there is anything, the kits must not be used. A row is a kit.
    """

    kits: tuple[WrittenKit, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def words(self) -> Words:
        """The words for messages about the file."""
        return kit_words([written.kit.name for written in self.kits])


def open_kits(location: str, default_credentials: str) -> KitFile:
    """Reads a file of brand kits; problems of single kits are in the result.

    Args:
        location: A path that ends in `.toml`, `.yaml` or `.yml`.
        default_credentials: The credentials block of the kits that name none.

    Raises:
        CampaignError: It cannot be read at all.
    """
    path = Path(location)
    if path.is_dir():
        raise CampaignError(f"{location} is a folder. Name a file of brand kits.")
    if path.suffix.casefold() not in TOML + YAML:
        endings = ", ".join(TOML + YAML)
        raise CampaignError(f"{location} is no file of brand kits: its name must end in {endings}.")
    try:
        content = storage.read_bytes(location, most=KITS_BYTES, what="a file of brand kits")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampaignError(f"{location} is not UTF-8. Save it as UTF-8.") from error
    try:
        return read_kits(text, path.suffix.casefold(), default_credentials)
    except CampaignError as error:
        raise CampaignError(f"{location} {error}") from error


def read_kits(text: str, suffix: str, default_credentials: str) -> KitFile:
    """Reads the text of a file of brand kits; problems of single kits are in the result.

    Args:
        text: What is in it.
        suffix: How its name ends.
        default_credentials: The credentials block of the kits that name none.

    Raises:
        CampaignError: It is neither TOML nor YAML, or holds no table. The message goes on after
            the file's name.

    Example:
        ```python
        from prefect_staticadslab.brand_kits.kit_file import read_kits

        file = read_kits('[harbor-roast]\\nbrandd = "Harbor Roast"', ".toml", "static-ads-lab")
        assert file.problems[0].message.endswith("Did you mean brand?")
        ```
    """
    tables = parse_toml(text) if suffix in TOML else parse_yaml(text)
    if tables is None or tables == {}:
        example = TOML_EXAMPLE if suffix in TOML else YAML_EXAMPLE
        raise CampaignError(f"holds no brand kits. The smallest one looks like this:\n{example}")
    if not isinstance(tables, dict):
        raise CampaignError("must hold a table for each brand kit, and it holds something else.")
    if not any(_looks_like_kit(*entry) for entry in islice(tables.items(), KIT_FIELDS)):
        # It may be anybody's file, and what is in it is none of ours to tell.
        raise CampaignError(
            f"holds no brand kits: none of its entries has a field of one. There are: "
            f"{', '.join(FIELDS)}."
        )
    kits: list[WrittenKit] = []
    problems: list[Problem] = []
    for name, table in tables.items():
        if isinstance(table, dict):
            reader = _KitReader(str(name), len(kits) + 1)
            kits.append(reader.read(table, default_credentials))
            problems += reader.problems
        elif str(name) in FIELDS:
            message = f"{name} stands outside of any brand kit. Put it below the kit's name."
            problems.append(Problem(message))
        else:
            problems.append(Problem(f"{shortened(str(name))!r} is no table of fields."))
    return KitFile(tuple(kits), tuple(problems))


def _looks_like_kit(name: Any, table: Any) -> bool:
    """Whether a top-level entry looks like a brand kit, as an empty table does, or like a field of
    one."""
    if not isinstance(table, dict):
        return _nearest_field(str(name)) is not None
    return not table or any(map(_nearest_field, map(str, islice(table, KIT_FIELDS))))


def _nearest_field(name: str) -> str | None:
    """The field of a kit that is spelled most like a name; None if none is like it."""
    near = difflib.get_close_matches(name[:HINT_LENGTH].casefold(), FIELDS, 1)
    return next(iter(near), None)


class _KitReader:
    """Reads one kit, and collects what is wrong with it.

    Attributes:
        problems: What is wrong with what was read so far.
    """

    def __init__(self, name: str, number: int) -> None:
        """Takes the kit's name, and its number in the file, from 1."""
        self._name = name
        self._number = number
        self.problems: list[Problem] = []

    def read(self, table: Mapping[Any, Any], default_credentials: str) -> WrittenKit:
        """The kit that a table of the file is; what is wrong with it is added to `problems`.

        Args:
            table: The kit's fields.
            default_credentials: The credentials block of a kit that names none.
        """
        if wrong := block_name_problem(self._name):
            self._add_problem(None, wrong)
        for name in map(str, table):
            if name not in FIELDS:
                self._add_problem(name, _unknown_field_message(name))
        texts = {name: self._text(name, table.get(name)) for name in TEXT_FIELDS}
        switches = {name: self._switch(name, table.get(name)) for name in BOOLEAN_COLUMNS}
        credentials = texts["credentials"] or default_credentials
        if wrong := block_name_problem(credentials):
            self._add_problem("credentials", wrong)
        values_set = [value for name, value in texts.items() if value and name != "credentials"]
        values_set += [name for name, value in switches.items() if value is not None]
        if not values_set and not self.problems:
            self._add_problem(None, "is empty. Give it a brand, at least.")
        line = BriefLine(self._number, self._selectors(texts))
        editable = bool(switches.pop("editable"))
        ad = AdDefaults(
            prompt=texts["prompt"], editable=editable, options=ImageAdOptions(**switches)
        )
        return WrittenKit(BrandKit(self._name, credentials, ad), line)

    def _add_problem(self, name: str | None, message: str) -> None:
        """Adds a problem with a field, or with the whole kit if `name` is None."""
        self.problems.append(Problem(message, self._number, name))

    def _text(self, name: str, value: Any) -> str:
        """A field's text without white space around it; "", with a problem added, if it is none."""
        if value is None:
            return ""
        if isinstance(value, str):
            return plain_text(value).strip()
        hint = "" if isinstance(value, list | dict) else " Put it in quotes."
        self._add_problem(name, f"must be one text, and is {_value_words(value)}.{hint}")
        return ""

    def _switch(self, name: str, value: Any) -> bool | None:
        """A field's true or false; None if it is not set, or, with a problem added, is neither."""
        if value is None or isinstance(value, bool):
            return value
        self._add_problem(
            name, f"must be true or false, without quotes, and is {_value_words(value)}."
        )
        return None

    def _selectors(self, texts: Mapping[str, str]) -> dict[ResourceType, Selector]:
        """What the kit's ids and names select, by the type of resource.

        A name is looked up among those of a parent, so a kit without the parent has a problem,
        unless the name looks like an id.
        """
        selectors: dict[ResourceType, Selector] = {}
        for kind in RESOURCE_TYPES:
            id_text, name_text = texts[kind.id_column], texts[kind.name]
            if not id_text and not name_text:
                continue
            if ALL in (id_text, name_text):
                self._add_problem(
                    kind.name if name_text else kind.id_column, _one_only_message(kind)
                )
                continue
            has_parent = not kind.parent or texts[kind.parent] or texts[kind.parent_column]
            if name_text and not has_parent:
                if id_text or not name_text.startswith(kind.prefix):
                    self._add_problem(kind.name, _no_parent_message(kind))
                    continue
                id_text, name_text = name_text, ""
            selector, wrong = read_selector(kind, id_text, name_text, named=True)
            for column, message in wrong:
                self._add_problem(column if texts[column] else kind.name, message)
            if not wrong:
                column = selector.column if texts[selector.column] else kind.name
                selectors[kind] = replace(selector, column=column)
        return selectors


def _unknown_field_message(name: str) -> str:
    """What is wrong with a field that kits do not have, with the nearest that they have."""
    if nearest := _nearest_field(name):
        return f"is no field of a brand kit. Did you mean {nearest}?"
    return f"is no field of a brand kit. There are: {', '.join(FIELDS)}."


def _no_parent_message(kind: ResourceType) -> str:
    """What is wrong with a product's name, say, without a brand that it is looked up in."""
    return (
        f"{kind.with_article} is looked up by name among those of a {kind.parent}. "
        f"Give the kit its {kind.parent}, too, or say it with {kind.id_column} alone."
    )


def _one_only_message(kind: ResourceType) -> str:
    """What is wrong with `*` in a brand kit."""
    return f"{ALL} stands for all of them, and a brand kit has one {kind.thing}. Name it."


def _value_words(value: Any) -> str:
    """A value of a wrong type as a message shows it, such as `the number 4` or `a list`."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(shortened(value))
        case list():
            return "a list"
        case dict():
            return "a table"
    return shortened(str(value))
