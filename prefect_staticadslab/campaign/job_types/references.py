"""Reference ads, of which templates are made: a folder of pictures, or a spreadsheet's column."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.files import folders, storage
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Spreadsheet,
    cell_text,
    normalized,
    plain_text,
)
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.files.locations import Location, LocationError
from prefect_staticadslab.campaign.files.spreadsheet import (
    AS_IT_IS,
    ReadOptions,
    read_spreadsheet,
)
from prefect_staticadslab.campaign.rows.columns import column_positions, missing_columns_message

REFERENCE_COLUMNS: Final = (
    "reference",
    "reference_image",
    "reference_image_url",
    "image",
    "image_url",
    "picture",
    "path",
    "file",
    "url",
)
"""The column that holds the references is the first of these that a spreadsheet has."""

IMAGE_ENDINGS: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif")

OPEN_READS: Final = 8
"""References that are read and checked at once."""


@dataclass(frozen=True)
class References:
    """Reference ads, as they were found.

    Attributes:
        spreadsheet: A row for each.
        source: The folder or the spreadsheet that names them, as the user wrote it.
        is_folder: Whether they are a folder's files: then row numbers mean nothing to people.
        ignored: The names of files in the folder that are no pictures.
    """

    spreadsheet: Spreadsheet
    source: str
    is_folder: bool = False
    ignored: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """The column that holds them; see `reference_column`."""
        return reference_column(self.spreadsheet)

    @classmethod
    def read(cls, source: str, *, options: ReadOptions = AS_IT_IS) -> References:
        """Lists a folder's pictures, or reads a spreadsheet that names some; opens no picture.

        Args:
            source: A folder, or a `.csv`, a `.tsv` or a workbook; a path or a URL.
            options: How a spreadsheet is to be read.

        Raises:
            StorageError, SpreadsheetError: It cannot be read.
            CampaignError: There is no picture in the folder.
        """
        if storage.is_folder(source):
            names = folders.file_names(source)
            pictures = [name for name in names if storage.suffix(name) in IMAGE_ENDINGS]
            if not pictures:
                raise CampaignError(
                    f"There is no picture in the folder {source}; "
                    f"one ends in {', '.join(IMAGE_ENDINGS)}."
                )
            numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(pictures)))
            ignored = tuple(name for name in names if name not in pictures)
            table = Spreadsheet(("reference",), [[name] for name in pictures], numbers)
            return cls(table, source, is_folder=True, ignored=ignored)
        columns = frozenset(REFERENCE_COLUMNS)
        table_input = read_spreadsheet(
            source, options=options, known_columns=columns, needed_columns=(columns,)
        )
        return cls(table_input, source)

    def location_of(self, reference: str) -> Location:
        """The location that a cell's text names.

        Raises:
            LocationError: It is a location that a table must not name.
        """
        if self.is_folder:
            return Location.below(self.source, reference)
        return Location.named_by(self.source, reference)


def reference_column(spreadsheet: Spreadsheet) -> str:
    """The name of the column that holds the references, as the spreadsheet writes it.

    Raises:
        SpreadsheetError: There is none.
    """
    names = spreadsheet.header
    found = column_positions(names, REFERENCE_COLUMNS)
    for known in REFERENCE_COLUMNS:
        if known in found:
            return names[found[known][0]]
    message = (
        "There is no column with reference ads. Call it 'reference'; it holds a path or an address "
        f"in each row. {missing_columns_message(names, REFERENCE_COLUMNS)}"
    )
    raise SpreadsheetError([Problem(message, row=1)])


def read_digests(references: References) -> dict[Location, str]:
    """Reads and checks all references. Returns the digests of their contents, by location.

    Raises:
        SpreadsheetError: Some are not there, are no images, have more than 15 MB, or are at
            locations that a table must not name; the message lists all of them.
    """
    column, spreadsheet = references.column, references.spreadsheet
    cells = spreadsheet.column(spreadsheet.header.index(column))
    row_numbers: dict[Location, int] = {}
    problems: list[Problem] = []
    for number, cell in zip(spreadsheet.row_numbers, cells, strict=True):
        reference = plain_text(cell_text(cell)).strip()
        if not reference:
            continue
        try:
            row_numbers.setdefault(references.location_of(reference), number)
        except LocationError as error:
            row = None if references.is_folder else number
            problems.append(Problem(str(error), row, None if row is None else normalized(column)))

    def read_digest(location: Location) -> str | Problem:
        """The digest of a reference's content, or what is wrong with the reference."""
        try:
            return read_image(location).digest
        except ImageFileError as error:
            return Problem(str(error), None if references.is_folder else row_numbers[location])

    with ThreadPoolExecutor(OPEN_READS) as threads:
        results = threads.map(read_digest, row_numbers)
        digest_or_problem = dict(zip(row_numbers, results, strict=True))
    problems += [each for each in digest_or_problem.values() if isinstance(each, Problem)]
    if problems:
        raise SpreadsheetError(sorted(problems, key=lambda problem: problem.row or 0))
    return {location: each for location, each in digest_or_problem.items() if isinstance(each, str)}
