"""Reads workbooks that tests make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.files.spreadsheet import ReadOptions, read_spreadsheet
from prefect_staticadslab.campaign.rows.columns import KNOWN_COLUMNS, NEEDED_COLUMNS


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def reader(content: bytes, name: str = "in.xlsx", **options: Any) -> Spreadsheet:
        (tmp_path / name).write_bytes(content)
        return read_spreadsheet(
            str(tmp_path / name),
            options=ReadOptions(**options),
            known_columns=KNOWN_COLUMNS,
            needed_columns=NEEDED_COLUMNS,
        )

    return reader
