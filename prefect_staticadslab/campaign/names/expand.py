"""From a brief and a catalogue to a spreadsheet in which each row is one ad and says so in ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from prefect_staticadslab.bounds import PROMPT_LENGTH, PROMPTS_LENGTH, TABLE_CELLS
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    plain_text,
)
from prefect_staticadslab.campaign.files.formulas import CatalogueText, FilledIn
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.cell_syntax import stands_for_several
from prefect_staticadslab.campaign.names.earlier_table import own_spreadsheet, placeholder_positions
from prefect_staticadslab.campaign.names.listings import Catalogue, ChosenResource
from prefect_staticadslab.campaign.names.prompt_templates import PromptTemplate, fill_prompt
from prefect_staticadslab.campaign.names.resolver import (
    BriefLine,
    Combination,
    Resolver,
    RowAds,
    empty_placeholder_problems,
)
from prefect_staticadslab.campaign.rows.columns import (
    KNOWN_COLUMNS,
    SENT_PREFIX,
    SOURCE_ROW_COLUMN,
    find_columns,
)
from prefect_staticadslab.campaign.rows.resource_types import RESOURCE_TYPES, TEMPLATE, ResourceType
from prefect_staticadslab.campaign.table.layout import with_input_names


def expand(brief: Brief, catalogue: Catalogue) -> Spreadsheet:
    """The spreadsheet with a line for each ad: ids looked up, prompts filled in. No I/O.

    The user's cells stay as they are. Each ad's ids are in the id columns: a column of the user's
    in which some cell is no single id is renamed to `input_…`, and one with ids is added. Where
    name cells or prompts stand for several ads, what was chosen for each is in columns `sent_…`.
    If some row makes more than one ad, a column says which row each is of. All ads of a row have
    its row number, so that people find the row that a message is about.

    Args:
        brief: What was read.
        catalogue: The lists that `brief.missing_lists` names.

    Returns:
        The very spreadsheet that was read, if it says everything in ids. Of a result table, its
        columns without those of the results.

    Raises:
        SpreadsheetError: Names, filters or ids are wrong, or a placeholder stands for nothing, or
            there are too many ads; the message lists all of it.
        CampaignError: The catalogue lacks a list.

    Example:
        ```python
        from pathlib import Path

        from prefect_staticadslab.campaign.names.brief import Brief
        from prefect_staticadslab.campaign.names.listings import NOTHING_READ
        from prefect_staticadslab.campaign.names.expand import expand

        Path("two.csv").write_text(
            "design_template_id,brand_id,product_id,audience_id,price,prompt\\n"
            "dt_1,brand_1,prod_1,aud_1 | aud_2,3.50,Now {price}\\n"
        )
        table = expand(Brief.open("two.csv"), NOTHING_READ)
        assert table.frame["audience_id"].tolist() == ["aud_1", "aud_2"]
        assert table.frame["input_audience_id"].tolist() == ["aud_1 | aud_2", "aud_1 | aud_2"]
        assert table.frame["sent_prompt"].tolist() == ["Now 3.50", "Now 3.50"]
        assert table.row_numbers == (2, 2)
        ```
    """
    own = own_spreadsheet(brief.spreadsheet, brief.earlier)
    if not brief.lines:
        return own
    resolver = Resolver(catalogue, rows=len(brief.lines))
    ads = [resolver.resolve_line(line) for line in brief.lines]
    if brief.problems:
        raise _error_in_row_order([*brief.problems, *resolver.problems])
    if any(resolver.missing_lists.values()):
        raise CampaignError("The spreadsheet's names are looked up in the API, which needs a key.")
    builder = _SpreadsheetBuilder(
        own, brief.lines, several=any(len(row_ads) > 1 for row_ads in ads)
    )
    builder.check_size(sum(map(len, ads)), len(brief.lines))
    problems = resolver.problems
    for line, cells, row_ads in zip(brief.lines, own.lines, ads, strict=True):
        problems += builder.add_ads(line, cells, row_ads)
    if problems:
        raise _error_in_row_order(problems)
    return builder.build()


def _error_in_row_order(problems: Sequence[Problem]) -> SpreadsheetError:
    """An error with these problems, those of the whole spreadsheet before those of rows."""
    return SpreadsheetError(sorted(problems, key=lambda problem: problem.row or 0))


class _SpreadsheetBuilder:
    """Builds the expanded spreadsheet, row by row.

    Args:
        spreadsheet: The user's own columns and lines.
        lines: What each of its lines asks for.
        several: Whether any line makes more than one ad: then a column says which row each is of.
    """

    def __init__(
        self, spreadsheet: Spreadsheet, lines: Sequence[BriefLine], *, several: bool
    ) -> None:
        self._spreadsheet = spreadsheet
        source_columns = (SOURCE_ROW_COLUMN,) if several else ()
        # By the names that the user knows, which a prompt's placeholders use as well.
        self._positions = placeholder_positions(spreadsheet.header)
        for name, position in find_columns(spreadsheet, KNOWN_COLUMNS)[0].items():
            self._positions.setdefault(name, position)
        columns = self._columns_with_several(lines)
        ids = [column for column in columns if column.endswith("_id")]
        self._header = list(with_input_names(spreadsheet.header, (*ids, *source_columns)))
        for resource_type in RESOURCE_TYPES:
            if resource_type.id_column in ids or (
                resource_type.id_column not in self._positions
                and resource_type.name in self._positions
            ):
                self._positions[resource_type.id_column] = self._append_column(
                    resource_type.id_column
                )
        names = [column for column in columns if column not in ids]
        self._sent_positions = {
            column: self._append_column(f"{SENT_PREFIX}{column}") for column in names
        }
        self._header += source_columns
        self._several = several
        self._lines: list[list[Any]] = []
        self._row_numbers: list[int] = []
        self._prompt_characters = 0

    def _append_column(self, column: str) -> int:
        """Adds a column at the right of the header. Returns its position."""
        self._header.append(column)
        return len(self._header) - 1

    def _columns_with_several(self, lines: Sequence[BriefLine]) -> list[str]:
        """The columns in which some cell does not say by itself what one ad is of.

        Id columns and name columns; and `prompt`, if some prompt is to be filled in.
        """
        columns = []
        for resource_type in RESOURCE_TYPES:
            for column in (resource_type.id_column, resource_type.name):
                if column not in self._positions or column == TEMPLATE.name:
                    continue
                position = self._positions[column]
                cells = (_stripped(line[position]) for line in self._spreadsheet.lines)
                if any(
                    text
                    and stands_for_several(
                        text, line.selectors[resource_type], resource_type, column
                    )
                    for text, line in zip(cells, lines, strict=True)
                ):
                    columns.append(column)
        return [*columns, *(["prompt"] if any(line.prompt for line in lines) else [])]

    def check_size(self, ads: int, rows: int) -> None:
        """Raises if there would be more cells than can be held.

        Args:
            ads: How many ads all rows make.
            rows: How many rows the user's spreadsheet has.

        Raises:
            SpreadsheetError: There would be.
        """
        cells = ads * len(self._header)
        if ads > rows and cells > TABLE_CELLS:
            message = (
                f"The spreadsheet makes {ads:,} ads with {len(self._header):,} columns each, and "
                f"{TABLE_CELLS:,} cells are the most. Take out a *, or columns that no ad needs."
            )
            raise SpreadsheetError([Problem(message)])

    def add_ads(self, line: BriefLine, row_cells: Sequence[Any], ads: RowAds) -> list[Problem]:
        """Adds a line for each of a row's ads, except those whose prompts are too long.

        Args:
            line: What the row asks for.
            row_cells: The user's cells of the row.
            ads: The row's ads.

        Returns:
            What is wrong with their prompts, each problem once.

        Raises:
            SpreadsheetError: All prompts together are too long.
        """
        problems: dict[Problem, None] = {}
        blank = [""] * (len(self._header) - len(row_cells))
        for ad in ads:
            cells = [*row_cells, *blank]
            for resource_type in line.selectors:
                self._write_choice(cells, resource_type, ad[resource_type])
            if self._several:
                cells[-1] = str(line.number)
            if "prompt" in self._sent_positions:
                cells[self._sent_positions["prompt"]] = cells[self._positions["prompt"]]
            if line.prompt is not None:
                prompt, prompt_problems = self._fill_prompt(line, line.prompt, cells, ad)
                problems.update(dict.fromkeys(prompt_problems))
                if prompt is None:
                    continue
                cells[self._sent_positions["prompt"]] = prompt
            self._lines.append(cells)
            self._row_numbers.append(line.number)
        return list(problems)

    def _fill_prompt(
        self, line: BriefLine, template: PromptTemplate, cells: Sequence[Any], ad: Combination
    ) -> tuple[FilledIn | None, list[Problem]]:
        """An ad's prompt, filled in, and what is wrong with it; None if it would be too long.

        Adds its length to that of all prompts, and raises a `SpreadsheetError` if they are too
        long together.
        """
        values = self._placeholder_values(line, template, cells, ad)
        problems = empty_placeholder_problems(line, values, ad)
        if length_problem := self._add_prompt_length(line, template.length(values)):
            return None, [*problems, length_problem]
        catalogue_columns = {
            name for resource_type in line.selectors for name in resource_type.columns
        }
        given = {
            name: text if name in catalogue_columns else cells[self._positions[name]]
            for name, text in values.items()
        }
        has_names = any(
            resource_type.name in values for resource_type in line.types_named_in_prompt
        )
        prompt = fill_prompt(template, values, given, has_catalogue_names=has_names)
        return prompt, problems

    def _add_prompt_length(self, line: BriefLine, length: int) -> Problem | None:
        """Adds a prompt's length to that of all prompts.

        Returns:
            A problem if the prompt is too long by itself: then nothing is added.

        Raises:
            SpreadsheetError: All prompts together are too long.
        """
        if length > PROMPT_LENGTH:
            message = (
                f"would have {length:,} characters once it is filled in, and {PROMPT_LENGTH:,} are "
                "the most. Shorten it, or what it is filled in from."
            )
            return Problem(message, line.number, "prompt")
        self._prompt_characters += length
        if self._prompt_characters > PROMPTS_LENGTH:
            message = (
                f"With this row all prompts have more than {PROMPTS_LENGTH:,} characters once they "
                "are filled in. Shorten them, or split the spreadsheet."
            )
            raise SpreadsheetError([Problem(message, line.number)])
        return None

    def _placeholder_values(
        self, line: BriefLine, prompt: PromptTemplate, cells: Sequence[Any], ad: Combination
    ) -> dict[str, str]:
        """The value of each column that a prompt's placeholders name, for one ad.

        Ids and names are those of the resources that were chosen for it, not the row's texts; the
        name of a template is its id.
        """
        sent: dict[str, str] = {}
        for resource_type in line.selectors:
            chosen = ad[resource_type]
            sent[resource_type.id_column] = chosen.id if chosen else ""
            if resource_type in line.types_named_in_prompt:
                sent[resource_type.name] = _name_of(chosen)
            elif resource_type is TEMPLATE and self._positions.get(resource_type.name) is not None:
                sent[resource_type.name] = (
                    sent[resource_type.id_column]
                    if self._stripped_text(cells, resource_type.name)
                    else ""
                )
        return {
            column: sent[column] if column in sent else self._stripped_text(cells, column)
            for column in prompt.columns
        }

    def _write_choice(
        self, cells: list[Any], resource_type: ResourceType, chosen: ChosenResource | None
    ) -> None:
        """Writes a chosen resource's id into its cell, and its name into its `sent_…` cell, if any.
        None is written as empty texts."""
        identifier = chosen.id if chosen else ""
        if self._stripped_text(cells, resource_type.id_column) != identifier:
            cells[self._positions[resource_type.id_column]] = identifier
        if resource_type.name in self._sent_positions:
            cells[self._sent_positions[resource_type.name]] = _catalogue_text(_name_of(chosen))

    def _stripped_text(self, cells: Sequence[Any], column: str) -> str:
        """The text of the cell in a column, without surrounding spaces."""
        return _stripped(cells[self._positions[column]])

    def build(self) -> Spreadsheet:
        """The expanded spreadsheet, with the lines that were added."""
        return replace(
            self._spreadsheet,
            header=tuple(self._header),
            lines=self._lines,
            row_numbers=tuple(self._row_numbers),
        )


def _stripped(cell: Any) -> str:
    """A cell's text without surrounding spaces."""
    return cell_text(cell).strip()


def _catalogue_text(text: str) -> CatalogueText:
    """A name from the catalogue as the text of a cell."""
    # Without control characters, which not every format keeps: one before a = would hide it.
    return CatalogueText(plain_text(text))


def _name_of(chosen: ChosenResource | None) -> str:
    """A resource's name; "" if there is no resource, or if its name was not read."""
    return chosen.name if chosen else ""
