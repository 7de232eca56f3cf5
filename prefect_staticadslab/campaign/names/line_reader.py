"""What each line of a spreadsheet asks for: its cells of names, ids and filters, and its prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

from prefect_staticadslab.campaign.errors import Problem
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    normalized,
    plain_text,
    shortened,
)
from prefect_staticadslab.campaign.files.formulas import unescape
from prefect_staticadslab.campaign.names.cell_syntax import CellProblem, Selector, read_selector
from prefect_staticadslab.campaign.names.earlier_table import (
    EarlierTable,
    placeholder_positions,
)
from prefect_staticadslab.campaign.names.prompt_templates import (
    PlaceholderColumns,
    PlaceholderError,
    PromptTemplate,
    has_braces,
    parse_prompt,
)
from prefect_staticadslab.campaign.names.resolver import BriefLine
from prefect_staticadslab.campaign.rows.ad_rows import read_settings
from prefect_staticadslab.campaign.rows.cell_values import (
    clean_id,
    wrong_cell_message,
    wrong_cell_problems,
)
from prefect_staticadslab.campaign.rows.resource_types import (
    RESOURCE_TYPES,
    TEMPLATE,
    VARIANT,
    ResourceType,
)
from prefect_staticadslab.campaign.rows.row_identity import RowIds
from prefect_staticadslab.campaign.rows.spellings import ANYTHING, is_respelled
from prefect_staticadslab.campaign.rows.stray_rows import stray_row_problem

_MULTIPLE_SIGNS = frozenset("|*=")
"""What makes a cell stand for more than one resource."""

_ID_COLUMNS = frozenset(resource_type.id_column for resource_type in RESOURCE_TYPES)


def read_lines(
    spreadsheet: Spreadsheet, columns: Mapping[str, int], earlier: EarlierTable
) -> tuple[tuple[BriefLine, ...], tuple[Problem, ...]]:
    """Reads what each line asks for.

    Args:
        spreadsheet: What was read.
        columns: The positions of the known columns, by name.
        earlier: What earlier runs wrote into it.

    Returns:
        The lines, without those that hold error values, and what is wrong with rows; two empty
        tuples if all lines say everything in single ids and have prompts without placeholders.
    """
    reader = _LineReader(spreadsheet, columns, earlier)
    if not reader.needs_lookup():
        return (), ()
    brief_lines = []
    problems: list[Problem] = []
    row_ids = RowIds()
    for position, number in enumerate(spreadsheet.row_numbers):
        if errors := wrong_cell_problems(number, reader.cells(position)):
            problems += errors
            continue
        line, line_problems = reader.read(position, number)
        stray = reader.stray_problem(position, number) if line_problems else None
        if stray:
            # What is wrong is not looked up: a note would be told to be no brand.
            nothing = {
                resource_type: Selector(each.column)
                for resource_type, each in line.selectors.items()
            }
            brief_lines.append(replace(line, selectors=nothing, prompt=None))
            problems.append(stray)
            continue
        brief_lines.append(line)
        problems += line_problems
        cells = reader.cells(position)
        problems += read_settings(number, cells)[1]
        problems += [duplicate for duplicate in [row_ids.add(number, cells)] if duplicate]
    return tuple(brief_lines), tuple(problems)


class _LineReader:
    """Reads a spreadsheet's lines; cells with the same text are parsed once.

    Args:
        spreadsheet: What was read.
        columns: The positions of the known columns, by name.
        earlier: What earlier runs wrote into it.
    """

    def __init__(
        self, spreadsheet: Spreadsheet, columns: Mapping[str, int], earlier: EarlierTable
    ) -> None:
        self._columns = columns
        self._lines = spreadsheet.lines
        self._resource_types = [
            each for each in RESOURCE_TYPES if each.name in columns or each.id_column in columns
        ]
        self._earlier = earlier
        self._header = spreadsheet.header
        self._cached_selector = cache(self._read_selector)
        self._cached_prompt = cache(self._parse_prompt)

    @cached_property
    def _placeholder_positions(self) -> dict[str, int]:
        """The position of each column that a prompt may name, by name."""
        return placeholder_positions(self._header, self._earlier.positions)

    @cached_property
    def _placeholders(self) -> PlaceholderColumns:
        """The columns that a prompt may name, those of what an ad is made of first."""
        name_columns = [
            resource_type.name
            for resource_type in self._resource_types
            if resource_type is not TEMPLATE
        ]
        taken = {self._columns[name] for name in ("prompt", *name_columns) if name in self._columns}
        other_columns = [
            name
            for name, position in self._placeholder_positions.items()
            if name and position not in taken
        ]
        own = [
            name
            for position, name in enumerate(self._header)
            if name.strip() and position not in taken | self._earlier.positions
        ]
        counts = Counter(map(normalized, own))
        written = [name for name in own if counts[normalized(name)] > 1]
        return PlaceholderColumns((*name_columns, *other_columns), written)

    def needs_lookup(self) -> bool:
        """Whether any line holds a name, several ids, a filter or a placeholder."""
        columns = self._columns
        if any(resource_type.id_column not in columns for resource_type in self._resource_types):
            return True
        names = [
            columns[resource_type.name]
            for resource_type in self._resource_types
            if resource_type.name in columns
        ]
        ids = [columns[resource_type.id_column] for resource_type in self._resource_types]
        return any(
            any(cell_text(line[position]).strip() for position in names)
            or any(not _MULTIPLE_SIGNS.isdisjoint(cell_text(line[position])) for position in ids)
            or has_braces(self._prompt_text(line))
            for line in self._lines
        )

    def stray_problem(self, position: int, number: int) -> Problem | None:
        """The one problem of a line that looks like a note or a total; None if it may be an ad."""
        return stray_row_problem(number, self._header, self._lines[position])

    def cells(self, position: int) -> dict[str, Any]:
        """A line's cells in the known columns, by column name."""
        line = self._lines[position]
        return {name: line[column] for name, column in self._columns.items()}

    def read(self, position: int, number: int) -> tuple[BriefLine, list[Problem]]:
        """Reads a line.

        Args:
            position: The line's position in the spreadsheet.
            number: Its row number, for messages.

        Returns:
            What it asks for, and what is wrong with its ids, names, filters and prompt. What is
            wrong asks for nothing.
        """
        line = self._lines[position]
        selectors: dict[ResourceType, Selector] = {}
        cell_problems: list[CellProblem] = []
        for resource_type in self._resource_types:
            selector, selector_problems = self._cached_selector(
                resource_type, *self._id_and_name_texts(line, resource_type)
            )
            # What is wrong is not looked up: it would say of each thing that it is not there.
            selectors[resource_type] = Selector(selector.column) if selector_problems else selector
            cell_problems += selector_problems
        text = self._prompt_text(line)
        prompt = None
        if has_braces(text):
            try:
                prompt = self._cached_prompt(text)
            except PlaceholderError as error:
                cell_problems.append(("prompt", str(error)))
            else:
                prompt = self._reuse_sent_prompt(line, prompt)
                cell_problems += self._placeholder_problems(line, prompt, selectors)
        problems = [Problem(message, number, column) for column, message in cell_problems]
        return BriefLine(number, selectors, prompt), problems

    def _id_and_name_texts(
        self, line: Sequence[Any], resource_type: ResourceType
    ) -> tuple[str, str]:
        """The texts of a line's id cell and name cell of a type.

        In a result table the name cell of an ad may name several: then the name that was sent.
        """
        id_text = self._text_in(line, resource_type.id_column)
        name_text = self._text_in(line, resource_type.name)
        # A variant's id is empty also where it is known that the ad has no variant.
        is_known = self._earlier.has_result(line) and (id_text or resource_type is VARIANT)
        if is_known and not _MULTIPLE_SIGNS.isdisjoint(name_text):
            name_text = unescape(self._earlier.sent_text(line, resource_type.name))
        return id_text, name_text

    def _text_in(self, line: Sequence[Any], column: str) -> str:
        """The text of a line's cell in a known column; "" if there is no such column."""
        if column not in self._columns:
            return ""
        text = cell_text(line[self._columns[column]]).strip()
        return clean_id(text) if column in _ID_COLUMNS else unescape(text)

    def _prompt_text(self, line: Sequence[Any]) -> str:
        """A line's prompt; "" if there is none, or if an earlier version filled it in in place."""
        if self._earlier.result_positions and self._earlier.has_overwritten_prompt(line):
            return ""
        position = self._columns.get("prompt")
        return "" if position is None else plain_text(cell_text(line[position]))

    def _reuse_sent_prompt(self, line: Sequence[Any], prompt: PromptTemplate) -> PromptTemplate:
        """The prompt of the ad that a line has, or may have, if it can still be `prompt` filled in.

        Returns:
            The prompt that was sent, without placeholders; or `prompt` itself, if there is no such
            ad, or if the prompt or a cell that it names was changed since. A cell whose number or
            date a program wrote differently was not.
        """
        sent = self._earlier.sent_prompt(line)
        if not sent or not self._earlier.may_have_ad(line):
            return prompt
        from_catalogue = {
            name for resource_type in self._resource_types for name in resource_type.columns
        }
        cells = {
            column: line[self._placeholder_positions[column]]
            for column in prompt.columns
            if column not in from_catalogue
        }
        values = {column: cell_text(cell).strip() for column, cell in cells.items()}
        parts = prompt.parts({**dict.fromkeys(prompt.columns, ANYTHING), **cells})
        if any(
            prompt.can_produce(text, values) or is_respelled(text, parts)
            for text in {sent, unescape(sent)}
        ):
            return PromptTemplate(((sent, None),))
        return prompt

    def _read_selector(
        self, resource_type: ResourceType, id_text: str, name_text: str
    ) -> tuple[Selector, list[CellProblem]]:
        """What two cells ask for, and what is wrong with them; see `read_selector`."""
        return read_selector(
            resource_type, id_text, name_text, named=resource_type.name in self._columns
        )

    def _parse_prompt(self, text: str) -> PromptTemplate:
        """Parses a prompt's placeholders; raises a `PlaceholderError` if they are wrong."""
        return parse_prompt(text, self._placeholders)

    def _placeholder_problems(
        self,
        line: Sequence[Any],
        prompt: PromptTemplate,
        selectors: Mapping[ResourceType, Selector],
    ) -> list[CellProblem]:
        """Problems of the cells that a prompt's placeholders name: error values, empty cells."""
        is_filled = {
            name: bool(selector.values)
            for resource_type, selector in selectors.items()
            for name in resource_type.columns
        }
        wrong: list[CellProblem] = []
        for name in prompt.columns:
            if name not in is_filled:
                cell = line[self._placeholder_positions[name]]
                is_filled[name] = bool(cell_text(cell).strip())
                wrong += [(name, message) for message in [wrong_cell_message(cell)] if message]
        return wrong + [
            (name, f"is empty, and the prompt has {{{shortened(name)}}}.")
            for name in prompt.columns
            if not is_filled[name]
        ]
