"""The artifacts' contents: Markdown and rows of bounded size, in which no cell is markup.

Prefect's UI renders Markdown and the HTML in it, so everything that comes from a spreadsheet or
from the API is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from prefect_staticadslab.campaign.errors import ranges
from prefect_staticadslab.campaign.files.cells import shortened, visible
from prefect_staticadslab.campaign.pictures.captions import labels
from prefect_staticadslab.campaign.reports.summary import Summary
from prefect_staticadslab.campaign.table.job_state import JobState
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from prefect_staticadslab.campaign.table.result_table import JobTable

TABLE_ROWS: Final = 100
"""Rows in the table's artifact; the file has them all."""

PICTURES: Final = 24
"""Pictures in the gallery: each is a 4K PNG that the browser loads whole."""

PICTURES_ABREAST: Final = 4
PICTURE_WIDTH: Final = 180

CAUSES: Final = 20
"""Causes of failures in a summary, or lines of what became of a spreadsheet."""

SPREADSHEETS: Final = 50
"""Spreadsheets in an inbox's summary."""

_LONGEST_CELL: Final = 200
_LONGEST_RANGES: Final = 80
_LONGEST_URL: Final = 1000
"""A signed URL is long, and a part of one is worth nothing."""


def summary_markdown(summary: Summary) -> str:
    """The summary as Markdown: the facts, what else there is to say, and failures by cause."""
    facts = [
        ("Rows", str(summary.rows)),
        ("Not selected", str(summary.postponed)),
        *((str(status).capitalize(), str(count)) for status, count in summary.counts.items()),
        ("Cost", f"{summary.cost_usd:.2f} USD" if summary.is_cost_known else ""),
        ("Time", f"{summary.seconds:.1f} s"),
        ("Table", summary.output),
        ("Contact sheet", summary.contact_sheet or ""),
        ("Pictures", summary.pictures or ""),
    ]
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in facts if value not in ("", "0")]
    lines += ["", *(f"- {_cell(note)}" for note in summary.remarks())]
    if summary.failures:
        lines += ["", "**Failed rows by cause**", "", "| Ads | Cause | Rows |", "|---:|---|---|"]
        lines += [
            f"| {cause.ads} | {_cell(cause.message)} | "
            f"{shortened(ranges(cause.rows), _LONGEST_RANGES)} |"
            for cause in summary.failures[:CAUSES]
        ]
        if len(summary.failures) > CAUSES:
            lines += ["", f"and {len(summary.failures) - CAUSES} other causes; see the table."]
    return "\n".join(lines)


def inbox_markdown(outcomes: Mapping[str, str]) -> str:
    """What became of an inbox's spreadsheets, as Markdown: a line for each sentence."""
    if not outcomes:
        return "There was nothing to do."
    lines = ["| Spreadsheet | |", "|---|---|"]
    for name, message in list(outcomes.items())[:SPREADSHEETS]:
        first, *more = (_cell(line) for line in message.splitlines()[:CAUSES] or [""])
        lines.append(f"| **{_cell(name)}** | {first} |")
        lines += [f"| | {line} |" for line in more]
    if len(outcomes) > SPREADSHEETS:
        lines += ["", f"and {len(outcomes) - SPREADSHEETS} more."]
    return "\n".join(lines)


def table_rows(table: JobTable[Any]) -> list[dict[str, str]]:
    """The table's rows for an artifact, at most `TABLE_ROWS`.

    All of them in the table's order, if they are that few; otherwise those first that are not
    completed.
    """
    lines = list(zip(table.rows, table.states, labels(table), strict=True))
    if len(lines) > TABLE_ROWS:
        lines.sort(key=lambda line: line[1].is_completed)
    return [_table_row(*line) for line in lines[:TABLE_ROWS]]


def _table_row(row: CampaignRow[Any], state: JobState, title: str) -> dict[str, str]:
    return {
        "row": str(row.number),
        "title": without_markup(title),
        "status": str(state.status),
        "error": without_markup(state.error or ""),
        "cost_usd": "" if state.cost_usd is None else f"{state.cost_usd:.2f}",
        # An address is long, and pushes what follows out of sight.
        "picture": _url(state.image_url),
        "image_ad_id": without_markup(state.job_id or ""),
    }


def table_description(table: JobTable[Any], listed: int) -> str:
    """What to say above the artifact's rows."""
    where = f"All of it is in {without_markup(table.location)}" if table.location else ""
    if listed == len(table.rows):
        return f"Static Ads Lab: all {listed} rows. {where}".strip()
    return (
        f"Static Ads Lab: {listed} of {len(table.rows)} rows, "
        f"those first that are not completed. {where}"
    ).strip()


def gallery_markdown(table: JobTable[Any]) -> str:
    """The first pictures as a Markdown table of HTML images; "" if there is none."""
    pictures = [
        (row.number, title, url)
        for row, state, title in zip(table.rows, table.states, labels(table), strict=True)
        if state.is_completed and (url := _url(state.image_url))
    ]
    if not pictures:
        return ""
    listed = pictures[:PICTURES]
    abreast = min(PICTURES_ABREAST, len(listed))
    lines = [_line([" "] * abreast), _line(["---"] * abreast)]
    for start in range(0, len(listed), abreast):
        chunk = listed[start : start + abreast]
        lines.append(_line(_picture(url) for _, _, url in chunk))
        lines.append(_line(f"Row {number} · {_cell(title)}" for number, title, _ in chunk))
    if len(pictures) > len(listed):
        where = "the contact sheet beside the table" if table.location else "the table"
        lines += ["", f"The first {len(listed)} of {len(pictures)} pictures; all are in {where}."]
    return "\n".join(lines)


def _picture(url: str) -> str:
    address = html.escape(url).replace("|", "%7C")
    return f'<a href="{address}"><img src="{address}" width="{PICTURE_WIDTH}"></a>'


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _url(url: str | None) -> str:
    """An address of a picture, if it is one; a `javascript:` is none.

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
    """A short text without markup, for a place that Prefect's UIs may render as Markdown.

    Example:
        ```python
        from prefect_staticadslab.orchestration.reporting.contents import without_markup

        assert without_markup("<img src=x onerror=alert(1)>") == "‹img src=x onerror=alert(1)>"
        assert without_markup("[a](javascript:alert(1))") == "[a] (javascript:alert(1))"
        ```
    """
    return visible(shortened(text, _LONGEST_CELL)).replace("<", "‹").replace("](", "] (")


def _cell(text: str) -> str:
    """Text for a Markdown table: one line, no markup, not too long."""
    return re.sub(r"([\\`*_\[\]|!])", r"\\\1", html.escape(shortened(text, _LONGEST_CELL)))
