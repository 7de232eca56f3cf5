"""What a spreadsheet asks for, before it is known what the API has: names, filters, placeholders.

A brief becomes rows of one ad each by `expand.expand`; what it takes from the API for that is
read by `lookup.look_up`. A spreadsheet that says everything in ids needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.files.spreadsheet import (
    AS_IT_IS,
    ReadOptions,
    read_spreadsheet,
)
from prefect_staticadslab.campaign.names.earlier_table import EarlierTable
from prefect_staticadslab.campaign.names.line_reader import read_lines
from prefect_staticadslab.campaign.names.listings import Catalogue, ListKey
from prefect_staticadslab.campaign.names.resolver import BriefLine, Resolver
from prefect_staticadslab.campaign.rows.columns import (
    KNOWN_COLUMNS,
    NEEDED_COLUMNS,
    find_columns,
    header_notes,
    sent_prompt_problems,
)


@dataclass(frozen=True)
class Brief:
    """A spreadsheet as people wrote it, read and checked as far as that goes without the API.

    Attributes:
        spreadsheet: What was read.
        earlier: What earlier runs wrote into it.
        lines: What each of its lines asks for; empty if all of them say it in single ids and have
            prompts without placeholders: then the spreadsheet is what will be sent.
        location: The path or URL that it was read from; "" if its cells came from elsewhere.
        problems: What is wrong with single rows, if it was read with `keep_problems`: `expand`
            raises it together with what the API's lists tell.
    """

    spreadsheet: Spreadsheet
    earlier: EarlierTable
    lines: tuple[BriefLine, ...] = ()
    location: str = ""
    problems: tuple[Problem, ...] = ()

    @classmethod
    def open(
        cls, location: str, *, options: ReadOptions = AS_IT_IS, keep_problems: bool = False
    ) -> Brief:
        """Reads a spreadsheet from a file or the web, and what each of its lines asks for.

        Args:
            location: A `.csv`, a `.tsv` or a workbook: a path or a URL.
            options: How it is to be read.
            keep_problems: Whether problems of rows are kept in `problems` instead of raised.

        Raises:
            CampaignError: It cannot be read, or rows are wrong; the message lists all of it.
        """
        spreadsheet = read_spreadsheet(
            location,
            options=options,
            known_columns=KNOWN_COLUMNS,
            needed_columns=NEEDED_COLUMNS,
        )
        return replace(cls.read(spreadsheet, keep_problems=keep_problems), location=location)

    @classmethod
    def read(cls, spreadsheet: Spreadsheet, *, keep_problems: bool = False) -> Brief:
        """Reads what each line of a spreadsheet asks for, and checks it without the API.

        Hints about its header are added to the notes of `spreadsheet`.

        Args:
            spreadsheet: What was read.
            keep_problems: Whether problems of rows are kept in `problems` instead of raised;
                those of columns are raised all the same.

        Raises:
            SpreadsheetError: With all problems that can be told without the API, in the rows'
                order. Rows of a spreadsheet that is all ids are checked later, by `read_rows`.
        """
        columns, column_problems = find_columns(spreadsheet, KNOWN_COLUMNS)
        if column_problems:
            raise SpreadsheetError(column_problems)
        earlier = EarlierTable.find(spreadsheet)
        if not earlier.result_positions:
            problems = sent_prompt_problems(spreadsheet.header, spreadsheet.header_row)
            if problems:
                raise SpreadsheetError(problems)
        lines, row_problems = read_lines(spreadsheet, columns, earlier)
        if row_problems and not keep_problems:
            raise SpreadsheetError(row_problems)
        if notes := header_notes(spreadsheet.header, columns):
            spreadsheet = replace(spreadsheet, notes=(*spreadsheet.notes, *notes))
        return cls(spreadsheet, earlier, lines, problems=row_problems)

    @cached_property
    def needs_catalogue(self) -> bool:
        """Whether the API's lists are needed to tell which ads the spreadsheet asks for.

        Raises:
            SpreadsheetError: It makes more ads than a campaign may have.
        """
        return any(self.missing_lists(Catalogue()).values())

    def missing_lists(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """The lists that must be read next to look up the names, given those read already.

        Args:
            catalogue: What was read.
            checks: Whether names beside ids are to be checked.

        Returns:
            Each list with whether it is needed: True if the brief cannot be expanded without it,
            False if only names beside ids are checked with it. Empty once all were read.

        Raises:
            SpreadsheetError: It makes more ads than a campaign may have.
        """
        resolver = Resolver(catalogue, rows=len(self.lines), checks=checks)
        for line in self.lines:
            resolver.resolve_line(line)
        return resolver.missing_lists
