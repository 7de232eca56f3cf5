"""Placeholders in prompts: `{product_name}, now {price}` is filled in from the row's columns."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Final

from prefect_staticadslab.campaign.files.cells import normalized, shortened

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

    def fill(self, values: Mapping[str, str]) -> str:
        """The prompt, given what each column holds."""
        return "".join(
            text + ("" if column is None else values[column]) for text, column in self.pieces
        )


def has_placeholders(prompt: str) -> bool:
    """Whether a prompt has braces at all; one that has none is sent as it is."""
    return "{" in prompt or "}" in prompt


def parse_prompt(prompt: str, columns: Collection[str]) -> PromptTemplate:
    """Reads a prompt's placeholders: `str.format`'s, but of names alone.

    Args:
        prompt: The prompt, with literal braces doubled.
        columns: What a placeholder may name, as `normalized` has it, in the spreadsheet's order.

    Raises:
        PlaceholderError: A brace stands alone, or a placeholder names no column.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.prompt_templates import parse_prompt

        template = parse_prompt("{Product_Name}, now {price}", ["product_name", "price"])
        assert template.fill({"product_name": "Tea", "price": "3.50"}) == "Tea, now 3.50"
        ```
    """
    try:
        parsed = list(Formatter().parse(prompt))
    except ValueError:
        raise PlaceholderError(
            "has a brace that makes no placeholder. One looks like {price}; a brace that should "
            "be seen is written twice, {{ or }}."
        ) from None
    pieces: list[tuple[str, str | None]] = []
    for text, field, form, conversion in parsed:
        if field is None:
            pieces.append((text, None))
            continue
        # A column's name may hold what else would ask for a form.
        given = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
        if normalized(given) not in columns:
            raise PlaceholderError(_refusal(given, bool(form or conversion), columns))
        pieces.append((text, normalized(given)))
    return PromptTemplate(tuple(pieces))


def _refusal(given: str, formed: bool, columns: Collection[str]) -> str:
    name = shortened(given)
    if not name:
        return "has an empty placeholder {}. Put a column's name between the braces."
    if formed or "." in name or "[" in name:
        return f"{{{name}}} is more than a column's name. A placeholder looks like {{price}}."
    alike = sorted(
        columns,
        key=lambda column: -difflib.SequenceMatcher(None, normalized(given), column).ratio(),
    )
    more = ", …" if len(alike) > SUGGESTED else ""
    return (
        f"{{{name}}} is no column. There are, the most similar first: "
        f"{', '.join(alike[:SUGGESTED])}{more}."
    )
