"""From a brief and a catalogue to a spreadsheet in which each row is one ad and says so in ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from typing import Any

from prefect_staticadslab.bounds import PROMPT_LENGTH, PROMPTS_LENGTH, TABLE_CELLS
from prefect_staticadslab.campaign.errors import CampaignError, Problem, SpreadsheetError
from prefect_staticadslab.campaign.files.cells import (
    Spreadsheet,
    cell_text,
    plain_text,
)
from prefect_staticadslab.campaign.files.formulas import (
    CatalogueText,
    FilledIn,
    FilledInCatalogueText,
)
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.cell_syntax import ALL, ById, Selector, parts_of
from prefect_staticadslab.campaign.names.earlier_table import own_spreadsheet, placeholder_positions
from prefect_staticadslab.campaign.names.listings import Catalogue, ChosenResource
from prefect_staticadslab.campaign.names.prompt_templates import PromptTemplate
from prefect_staticadslab.campaign.names.resolver import (
    BriefLine,
    Combination,
    Resolver,
    RowAds,
)
from prefect_staticadslab.campaign.rows.columns import (
    KNOWN_COLUMNS,
    SENT_PREFIX,
    SOURCE_ROW_COLUMN,
    find_columns,
)
from prefect_staticadslab.campaign.rows.resource_types import KINDS, TEMPLATE, ResourceType
from prefect_staticadslab.campaign.table.layout import with_input_names


def expand(brief: Brief, catalogue: Catalogue) -> Spreadsheet:
    """The spreadsheet with a line for each ad: ids looked up, prompts filled in.

    The user's cells stay as she wrote them. Ids are in the ids' columns; what she wrote there, if
    it is no single id, is in `input_…`. The names and the prompt of each ad are in `sent_…`, where
    hers stand for several. If some row makes more than one ad, a column says which row each is of;
    and a row's ads keep its number, so that whatever is said of them is said of a row that people
    find.

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
    ads = [resolver.ads(line) for line in brief.lines]
    if brief.problems:
        raise _error_of([*brief.problems, *resolver.problems])
    if any(resolver.missing_lists.values()):
        raise CampaignError("The spreadsheet's names are looked up in the API, which needs a key.")
    writer = _Writer(own, brief.lines, several=any(len(row_ads) > 1 for row_ads in ads))
    writer.check_size(sum(map(len, ads)), len(brief.lines))
    problems = resolver.problems
    for line, cells, row_ads in zip(brief.lines, own.lines, ads, strict=True):
        problems += writer.add(line, cells, row_ads)
    if problems:
        raise _error_of(problems)
    return writer.spreadsheet()


def _error_of(problems: Sequence[Problem]) -> SpreadsheetError:
    return SpreadsheetError(sorted(problems, key=lambda problem: problem.row or 0))


class _Writer:
    """Writes the lines of the expanded spreadsheet.

    Args:
        spreadsheet: The user's own columns and lines.
        lines: What each of its lines asks for.
        several: Whether any line makes more than one ad: then a column says which line each is of.
    """

    def __init__(
        self, spreadsheet: Spreadsheet, lines: Sequence[BriefLine], *, several: bool
    ) -> None:
        self._spreadsheet = spreadsheet
        source_columns = (SOURCE_ROW_COLUMN,) if several else ()
        # The prompt's placeholders and the columns go by the names that the user knows.
        self._places = placeholder_positions(spreadsheet.header)
        for name, place in find_columns(spreadsheet, KNOWN_COLUMNS)[0].items():
            self._places.setdefault(name, place)
        columns = self._columns_with_several(lines)
        ids = [column for column in columns if column.endswith("_id")]
        self._header = list(with_input_names(spreadsheet.header, (*ids, *source_columns)))
        for kind in KINDS:
            if kind.id_column in ids or (
                kind.id_column not in self._places and kind.name in self._places
            ):
                self._places[kind.id_column] = self._append(kind.id_column)
        names = [column for column in columns if column not in ids]
        self._sent = {column: self._append(f"{SENT_PREFIX}{column}") for column in names}
        self._header += source_columns
        self._several = several
        self._lines: list[list[Any]] = []
        self._numbers: list[int] = []
        self._filled_in = 0

    def _append(self, column: str) -> int:
        self._header.append(column)
        return len(self._header) - 1

    def _columns_with_several(self, lines: Sequence[BriefLine]) -> list[str]:
        """The columns in which some cell does not say by itself what an ad is of."""
        columns = []
        for kind in KINDS:
            for column in (kind.id_column, kind.name):
                if column not in self._places or column == TEMPLATE.name:
                    continue
                place = self._places[column]
                cells = (_stripped(line[place]) for line in self._spreadsheet.lines)
                if any(
                    text and _stands_for_several(text, line.selectors[kind], kind, column)
                    for text, line in zip(cells, lines, strict=True)
                ):
                    columns.append(column)
        return [*columns, *(["prompt"] if any(line.prompt for line in lines) else [])]

    def check_size(self, ads: int, rows: int) -> None:
        """Raises a `SpreadsheetError` if there would be more cells than can be held."""
        cells = ads * len(self._header)
        if ads > rows and cells > TABLE_CELLS:
            message = (
                f"The spreadsheet makes {ads:,} ads with {len(self._header):,} columns each, and "
                f"{TABLE_CELLS:,} cells are the most. Take out a *, or columns that no ad needs."
            )
            raise SpreadsheetError([Problem(message)])

    def add(self, line: BriefLine, row_cells: Sequence[Any], ads: RowAds) -> list[Problem]:
        """Adds a line for each of a row's ads. Returns what is wrong with their prompts."""
        problems: dict[Problem, None] = {}
        blank = [""] * (len(self._header) - len(row_cells))
        for ad in ads:
            cells = [*row_cells, *blank]
            for kind in line.selectors:
                self._write_choice(cells, kind, ad[kind])
            if self._several:
                cells[-1] = str(line.number)
            if "prompt" in self._sent:
                cells[self._sent["prompt"]] = cells[self._places["prompt"]]
            if line.prompt is not None:
                values = self._values(line, line.prompt, cells, ad)
                problems.update(dict.fromkeys(_empty_placeholders(line, values, ad)))
                if length_problem := self._count_prompt(line, line.prompt.length(values)):
                    problems[length_problem] = None
                    continue
                of_kinds = {name for kind in line.selectors for name in (kind.name, kind.id_column)}
                given = {
                    name: text if name in of_kinds else cells[self._places[name]]
                    for name, text in values.items()
                }
                has_names = any(kind.name in values for kind in line.types_named_in_prompt)
                prompt = _filled_in(line.prompt, values, given, has_catalogue_names=has_names)
                cells[self._sent["prompt"]] = prompt
            self._lines.append(cells)
            self._numbers.append(line.number)
        return list(problems)

    def _count_prompt(self, line: BriefLine, length: int) -> Problem | None:
        """Adds a prompt's length to the campaign's. Returns a problem if the prompt is too long.

        Raises:
            SpreadsheetError: All prompts together are too long.
        """
        if length > PROMPT_LENGTH:
            message = (
                f"would have {length:,} characters once it is filled in, and {PROMPT_LENGTH:,} are "
                "the most. Shorten it, or what it is filled in from."
            )
            return Problem(message, line.number, "prompt")
        self._filled_in += length
        if self._filled_in > PROMPTS_LENGTH:
            message = (
                f"With this row all prompts have more than {PROMPTS_LENGTH:,} characters once they "
                "are filled in. Shorten them, or split the spreadsheet."
            )
            raise SpreadsheetError([Problem(message, line.number)])
        return None

    def _values(
        self, line: BriefLine, prompt: PromptTemplate, cells: Sequence[Any], ad: Combination
    ) -> dict[str, str]:
        """What each column of a prompt's placeholders holds for an ad."""
        sent: dict[str, str] = {}
        for kind in line.selectors:
            chosen = ad[kind]
            sent[kind.id_column] = chosen.id if chosen else ""
            if kind in line.types_named_in_prompt:
                sent[kind.name] = _name(chosen)
            elif kind is TEMPLATE and self._places.get(kind.name) is not None:
                sent[kind.name] = sent[kind.id_column] if self._text(cells, kind.name) else ""
        return {
            column: sent[column] if column in sent else self._text(cells, column)
            for column in prompt.columns
        }

    def _write_choice(
        self, cells: list[Any], kind: ResourceType, chosen: ChosenResource | None
    ) -> None:
        """Writes the chosen id into `cells`, and its name where a cell names several."""
        identifier = chosen.id if chosen else ""
        if self._text(cells, kind.id_column) != identifier:
            cells[self._places[kind.id_column]] = identifier
        if kind.name in self._sent:
            cells[self._sent[kind.name]] = _catalogue_text(_name(chosen))

    def _text(self, cells: Sequence[Any], column: str) -> str:
        return _stripped(cells[self._places[column]])

    def spreadsheet(self) -> Spreadsheet:
        """All lines."""
        return replace(
            self._spreadsheet,
            header=tuple(self._header),
            lines=self._lines,
            row_numbers=tuple(self._numbers),
        )


def _filled_in(
    prompt: PromptTemplate,
    values: Mapping[str, str],
    cells: Mapping[str, Any],
    *,
    has_catalogue_names: bool,
) -> FilledIn:
    """A prompt, filled in with values, that remembers the cells that these are of."""
    text = prompt.fill(values)
    filled = FilledInCatalogueText(plain_text(text)) if has_catalogue_names else FilledIn(text)
    between = (
        (cells[column], text)
        for (_, column), (text, _) in pairwise(prompt.pieces)
        if column is not None
    )
    filled.parts = (prompt.pieces[0][0], *chain.from_iterable(between))
    return filled


def _stands_for_several(text: str, selector: Selector, kind: ResourceType, column: str) -> bool:
    """Whether a cell does not say by itself what an ad is of."""
    if column == kind.name:
        return selector.is_several or len(parts_of(text)) > 1 or ALL in parts_of(text)
    return selector.values != (ById(text),)


def _stripped(cell: Any) -> str:
    return cell_text(cell).strip()


def _catalogue_text(text: str) -> CatalogueText:
    # Without control characters, which not every format keeps: one before a = would hide it.
    return CatalogueText(plain_text(text))


def _name(chosen: ChosenResource | None) -> str:
    return chosen.name if chosen else ""


def _empty_placeholders(
    line: BriefLine, values: Mapping[str, str], ad: Combination
) -> list[Problem]:
    """A problem for each placeholder whose column is empty for this ad."""
    kinds = {name: kind for kind in KINDS for name in (kind.name, kind.id_column)}
    problems = []
    for column, value in values.items():
        if value:
            continue
        message = f"{{{column}}} stands for nothing here."
        kind = kinds.get(column)
        if kind is not None and ad[kind] is None:
            parent = next((str(ad[k]) for k in KINDS if k.name == kind.parent), "")
            message = f"{{{column}}} stands for nothing: {parent} has no {kind.thing} in this row."
        problems.append(Problem(message, line.number, "prompt"))
    return problems
