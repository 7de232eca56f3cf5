"""Who made a workbook, as it says."""

from __future__ import annotations

import io
from typing import Any

from prefect_staticadslab.campaign.errors import SpreadsheetError
from prefect_staticadslab.campaign.files.formats.workbook_bounds import check_archive


def workbook_creator(content: bytes) -> str | None:
    """What an .xlsx says made it; None if it does not, or is none."""
    book = _open_workbook(content)
    if book is None:
        return None
    creator: str | None = book.properties.creator
    book.close()
    return creator


def _open_workbook(content: bytes) -> Any:
    """An .xlsx as openpyxl opens it; None if it is none. Raises if it exceeds a bound."""
    from openpyxl import load_workbook

    try:
        check_archive(content)
        return load_workbook(io.BytesIO(content), read_only=True)
    except SpreadsheetError:
        raise
    except Exception:  # a broken file can break openpyxl anywhere
        return None
