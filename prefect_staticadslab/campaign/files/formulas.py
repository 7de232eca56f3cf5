"""Formulas: what a spreadsheet program would compute, where only a text is meant.

A spreadsheet program takes a cell of a CSV for a formula if it begins with `=`, `+`, `-`, `@`, a
tab or a carriage return, whoever wrote it (OWASP, "CSV Injection"). Text that is not the user's
own, such as an error of the API or a name from its catalogue, is written behind an apostrophe
then, which is the programs' own sign for a text; and what reads a name, a prompt or a result
removes that sign. The user's own cells stay what they are.
"""

from __future__ import annotations

import re
from typing import Any, Final

_APOSTROPHE: Final = "'"

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
"""A formula's beginning, and one with apostrophes before it, which needs another one."""

_QUOTED = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")
"""A formula's beginning with apostrophes before it."""


_TEXT_FORMULA = re.compile(r'="((?:[^"]|"")*)"')
"""A formula that is nothing but a text."""


class CatalogueText(str):
    """Text from the API's catalogue, or with such text in it, in a cell of a table."""

    __slots__ = ()


class TextFormula(str):
    """The text of a cell of a CSV that is a formula for it, as `="007"`: so shops keep zeros.

    Attributes:
        formula: The cell as it was read, and is to be written.
    """

    formula: str = ""


class FilledIn(str):
    """A text that was filled in from a row's cells.

    Attributes:
        parts: What it is made of: a text, a cell as it was read, a text, and so on; a text is last.
    """

    parts: tuple[Any, ...] = ()


class FilledInCatalogueText(FilledIn, CatalogueText):
    """A text that was filled in from a row's cells and from the API's catalogue."""


def read_text_formula(cell: str) -> str:
    """A cell of a CSV as the text that a spreadsheet program shows, if it is a formula for a text.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formulas import read_text_formula

        assert read_text_formula('="007"') == "007"
        assert read_text_formula('="a ""quoted"" one"') == 'a "quoted" one'
        assert read_text_formula('="a"&"b"') == '="a"&"b"'
        ```
    """
    match = _TEXT_FORMULA.fullmatch(cell)
    if match is None:
        return cell
    text = TextFormula(match[1].replace('""', '"'))
    text.formula = cell
    return text


def escape_formula(text: str) -> str:
    """A text for .csv: what a spreadsheet program would take for a formula gets an apostrophe.

    `unescape` removes it.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formulas import escape_formula, unescape

        assert escape_formula("=1+1") == "'=1+1"
        assert escape_formula("Harbor Roast") == "Harbor Roast"
        assert unescape(escape_formula("'=x")) == "'=x"
        ```
    """
    return _APOSTROPHE + text if _FORMULA.match(text) else str(text)


def escape_apostrophe(text: str) -> str:
    """A text for .xlsx and Parquet: one that begins like `'=1` gets another apostrophe before it.

    `unescape` removes it.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.formulas import escape_apostrophe, unescape

        assert escape_apostrophe("=1+1") == "=1+1"
        assert unescape(escape_apostrophe("'=1+1")) == "'=1+1"
        ```
    """
    return _APOSTROPHE + text if _QUOTED.match(text) else str(text)


def unescape(text: str) -> str:
    """A text without the apostrophe that `escape_formula` or `escape_apostrophe` put before it."""
    return text[1:] if _QUOTED.match(text) else text
