"""Tables of the catalogue for the tests: the example, and ones that a test writes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import openpyxl

from tests.conftest import ROOT

EXAMPLE = str(ROOT / "examples" / "catalogue.csv")
SHEETS = ["brands", "products", "product_variants", "audiences", "design_templates", "images"]


def write_csv(place: Path, *lines: Sequence[str]) -> str:
    with place.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    return str(place)


def write_xlsx(place: Path, sheets: Mapping[str, Sequence[Sequence[Any]]]) -> str:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
    book.save(place)
    return str(place)


def table_of(*lines: str) -> Callable[[Path], str]:
    def write(folder: Path) -> str:
        (folder / "new.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(folder / "new.csv")

    return write
