"""What a spreadsheet asks for, before it is known what the API has: names, filters, placeholders.

A brief becomes rows of one ad each by `expand.expand`; what it takes from the API for that is
read by `lookup.look_up`. A spreadsheet that says everything in ids needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from prefect_staticadslab.campaign.errors import Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.files.formulas import unescape
from prefect_staticadslab.campaign.files.spreadsheet import (
    AS_IT_IS,
    ReadOptions,
    read_spreadsheet,
)
from prefect_staticadslab.campaign.names.cell_syntax import CellProblem, Selector, read_selector
from prefect_staticadslab.campaign.names.earlier_table import (
    EarlierTable,
    placeholder_positions,
)
from prefect_staticadslab.campaign.names.listings import Catalogue, ListKey
from prefect_staticadslab.campaign.names.prompt_templates import (
    PlaceholderColumns,
    PlaceholderError,
    PromptTemplate,
    has_placeholders,
    parse_prompt,
)
from prefect_staticadslab.campaign.names.resolver import BriefLine, Resolver
from prefect_staticadslab.campaign.rows.ad_rows import read_settings
from prefect_staticadslab.campaign.rows.cell_values import (
    clean_id,
    formula_error_message,
    formula_error_problems,
)
from prefect_staticadslab.campaign.rows.columns import (
    KNOWN_COLUMNS,
    NEEDED_COLUMNS,
    find_columns,
    header_notes,
)
from prefect_staticadslab.campaign.rows.resource_types import KINDS, TEMPLATE, VARIANT, ResourceType
from prefect_staticadslab.campaign.rows.row_identity import RowIds
from prefect_staticadslab.campaign.rows.stray_rows import stray_row_problem


@dataclass(frozen=True)
class Brief:
    """A spreadsheet as people wrote it, read and checked as far as that goes without the API.

    Attributes:
        spreadsheet: What was read.
        earlier: What earlier runs wrote into it.
        lines: What each of its lines asks for; nothing, if all of them say it in single ids and
            have prompts without placeholders: then the spreadsheet is what will be sent.
        location: Where it was read; "" if it was not.
        problems: What is wrong with single rows, if it was read to be told along with what the
            API's lists tell. `expand` raises it.
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
        """Reads a spreadsheet; see `read`.

        Args:
            location: A `.csv`, a `.tsv` or a workbook: a path or a URL.
            options: How it is to be read.
            keep_problems: Whether problems of rows are kept in `problems`, and not raised yet.

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
        """The brief that a spreadsheet is.

        Args:
            spreadsheet: What was read.
            keep_problems: Whether problems of rows are kept in `problems`, and not raised yet.

        Raises:
            SpreadsheetError: With all problems that can be told without the API, in the rows'
                order. Of a spreadsheet that is all ids, `read_rows` tells them.
        """
        columns, column_problems = find_columns(spreadsheet, KNOWN_COLUMNS)
        if column_problems:
            raise SpreadsheetError(column_problems)
        earlier = EarlierTable.of(spreadsheet)
        lines, problems = _read_lines(spreadsheet, columns, earlier)
        if problems and not keep_problems:
            raise SpreadsheetError(problems)
        if notes := header_notes(spreadsheet.header, columns):
            spreadsheet = replace(spreadsheet, notes=(*spreadsheet.notes, *notes))
        return cls(spreadsheet, earlier, lines, problems=problems)

    @cached_property
    def needs_catalogue(self) -> bool:
        """Whether the API's lists are needed to tell which ads the spreadsheet asks for."""
        return any(self.missing_lists(Catalogue()).values())

    def missing_lists(self, catalogue: Catalogue, *, checks: bool = True) -> Mapping[ListKey, bool]:
        """The lists that must be read next to look up the names, given those read already.

        Args:
            catalogue: What was read.
            checks: Whether names beside ids are to be checked.

        Returns:
            Each with whether the brief makes no sense without it; nothing, once all are there.

        Raises:
            SpreadsheetError: It makes more ads than a campaign may have.
        """
        resolver = Resolver(catalogue, rows=len(self.lines), checks=checks)
        for line in self.lines:
            resolver.ads(line)
        return resolver.missing_lists


def _read_lines(
    spreadsheet: Spreadsheet, columns: Mapping[str, int], earlier: EarlierTable
) -> tuple[tuple[BriefLine, ...], tuple[Problem, ...]]:
    """What each line asks for, and what is wrong with that; see `Brief.lines`."""
    lines = _LineReader(spreadsheet, columns, earlier)
    if not lines.need_looking_up():
        return (), ()
    brief_lines = []
    problems: list[Problem] = []
    row_ids = RowIds()
    for position, number in enumerate(spreadsheet.row_numbers):
        if errors := formula_error_problems(number, lines.cells(position)):
            problems += errors
            continue
        line, line_problems = lines.read(position, number)
        stray = lines.stray_problem(position, number) if line_problems else None
        if stray:
            # What is wrong is not looked up: a note would be told to be no brand.
            nothing = {kind: Selector(each.column) for kind, each in line.selectors.items()}
            brief_lines.append(replace(line, selectors=nothing, prompt=None))
            problems.append(stray)
            continue
        brief_lines.append(line)
        problems += line_problems
        cells = lines.cells(position)
        problems += read_settings(number, cells)[1]
        problems += [duplicate for duplicate in [row_ids.add(number, cells)] if duplicate]
    return tuple(brief_lines), tuple(problems)


class _LineReader:
    """Reads a spreadsheet's lines, each kind of cell once."""

    def __init__(
        self, spreadsheet: Spreadsheet, columns: Mapping[str, int], earlier: EarlierTable
    ) -> None:
        self._columns = columns
        self._lines = spreadsheet.lines
        self._kinds = [k for k in KINDS if k.name in columns or k.id_column in columns]
        self._earlier = earlier
        self._header = spreadsheet.header
        self._selector = cache(self._read_selector)
        self._prompt = cache(self._read_prompt)

    @cached_property
    def _all_columns(self) -> dict[str, int]:
        """Where each column is that a prompt may name."""
        return placeholder_positions(self._header, self._earlier.positions)

    @cached_property
    def _placeholders(self) -> PlaceholderColumns:
        """The columns that a prompt may name, those of what an ad is made of first."""
        name_columns = [kind.name for kind in self._kinds if kind is not TEMPLATE]
        taken = {self._columns[name] for name in ("prompt", *name_columns) if name in self._columns}
        other_columns = [
            name for name, place in self._all_columns.items() if name and place not in taken
        ]
        return PlaceholderColumns((*name_columns, *other_columns))

    def need_looking_up(self) -> bool:
        """Whether any line holds a name, several ids, a filter or a placeholder."""
        columns = self._columns
        if any(kind.id_column not in columns for kind in self._kinds):
            return True
        names = [columns[kind.name] for kind in self._kinds if kind.name in columns]
        ids = [columns[kind.id_column] for kind in self._kinds]
        return any(
            any(cell_text(line[position]).strip() for position in names)
            or any(not _SEVERAL.isdisjoint(cell_text(line[position])) for position in ids)
            or has_placeholders(self._prompt_text(line))
            for line in self._lines
        )

    def stray_problem(self, position: int, number: int) -> Problem | None:
        """The one problem of a line that is no ad by the look of it."""
        return stray_row_problem(number, self._header, self._lines[position])

    def cells(self, position: int) -> dict[str, Any]:
        """A line's cells in the known columns, by column name."""
        return {name: self._lines[position][place] for name, place in self._columns.items()}

    def read(self, position: int, number: int) -> tuple[BriefLine, list[Problem]]:
        """A line, and what is wrong with what it selects and with its prompt."""
        line = self._lines[position]
        selectors: dict[ResourceType, Selector] = {}
        cell_problems: list[CellProblem] = []
        for kind in self._kinds:
            selector, selector_problems = self._selector(kind, *self._id_and_name(line, kind))
            # What is wrong is not looked up: it would say of each thing that it is not there.
            selectors[kind] = Selector(selector.column) if selector_problems else selector
            cell_problems += selector_problems
        text = self._prompt_text(line)
        prompt = None
        if has_placeholders(text):
            try:
                prompt = self._prompt(text)
            except PlaceholderError as error:
                cell_problems.append(("prompt", str(error)))
            else:
                prompt = self._as_sent(line, prompt)
                cell_problems += self._empty_cell_problems(line, prompt, selectors)
        problems = [Problem(message, number, column) for column, message in cell_problems]
        return BriefLine(number, selectors, prompt), problems

    def _id_and_name(self, line: Sequence[Any], kind: ResourceType) -> tuple[str, str]:
        """A line's two cells of a kind; of an ad of an earlier run the one name, not several."""
        id_text, name_text = self._text(line, kind.id_column), self._text(line, kind.name)
        # Of a variant's id nothing says that the ad has none.
        is_known = self._earlier.has_result(line) and (id_text or kind is VARIANT)
        if is_known and not _SEVERAL.isdisjoint(name_text):
            name_text = unescape(self._earlier.sent_text(line, kind.name))
        return id_text, name_text

    def _text(self, line: Sequence[Any], column: str) -> str:
        if column not in self._columns:
            return ""
        text = cell_text(line[self._columns[column]]).strip()
        return clean_id(text) if column in _ID_COLUMNS else unescape(text)

    def _prompt_text(self, line: Sequence[Any]) -> str:
        # What an earlier version filled in is not filled in again.
        if self._earlier.results and self._earlier.is_filled_in(line):
            return ""
        place = self._columns.get("prompt")
        return "" if place is None else plain_text(cell_text(line[place]))

    def _as_sent(self, line: Sequence[Any], prompt: PromptTemplate) -> PromptTemplate:
        """A line's prompt; if nobody changed what it was filled in from, just what was sent."""
        sent = self._earlier.sent_prompt(line)
        if not sent:
            return prompt
        from_catalogue = {name for kind in self._kinds for name in (kind.name, kind.id_column)}
        values = {
            column: cell_text(line[self._all_columns[column]]).strip()
            for column in prompt.columns
            if column not in from_catalogue
        }
        if any(prompt.may_have_become(text, values) for text in {sent, unescape(sent)}):
            return PromptTemplate(((sent, None),))
        return prompt

    def _read_selector(
        self, kind: ResourceType, id_text: str, name_text: str
    ) -> tuple[Selector, list[CellProblem]]:
        return read_selector(kind, id_text, name_text, named=kind.name in self._columns)

    def _read_prompt(self, text: str) -> PromptTemplate:
        return parse_prompt(text, self._placeholders)

    def _empty_cell_problems(
        self,
        line: Sequence[Any],
        prompt: PromptTemplate,
        selectors: Mapping[ResourceType, Selector],
    ) -> list[CellProblem]:
        is_filled = {
            name: bool(selector.values)
            for kind, selector in selectors.items()
            for name in (kind.name, kind.id_column)
        }
        wrong: list[CellProblem] = []
        for name in prompt.columns:
            if name not in is_filled:
                cell = line[self._all_columns[name]]
                is_filled[name] = bool(cell_text(cell).strip())
                wrong += [(name, message) for message in [formula_error_message(cell)] if message]
        return wrong + [
            (name, f"is empty, and the prompt has {{{shortened(name)}}}.")
            for name in prompt.columns
            if not is_filled[name]
        ]


_SEVERAL = frozenset("|*=")
_ID_COLUMNS = frozenset(kind.id_column for kind in KINDS)
