"""The artifacts' contents: Markdown and rows of bounded size, in which no cell is markup.

Prefect's UI renders Markdown and the HTML in it, so everything that comes from a spreadsheet or
from the API is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words, ranges
from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.result_table import JobTable
from prefect_staticadslab.orchestration.reporting.table_facts import (
    LONGEST_FACT,
    BrandCost,
    RowFacts,
)

TABLE_ROWS: Final = 100
"""The most rows in the table's artifact; the file has them all."""

PICTURES: Final = 24
"""The most pictures in the gallery: each is a 4K PNG that the browser loads whole."""

PICTURES_ABREAST: Final = 3
PICTURE_WIDTH: Final = 180
"""In pixels of the page."""

LISTED_CAUSES: Final = 20
"""The most causes of failures in a summary, and lines of one spreadsheet's message in an inbox's
summary."""

SPREADSHEETS: Final = 50
"""The most spreadsheets in an inbox's summary."""

_LONGEST_CELL: Final = 200
_LONGEST_RANGES: Final = 80
_LONGEST_URL: Final = 1000
"""A signed URL is long, and a part of one is worth nothing."""


BRANDS: Final = 50
"""The most brands whose costs are in a summary, the dearest."""


def summary_markdown(summary: Summary, costs: Sequence[BrandCost] = ()) -> str:
    """The summary as Markdown: the facts, what else there is to say, failures, and costs.

    Of more than `LISTED_CAUSES` causes or `BRANDS` brands it says how many are left out.

    Args:
        summary: How the run ended.
        costs: What each brand has cost, the dearest first; left out if it is one brand alone, as
            the facts have the cost.
    """
    facts = [
        (summary.words.rows.capitalize(), str(summary.rows)),
        ("Not selected", str(summary.postponed)),
        *((str(status).capitalize(), str(count)) for status, count in summary.counts.items()),
        ("Cost", f"{summary.cost_usd:.2f} USD" if summary.is_cost_known else ""),
        ("Time", f"{summary.seconds:.1f} s"),
        ("Table", summary.output),
        ("Contact sheet", summary.contact_sheet or ""),
        ("Pictures", summary.pictures or ""),
    ]
    lines = ["| | |", "|---|---|"]
    lines += [
        f"| {name} | {markdown_cell(value)} |" for name, value in facts if value not in ("", "0")
    ]
    lines += ["", *(f"- {markdown_cell(note)}" for note in summary.remarks())]
    if summary.failures:
        rows = summary.words.rows
        lines += ["", f"**Failed {rows} by cause**", ""]
        lines += [f"| Ads | Cause | Which {rows} |", "|---:|---|---|"]
        lines += [
            f"| {cause.ads} | {markdown_cell(cause.message)} | "
            f"{shortened(ranges(cause.row_numbers), _LONGEST_RANGES)} |"
            for cause in summary.failures[:LISTED_CAUSES]
        ]
        if len(summary.failures) > LISTED_CAUSES:
            lines += [
                "",
                f"and {len(summary.failures) - LISTED_CAUSES} other causes; see the table.",
            ]
    if len(costs) > 1:
        lines += ["", "**Cost by brand**", "", "| Brand | Completed | USD |", "|---|---:|---:|"]
        lines += [
            f"| {markdown_cell(cost.brand)} | {cost.completed} | {cost.cost_usd:.2f} |"
            for cost in costs[:BRANDS]
        ]
        if len(costs) > BRANDS:
            lines += ["", f"and {len(costs) - BRANDS} other brands."]
    return "\n".join(lines)


def inbox_markdown(messages: Mapping[str, str]) -> str:
    """What became of an inbox's spreadsheets, as a Markdown table with a row for each line.

    Of a message with more than `LISTED_CAUSES` lines, or more than `SPREADSHEETS` spreadsheets, it
    says how many are left out.

    Args:
        messages: What to say of each spreadsheet, by its name; may have several lines.
    """
    if not messages:
        return "There was nothing to do."
    lines = ["| Spreadsheet | |", "|---|---|"]
    for name, message in list(messages.items())[:SPREADSHEETS]:
        told = message.splitlines() or [""]
        first, *more = map(markdown_cell, told[:LISTED_CAUSES])
        lines.append(f"| **{markdown_cell(name)}** | {first} |")
        lines += [f"| | {line} |" for line in more]
        if len(told) > LISTED_CAUSES:
            lines.append(f"| | and {len(told) - LISTED_CAUSES} more lines; see the log. |")
    if len(messages) > SPREADSHEETS:
        lines += ["", f"and {len(messages) - SPREADSHEETS} more."]
    return "\n".join(lines)


def table_rows(
    table: JobTable[Any], facts: Sequence[RowFacts], words: Words = SPREADSHEET_WORDS
) -> list[dict[str, str]]:
    """The table's rows for an artifact, at most `TABLE_ROWS`: texts without markup, by column.

    All of them in the table's order, if they are that few; otherwise those first that are not
    completed. What tells two rows apart comes first, then the picture, and what is the same for
    all of them comes last.

    Args:
        table: The table.
        facts: What is said of each of its rows; see `row_facts`.
        words: What people call them.
    """
    lines = list(zip(table.rows, table.states, facts, strict=True))
    if len(lines) > TABLE_ROWS:
        lines.sort(key=lambda line: line[1].is_completed)
    return [
        {words.row: str(row.number), **_row_cells(state, said)}
        for row, state, said in lines[:TABLE_ROWS]
    ]


def _row_cells(state: JobState, facts: RowFacts) -> dict[str, str]:
    """One row of the table's artifact: texts by column, without the row's number."""
    return {
        **_shortened_texts(facts.differing),
        "picture": escaped_web_url(state.image_url),
        "status": str(state.status),
        "error": without_markup(state.error or ""),
        "cost_usd": "" if state.cost_usd is None else f"{state.cost_usd:.2f}",
        **_shortened_texts(facts.same),
        "image_ad_id": without_markup(state.job_id or ""),
    }


def _shortened_texts(facts: Mapping[str, str]) -> dict[str, str]:
    """The same facts, each cut to `LONGEST_FACT` characters and without markup."""
    return {name: without_markup(shortened(text, LONGEST_FACT)) for name, text in facts.items()}


def table_description(table: JobTable[Any], listed: int, words: Words = SPREADSHEET_WORDS) -> str:
    """What to say above the rows of the table's artifact: the counts first, as cards show fifty
    characters; then how many rows are listed, if not all, and where the table is."""
    counts = table.totals().counts
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    where = f" All of it is in {without_markup(table.location)}" if table.location else ""
    rows = f"{len(table.rows)} {words.rows if len(table.rows) != 1 else words.row}"
    if listed == len(table.rows):
        return f"{rows}: {told}.{where}"
    return f"{rows}: {told}. The first {listed}, what is not completed in front.{where}"


def gallery_markdown(
    table: JobTable[Any], facts: Sequence[RowFacts], words: Words = SPREADSHEET_WORDS
) -> str:
    """The first pictures as a Markdown table of HTML images; "" if there is none.

    Args:
        table: The table.
        facts: What is said of each of its rows; see `row_facts`.
        words: What people call them.
    """
    pictures = [
        (row.number, said, url)
        for row, state, said in zip(table.rows, table.states, facts, strict=True)
        if state.is_completed and (url := escaped_web_url(state.image_url))
    ]
    if not pictures:
        return ""
    listed = pictures[:PICTURES]
    abreast = min(PICTURES_ABREAST, len(listed))
    lines = [_table_line([" "] * abreast), _table_line(["---"] * abreast)]
    for start in range(0, len(listed), abreast):
        chunk = listed[start : start + abreast]
        lines.append(_table_line(markdown_picture(url) for _, _, url in chunk))
        lines.append(_table_line(_caption(number, said, words) for number, said, _ in chunk))
    if len(pictures) > len(listed):
        where = "the contact sheet beside the table" if table.location else "the table"
        lines += ["", f"The first {len(listed)} of {len(pictures)} pictures; all are in {where}."]
    return "\n".join(lines)


def pictures_description(table: JobTable[Any], title: str) -> str:
    """What to say above the gallery: how many pictures there are, and of what, if that is a table
    with a place."""
    count = sum(state.is_completed for state in table.states)
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    return without_markup(f"{pictures} of {title}" if table.location else pictures)


def _caption(number: int, facts: RowFacts, words: Words) -> str:
    """What is said below a row's picture, as a Markdown cell: its number and `facts.caption`."""
    texts = (markdown_cell(text) for text in facts.caption if text)
    return " · ".join((f"{words.row.capitalize()} {number}", *texts))


def markdown_picture(url: str) -> str:
    """A picture as HTML, `PICTURE_WIDTH` wide and linked to itself. One in Markdown would be as
    large as its file."""
    address = html.escape(url).replace("|", "%7C")
    return f'<a href="{address}"><img src="{address}" width="{PICTURE_WIDTH}"></a>'


def _table_line(cells: Iterable[str]) -> str:
    """A line of a Markdown table; the cells are escaped already."""
    return f"| {' | '.join(cells)} |"


def escaped_web_url(url: str | None) -> str:
    """A URL that is safe in Markdown and HTML; "" if it is none of http(s), or is too long.

    What Markdown would take for something else is written in hexadecimal, which means the same.
    """
    if not url or len(url) > _LONGEST_URL or any(c.isspace() for c in url) or visible(url) != url:
        return ""
    try:
        is_web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        return ""
    return _MARKUP.sub(lambda match: f"%{ord(match[0]):02X}", url) if is_web else ""


_MARKUP: Final = re.compile(r"""[<>"'`()\[\]{}|\\]""")
"""What an address has no need of, and Markdown or HTML might take for something."""


def without_markup(text: str) -> str:
    """A text cut and on one line, with no HTML and no Markdown link in it.

    It is for places that Prefect's UIs may render as Markdown.

    Example:
        ```python
        from prefect_staticadslab.orchestration.reporting.contents import without_markup

        assert without_markup("<img src=x onerror=alert(1)>") == "‹img src=x onerror=alert(1)>"
        assert without_markup("[a](javascript:alert(1))") == "[a] (javascript:alert(1))"
        ```
    """
    return visible(shortened(text, _LONGEST_CELL)).replace("<", "‹").replace("](", "] (")


def markdown_cell(text: str) -> str:
    """Text as a cell of a Markdown table: escaped, on one line, cut to `_LONGEST_CELL`."""
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", html.escape(shortened(text, _LONGEST_CELL)))
