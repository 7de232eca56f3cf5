"""Formulas: what a spreadsheet program would compute, where only a text is meant.

A spreadsheet program takes a cell of a CSV for a formula if it begins with `=`, `+`, `-`, `@`, a
tab or a carriage return, whoever wrote it (OWASP, "CSV Injection"). Text that is not the user's
own, such as an error of the API or a name from its catalogue, is written behind an apostrophe
then, which is the programs' own sign for a text; and whoever reads a name, a prompt or a result
takes that sign off again. Her own cells stay what they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

_APOSTROPHE: Final = "'"

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_QUOTED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


class CatalogueText(str):
    """Text from the API's catalogue, or with such text in it, in a cell of a table."""

    __slots__ = ()


class FilledIn(str):
    """A text that was filled in from a row's cells.

    Attributes:
        parts: What it is made of: texts, and between them the cells, as they were read.
    """

    parts: tuple[Any, ...] = ()


class FilledInCatalogueText(FilledIn, CatalogueText):
    """A text that was filled in from a row's cells and from the API's catalogue."""


def inert(text: str) -> str:
    """A text with an apostrophe before what a spreadsheet program would take for a formula.

    `as_written` takes it off again.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formulas import as_written, inert

        assert inert("=1+1") == "'=1+1"
        assert inert("Harbor Roast") == "Harbor Roast"
        assert as_written(inert("'=x")) == "'=x"
        ```
    """
    return _APOSTROPHE + text if _FORMULA.match(text) else str(text)


def escape_apostrophe(text: str) -> str:
    """A text for .xlsx and Parquet: one that begins like `'=1` gets another apostrophe before it.

    `as_written` takes that off again.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formulas import as_written, escape_apostrophe

        assert escape_apostrophe("=1+1") == "=1+1"
        assert as_written(escape_apostrophe("'=1+1")) == "'=1+1"
        ```
    """
    return _APOSTROPHE + text if _QUOTED.match(text) else str(text)


def as_written(text: str) -> str:
    """A text without the apostrophe that `inert` or `escape_apostrophe` put before it."""
    return text[1:] if _QUOTED.match(text) else text
