"""Tables on the web whose address has no ending: what it says of the format, and Google Sheets."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from prefect_staticadslab.campaign.files import storage

WORKBOOK_ENDINGS: Final = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".fods")

ENDINGS: Final = frozenset((".csv", ".tsv", ".parquet", ".numbers", *WORKBOOK_ENDINGS))
"""What a table's name may end in; `.numbers` is among them only to be refused."""

_FORMAT_ENDINGS: Final = {"csv": ".csv", "tsv": ".tsv", "xlsx": ".xlsx"}
_FORMAT_PARAMETERS: Final = frozenset(("format", "output"))
"""What a web address's query calls the format of what it gives."""

_GOOGLE: Final = "docs.google.com"
_SHEET = re.compile(r"((?:/a/[^/]+)?/spreadsheets(?:/u/\d+)?/d/)(e/)?([\w-]+)(?:/([^/]*))?/?$")
_EXPORTS: Final = frozenset(("export", "gviz"))
"""How a Google Sheet's path ends if it gives a table already."""

_WEB_PAGE = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html)\b", re.I | re.S
)


def table_address(location: str, *, sheet: str | None = None) -> str:
    """The address of a Google Sheet's table, given that of its page; any other location as it is.

    The address of a Google Sheet that a browser shows is that of a page. Its table is what that
    exports: as CSV, or as XLSX if a sheet is chosen by its name.

    Args:
        location: A path or a URL.
        sheet: The name of a sheet.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.google_sheets import table_address

        assert (
            table_address("https://docs.google.com/spreadsheets/d/1aB_c/edit?gid=7#gid=7")
            == "https://docs.google.com/spreadsheets/d/1aB_c/export?format=csv&gid=7"
        )
        assert (
            table_address("https://docs.google.com/spreadsheets/d/e/2PACX-1v/pubhtml")
            == "https://docs.google.com/spreadsheets/d/e/2PACX-1v/pub?output=csv"
        )
        assert table_address("s3://ads/summer.csv") == "s3://ads/summer.csv"
        ```
    """
    if not is_google_sheet(location):
        return location
    parts = urlsplit(location)
    match = _SHEET.match(parts.path)
    if match is None:
        return location
    base, published, identifier, page = match.groups()
    parameters = dict(parse_qsl(parts.query))
    parameter = "output" if published else "format"
    if page in _EXPORTS or (page == "pub" and _FORMAT_ENDINGS.get(parameters.get("output", ""))):
        return location
    # The browser keeps the sheet that is looked at in the fragment.
    fragment = dict(parse_qsl(parts.fragment))
    query = {parameter: "csv" if sheet is None else "xlsx"}
    if sheet is None and (gid := fragment.get("gid") or parameters.get("gid")):
        query["gid"] = gid
    for name in ("single", "resourcekey"):
        if name in parameters:
            query[name] = parameters[name]
    path = f"{base}{published or ''}{identifier}/{'pub' if published else 'export'}"
    return urlunsplit(("https", _GOOGLE, path, urlencode(query), ""))


def table_ending(location: str) -> str:
    """A table's format as an ending such as `.csv`, from its name or a web address's query.

    Returns:
        "" if only the content can tell.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.google_sheets import table_ending

        assert table_ending("https://example.com/export?format=tsv&gid=0") == ".tsv"
        assert table_ending("https://example.com/Ads.XLSX?version=2") == ".xlsx"
        assert table_ending("https://example.com/export.php") == ""
        ```
    """
    ending = storage.suffix(location)
    if ending in ENDINGS or not storage.is_web_address(location):
        return ending
    endings = (
        _FORMAT_ENDINGS.get(value.lower())
        for name, value in parse_qsl(_query(location))
        if name.lower() in _FORMAT_PARAMETERS
    )
    return next(filter(None, endings), "")


def shown_name(location: str) -> str:
    """What to call a table in a message: its file's name, or `Google Sheet`, which has none.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.google_sheets import shown_name

        assert shown_name("s3://ads/summer.csv") == "summer.csv"
        assert shown_name("https://docs.google.com/spreadsheets/d/1aB_c/edit") == "Google Sheet"
        ```
    """
    return "Google Sheet" if is_google_sheet(location) else storage.name(location)


def is_google_sheet(location: str) -> bool:
    """Whether a location is the address of a Google Sheet: of its page, or of its table."""
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return False
    return storage.is_web_address(location) and host == _GOOGLE and "/spreadsheets/" in parts.path


def is_web_page(content: bytes) -> bool:
    """Whether a file's content is HTML, such as the page that asks for a login."""
    return _WEB_PAGE.match(content[:2000]) is not None


def web_page_hint(location: str) -> str:
    """Sentences that say what to do if a location gave a web page instead of a table."""
    if is_google_sheet(location):
        return (
            "The Google Sheet is not shared, or not with everybody. In Google Sheets choose "
            'Share > General access > "Anyone with the link"; or File > Download as .csv or .xlsx, '
            "and use that file."
        )
    if storage.is_web_address(location):
        return (
            "Perhaps it asks for a login, or it is the page around the table. Use the address of "
            "the table itself, one that a private browser window can open; or download it as .csv "
            "or .xlsx, and use that file."
        )
    return "Save the table itself, as .csv or .xlsx, and use that file."


def _query(location: str) -> str:
    """A URL's query, behind the `?`; "" if it has none or is no URL."""
    try:
        return urlsplit(location).query
    except ValueError:
        return ""
