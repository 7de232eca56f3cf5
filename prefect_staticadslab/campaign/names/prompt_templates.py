"""Placeholders in prompts: `{product_name}, now {price}` is filled in from the row's columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from string import Formatter
from typing import Any, Final

from prefect_staticadslab.bounds import PROMPT_PLACEHOLDERS
from prefect_staticadslab.campaign.files.cells import (
    column_key,
    normalized,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.files.formulas import FilledIn, FilledInCatalogueText
from prefect_staticadslab.campaign.names.nearest import Nearest

SUGGESTED: Final = 8
"""Columns that are suggested for a placeholder that names no column."""


class PlaceholderError(ValueError):
    """A prompt's placeholders are wrong. The message is meant for the user."""


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt with placeholders.

    Attributes:
        pieces: Its parts in their order: a text, and the normalized name of the column whose value
            comes after it; None after the last text.
    """

    pieces: tuple[tuple[str, str | None], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its placeholders name, each once."""
        return tuple(dict.fromkeys(column for _, column in self.pieces if column is not None))

    def length(self, values: Mapping[str, str]) -> int:
        """How many characters the filled-in prompt has, given each column's value."""
        return sum(
            len(text) + (0 if column is None else len(values[column]))
            for text, column in self.pieces
        )

    def fill(self, values: Mapping[str, str]) -> str:
        """The filled-in prompt, given each column's value."""
        return "".join(
            text + ("" if column is None else values[column]) for text, column in self.pieces
        )

    def parts(self, cells: Mapping[str, Any]) -> tuple[Any, ...]:
        """Its texts and, between them, the cell of each placeholder; given each column's cell."""
        between = ((text, cells[column]) for text, column in self.pieces if column is not None)
        return (*chain.from_iterable(between), self.pieces[-1][0])

    def can_produce(self, prompt: str, values: Mapping[str, str]) -> bool:
        """Whether filling in this template can give a prompt.

        Args:
            prompt: The filled-in prompt.
            values: Columns' values; a column that is not among them may have any value.

        Example:
            ```python
            from prefect_staticadslab.campaign.names.prompt_templates import parse_prompt

            template = parse_prompt("{brand}, now {price}", ["brand", "price"])
            assert template.can_produce("Tea, now 3.50", {"price": "3.50"})
            assert not template.can_produce("Tea, now 3.50", {"price": "2.00"})
            ```
        """
        texts = [""]
        for text, column in self.pieces:
            texts[-1] += text + values.get(column or "", "")
            if column is not None and column not in values:
                texts.append("")
        if len(texts) == 1:
            return prompt == texts[0]
        first, *others, last = texts
        if not prompt.startswith(first) or not prompt.endswith(last):
            return False
        start, end = len(first), len(prompt) - len(last)
        for text in others:
            start = prompt.find(text, start, end)
            if start < 0:
                return False
            start += len(text)
        return start <= end


class PlaceholderColumns:
    """The columns that placeholders may name; for all prompts of a spreadsheet.

    Args:
        names: Their normalized names, in the spreadsheet's order.
        written: The names as they are written, of columns whose normalized names are the same.
    """

    def __init__(self, names: Collection[str], written: Collection[str] = ()) -> None:
        self._names = dict.fromkeys(names)
        self._written = written
        self._nearest = Nearest(self._names)

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        """The columns by their `column_key`, which is the same for other signs between words."""
        found: dict[str, list[str]] = {}
        for name in self._names:
            found.setdefault(column_key(name), []).append(name)
        return found

    def find(self, name: str) -> str | None:
        """The column that a placeholder names: exactly, or with other signs between its words.

        Returns:
            The column's normalized name; None if there is no such column.

        Raises:
            PlaceholderError: It could be one of several.
        """
        if normalized(name) in self._names:
            alike = [each for each in self._written if normalized(each) == normalized(name)]
            if alike:
                named = " or ".join(repr(shortened(each)) for each in alike[:SUGGESTED])
                raise PlaceholderError(
                    f"{{{shortened(name)}}} may be the column {named}. Rename one."
                )
            return normalized(name)
        key = column_key(name)
        same = self._by_key.get(key, []) if key else []
        if len(same) > 1:
            named = " or ".join(f"{{{shortened(column)}}}" for column in same[:SUGGESTED])
            raise PlaceholderError(f"{{{shortened(name)}}} may be {named}. Write one of them.")
        return same[0] if same else None

    def unknown_placeholder_message(self, given: str, *, has_format: bool) -> str:
        """The message for a placeholder that names no column.

        Args:
            given: What stands between its braces.
            has_format: Whether that has a conversion or a format, as `{price!r}` and `{price:.2f}`.
        """
        name = shortened(given)
        if not name:
            return "has an empty placeholder {}. Put a column's name between the braces."
        if has_format or "." in name or "[" in name:
            return f"{{{name}}} is more than a column's name. A placeholder looks like {{price}}."
        ranked = self._nearest.by_similarity(normalized(given))[:SUGGESTED]
        similar = ", ".join(map(shortened, ranked))
        more = ", …" if len(self._names) > SUGGESTED else ""
        return f"{{{name}}} is no column. There are, the most similar first: {similar}{more}."


def has_braces(prompt: str) -> bool:
    """Whether a prompt has any brace, and so must be parsed; one without is sent as it is."""
    return "{" in prompt or "}" in prompt


def parse_prompt(prompt: str, columns: Collection[str] | PlaceholderColumns) -> PromptTemplate:
    """Parses a prompt's placeholders: those of `str.format`, but with nothing except a name.

    Args:
        prompt: The prompt, with literal braces doubled.
        columns: The normalized names of the columns that a placeholder may name, in the
            spreadsheet's order; for many prompts, one `PlaceholderColumns` for all of them.

    Raises:
        PlaceholderError: A brace stands alone, a placeholder names no column, or there are too
            many.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.prompt_templates import parse_prompt

        template = parse_prompt("{Product_Name}, now {price}", ["product_name", "price"])
        assert template.fill({"product_name": "Tea", "price": "3.50"}) == "Tea, now 3.50"
        assert parse_prompt("{Product Name}", ["product_name"]).columns == ("product_name",)
        ```
    """
    try:
        parsed = list(Formatter().parse(prompt))
    except ValueError:
        raise PlaceholderError(
            "has a brace that makes no placeholder. One looks like {price}; a brace that should "
            "be seen is written twice, {{ or }}."
        ) from None
    if sum(field is not None for _, field, _, _ in parsed) > PROMPT_PLACEHOLDERS:
        raise PlaceholderError(
            f"has more than {PROMPT_PLACEHOLDERS} placeholders. Write some of it out."
        )
    known = columns if isinstance(columns, PlaceholderColumns) else PlaceholderColumns(columns)
    pieces: list[tuple[str, str | None]] = []
    texts: list[str] = []
    for text, field, format_spec, conversion in parsed:
        texts.append(text)
        if field is None:
            continue
        # A column's name may hold `!` and `:`, which begin a conversion and a format.
        name = (
            field
            + (f"!{conversion}" if conversion else "")
            + (f":{format_spec}" if format_spec else "")
        )
        column = known.find(name)
        if column is None:
            has_format = bool(format_spec or conversion)
            raise PlaceholderError(known.unknown_placeholder_message(name, has_format=has_format))
        pieces.append(("".join(texts), column))
        texts = []
    return PromptTemplate((*pieces, ("".join(texts), None)))


def fill_prompt(
    prompt: PromptTemplate,
    values: Mapping[str, str],
    cells: Mapping[str, Any],
    *,
    has_catalogue_names: bool,
) -> FilledIn:
    """A prompt, filled in, that remembers which of its parts are from which cells.

    Args:
        prompt: The prompt with placeholders.
        values: The value of each column that its placeholders name.
        cells: The cells that the values were read from, by column.
        has_catalogue_names: Whether names from the catalogue are among the values: then control
            characters are left out.
    """
    text = prompt.fill(values)
    filled = FilledInCatalogueText(plain_text(text)) if has_catalogue_names else FilledIn(text)
    filled.parts = prompt.parts(cells)
    return filled
