"""Placeholders in prompts: `{product_name}, now {price}` is filled in from the row's columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from typing import Final

from prefect_staticadslab.bounds import PROMPT_PLACEHOLDERS
from prefect_staticadslab.campaign.files.cells import column_key, normalized, shortened
from prefect_staticadslab.campaign.names.nearest import Nearest

SUGGESTED: Final = 8
"""Columns that are named if a placeholder is none."""


class PlaceholderError(ValueError):
    """A prompt's placeholders are wrong. The message is meant for the user."""


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt with placeholders.

    Attributes:
        pieces: Text, each with the column that follows it, as `normalized` has it; or None.
    """

    pieces: tuple[tuple[str, str | None], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is filled in from, each once."""
        return tuple(dict.fromkeys(column for _, column in self.pieces if column is not None))

    def length(self, values: Mapping[str, str]) -> int:
        """How many characters the prompt has, given what each column holds."""
        return sum(
            len(text) + (0 if column is None else len(values[column]))
            for text, column in self.pieces
        )

    def fill(self, values: Mapping[str, str]) -> str:
        """The prompt, given what each column holds."""
        return "".join(
            text + ("" if column is None else values[column]) for text, column in self.pieces
        )

    def may_have_become(self, prompt: str, values: Mapping[str, str]) -> bool:
        """Whether a prompt can be this one, filled in.

        Args:
            prompt: The prompt.
            values: What columns hold; those that are not among them may have held anything.

        Example:
            ```python
            from prefect_staticadslab.campaign.names.prompt_templates import parse_prompt

            template = parse_prompt("{brand}, now {price}", ["brand", "price"])
            assert template.may_have_become("Tea, now 3.50", {"price": "3.50"})
            assert not template.may_have_become("Tea, now 3.50", {"price": "2.00"})
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
        place, end = len(first), len(prompt) - len(last)
        for text in others:
            place = prompt.find(text, place, end)
            if place < 0:
                return False
            place += len(text)
        return place <= end


class PlaceholderColumns:
    """The columns that placeholders may name, taken apart once for all prompts of a spreadsheet.

    Args:
        names: Their names, as `normalized` has them, in the spreadsheet's order.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = dict.fromkeys(names)
        self._nearest = Nearest(self._names)

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        """The columns by what `column_key` makes of their names."""
        found: dict[str, list[str]] = {}
        for name in self._names:
            found.setdefault(column_key(name), []).append(name)
        return found

    def find(self, name: str) -> str | None:
        """The column that a placeholder names: exactly, or with other signs between its words.

        Raises:
            PlaceholderError: It could be one of several.
        """
        if normalized(name) in self._names:
            return normalized(name)
        key = column_key(name)
        same = self._by_key.get(key, []) if key else []
        if len(same) > 1:
            named = " or ".join(f"{{{shortened(column)}}}" for column in same[:SUGGESTED])
            raise PlaceholderError(f"{{{shortened(name)}}} may be {named}. Write one of them.")
        return same[0] if same else None

    def message_for(self, given: str, *, has_format: bool) -> str:
        """What is told of a placeholder that names none of them."""
        name = shortened(given)
        if not name:
            return "has an empty placeholder {}. Put a column's name between the braces."
        if has_format or "." in name or "[" in name:
            return f"{{{name}}} is more than a column's name. A placeholder looks like {{price}}."
        ranked = self._nearest.by_similarity(normalized(given))[:SUGGESTED]
        similar = ", ".join(map(shortened, ranked))
        more = ", …" if len(self._names) > SUGGESTED else ""
        return f"{{{name}}} is no column. There are, the most similar first: {similar}{more}."


def has_placeholders(prompt: str) -> bool:
    """Whether a prompt has any brace; one without braces is sent as it is."""
    return "{" in prompt or "}" in prompt


def parse_prompt(prompt: str, columns: Collection[str] | PlaceholderColumns) -> PromptTemplate:
    """Reads a prompt's placeholders: `str.format`'s, but of names alone.

    Args:
        prompt: The prompt, with literal braces doubled.
        columns: What a placeholder may name, as `normalized` has it, in the spreadsheet's order;
            for many prompts, one `PlaceholderColumns` for all of them.

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
        # A column's name may hold what else would ask for a form.
        name = (
            field
            + (f"!{conversion}" if conversion else "")
            + (f":{format_spec}" if format_spec else "")
        )
        column = known.find(name)
        if column is None:
            has_format = bool(format_spec or conversion)
            raise PlaceholderError(known.message_for(name, has_format=has_format))
        pieces.append(("".join(texts), column))
        texts = []
    return PromptTemplate((*pieces, ("".join(texts), None)))
