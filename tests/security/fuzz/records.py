"""Rows and records: what asks for an ad, and what is known of it, in whatever a table says."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final

import pydantic
from hypothesis import strategies as st

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import (
    FIRST_ROW,
    Dialect,
    Spreadsheet,
    frame_of,
    plain_text,
)
from prefect_staticadslab.campaign.files.formats.text import read_text
from prefect_staticadslab.campaign.files.formulas import unescape
from prefect_staticadslab.campaign.files.spreadsheet import WRITABLE, write_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.columns import READ_COLUMNS
from prefect_staticadslab.campaign.rows.form_ads import TypedAd, spreadsheet_from_ads
from prefect_staticadslab.campaign.table.job_state import (
    AD_COLUMNS,
    RESULT_COLUMNS,
    JobState,
    RowStatus,
)
from prefect_staticadslab.campaign.table.other_runs import merge_states
from prefect_staticadslab.campaign.table.record_encoder import RecordEncoder
from tests.security.fuzz.inputs import (
    MOMENTS,
    NUMBERS,
    any_texts,
    json_values,
    mostly,
    pick,
    temporary_folder,
    texts,
)
from tests.security.fuzz.names import CATALOGUE, known_again, names_of_things
from tests.security.fuzz.target import BrokenPromiseError, Target, promise

_IDS: Final = {
    "design_template_id": "dt_1",
    "brand_id": "brand_1",
    "product_id": "prod_1",
    "audience_id": "aud_1",
}

_values: Final = cache(
    lambda: st.one_of(
        texts(),
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        pick((10**30, 2**63, 1e308, 20.0, -0.0)),
    )
)
"""Cells as the formats hold them."""


def _json_texts() -> st.SearchStrategy[str]:
    import json

    def lenient(value: object) -> str:
        return json.dumps(value)

    overrides = st.dictionaries(texts(), st.dictionaries(texts(), json_values(), max_size=3))
    nested = st.integers(0, 100_000).map(lambda depth: "[" * depth + "]" * depth)
    keys = ('{"a": {"b": 1}, "a": {"b": 2}}', '{"a": {"b": NaN}}', '{"a": {"b": 1e999}}')
    return st.one_of(
        overrides.map(lenient),
        overrides.map(lenient),
        st.just(""),
        json_values().map(lenient),
        nested,
        nested.map(lambda deep: f'{{"a": {{"b": {deep}}}}}'),
        pick((*keys, '{"a": {"b": ' + "9" * 5000 + "}}", '{"a": {"b": "\\ud800"}}')),
        texts(),
    )


Lines = tuple[tuple[str, ...], list[list[Any]]]
"""A header, and a line of cells for each row."""


def _lines(extra: st.SearchStrategy[list[str]], *, wrong: bool) -> st.SearchStrategy[Lines]:
    """Tables of ads, most of them with ids that are good."""

    def of(columns: list[str]) -> st.SearchStrategy[Lines]:
        header = tuple(dict.fromkeys((*_IDS, *columns)))
        cells = [_cell_of(name, wrong=wrong) for name in header]
        lines = st.lists(st.tuples(*cells).map(list), min_size=1, max_size=4)
        return st.tuples(st.just(header), lines)

    known = st.lists(pick(sorted(READ_COLUMNS)), max_size=6)
    return st.tuples(known, extra).map(lambda parts: parts[0] + parts[1]).flatmap(of)


def _cell_of(column: str, *, wrong: bool) -> st.SearchStrategy[Any]:
    good: st.SearchStrategy[Any]
    if column in _IDS:
        good = st.just(_IDS[column])
    elif column == "product_variant_id":
        good = pick(("", "pv_1", None))
    elif column in ("editable", "generate_ai_images", "generate_copy"):
        good = pick(("", "true", "no", "X", True, False, None, 1, 0.0))
    elif column == "node_overrides":
        return _json_texts() if wrong else pick(("", '{"2": {"characters": "=x"}}'))
    elif column == "row_id":
        return st.one_of(st.integers(0, 9).map(str), _values())
    else:
        return _values()
    return mostly(good, _values()) if wrong else good


def _spreadsheet(given: Lines) -> Spreadsheet:
    header, lines = given
    return Spreadsheet(tuple(header), lines, tuple(range(FIRST_ROW, FIRST_ROW + len(lines))))


def _row_inputs() -> st.SearchStrategy[Lines]:
    return _lines(st.lists(texts(10), max_size=2), wrong=True)


def examine_rows(given: Lines) -> None:
    rows = read_rows(_spreadsheet(given), unique_row_ids=False)
    for row in rows:
        body = row.request.body()
        promise(ImageAdRequest(**body).body() == body, "what is sent is not what was read", body)
        promise(row.request.price_usd > 0, "an ad that costs nothing")
        row.request.model_dump_json().encode()
    identities = {row.identity for row in rows}
    promise(len(identities) <= len(rows), "more rows than there are")


_folder: Final = cache(temporary_folder)


def _fresh(ending: str) -> str:
    """A place in an empty folder."""
    folder = _folder() / "table"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return str(folder / f"results{ending}")


def _state_cells() -> st.SearchStrategy[list[Any]]:
    nonsense = st.one_of(_values(), pick((*NUMBERS, *MOMENTS)), any_texts())
    status = st.one_of(pick([*map(str, RowStatus)]), nonsense)
    moments = st.one_of(pick(MOMENTS), nonsense)
    numbers = st.one_of(pick(NUMBERS), nonsense)
    by_name = {"status": status, "submitted_at": moments, "completed_at": moments} | dict.fromkeys(
        ("width", "height"), numbers
    )
    # Amounts that cannot be are refused, and then nothing else is looked at.
    amounts = mostly(mostly(pick(("", "0", "1.00", 4)), numbers), nonsense)
    by_name |= {"cost_usd": amounts, "attempts": amounts}
    return st.tuples(*(by_name.get(name, nonsense) for name in RESULT_COLUMNS)).map(list)


def _table_inputs() -> st.SearchStrategy[tuple[str, Lines, list[list[Any]]]]:
    extra = st.lists(st.one_of(texts(10), pick(("Status", "error", ""))), max_size=3)
    states = st.lists(_state_cells(), min_size=4, max_size=4)
    return st.tuples(pick(WRITABLE), _lines(extra, wrong=False), states)


def examine_result_table(given: tuple[str, Lines, list[list[Any]]]) -> None:
    ending, lines, cells = given
    place = _fresh(ending)
    sheet = _spreadsheet(lines)
    table = ImageAdTable.open(place, sheet)
    table.save_now()
    _same_after_reading(place, sheet, table)
    states = [
        JobState.from_cells(dict(zip(RESULT_COLUMNS, each, strict=True)))
        for each, _ in zip(cells, table.rows, strict=False)
    ]
    for position, state in enumerate(states):
        _about_a_state(state)
        table.update(position, state)
    table.save_now()
    _same_after_reading(place, sheet, table)
    _with_cells_of_others(place, sheet, lines, cells)


def _same_after_reading(place: str, sheet: Spreadsheet, table: ImageAdTable) -> None:
    """Promises that the next run knows each row again, and pays for none a second time."""
    again = known_again(place, sheet)
    wanted = [row.identity for _, row, _ in table.current_rows]
    promise([r.identity for _, r, _ in again.current_rows] == wanted, "the rows are others", wanted)
    promise(
        again.totals().removed == table.totals().removed,
        "rows are gone",
        again.totals().removed,
        table.totals().removed,
    )
    for ours, theirs in zip(table.states, again.states, strict=True):
        known, kept = ((s.status, _id(s), s.attempts) for s in (ours, theirs))
        promise(known == kept, "a state changed", known, kept)
    try:
        reopened = ImageAdTable.reopen(place)
    except CampaignError as error:
        raise BrokenPromiseError("a table is not opened again", str(error)) from error
    promise([r.identity for r in reopened.rows] == [r.identity for r in again.rows], "reopened")
    _summed_up(reopened)


def _id(state: JobState) -> str:
    """A state's id, as far as every format can hold it; those of the API are letters and digits."""
    return unescape(plain_text(state.job_id or "").strip())


def _with_cells_of_others(
    place: str, sheet: Spreadsheet, lines: Lines, cells: list[list[Any]]
) -> None:
    """Reads a result table that somebody wrote nonsense into, and goes on with it."""
    header, rows = lines
    columns = [f"input_{n}" if n.casefold() in RESULT_COLUMNS else n for n in header]
    filled = [[*row, *state] for row, state in zip(rows, cells, strict=False)]
    written = frame_of([*columns, *RESULT_COLUMNS], filled)
    Path(place).unlink()
    write_spreadsheet(place, written, sheet.dialect)
    table = ImageAdTable.open(place, sheet)
    _summed_up(table)
    table.save_now()
    _same_after_reading(place, sheet, table)
    Brief.open(place) if not place.endswith(".parquet") else None


def _summed_up(table: ImageAdTable) -> None:
    counts = table.totals().counts
    promise(
        sum(counts.values()) == len(table.rows) - table.totals().removed,
        "rows are not counted",
        counts,
    )
    promise(table.totals().cost_usd.is_finite(), "a cost that is none", table.totals().cost_usd)
    promise(len(table.to_frame()) == len(table.rows), "lines are missing")
    table.unsaved()


def _about_a_state(state: JobState) -> None:
    cells = dict(zip(RESULT_COLUMNS, state.cells(), strict=True))
    again = JobState.from_cells(cells)
    once_more = JobState.from_cells(dict(zip(RESULT_COLUMNS, again.cells(), strict=True)))
    promise(once_more == again, "a state changes each time that it is read", again, once_more)
    promise(merge_states(state, state) is state, "a state that is further than itself")
    cost = state.cost_usd
    promise(cost is None or cost.is_finite(), "a cost that is none", cost)


def _state_inputs() -> st.SearchStrategy[tuple[Any, ...]]:
    words = texts().map(lambda text: text.replace("\0", "").strip())
    return st.tuples(
        pick([*map(str, RowStatus)]), words, words, words, st.integers(0, 100_000),
        st.integers(0, 10**6), st.integers(946_684_800, 253_370_764_799), st.booleans(),
    )  # fmt: skip


def examine_state(given: tuple[Any, ...]) -> None:
    status, identifier, url, error, cents, attempts, second, marked = given
    moment = datetime.fromtimestamp(second, UTC)
    is_sent = marked and status == RowStatus.SUBMITTING
    state = JobState(
        RowStatus(status), job_id=identifier or None, image_url=url or None,
        error=error or None, cost_usd=Decimal(cents) / 100, attempts=attempts, width=attempts or 1,
        submitted_at=moment, idempotency_key="0a" * 32 if is_sent else None,
        api_key_hash="2c" * 8 if is_sent else None, asked_at=moment if is_sent else None,
    )  # fmt: skip
    content = RecordEncoder(".csv", Dialect(), AD_COLUMNS).encode(frame_of(["a"], [["x"]]), [state])
    table = read_text(content, frozenset(), tab=False, ragged=True)
    back = JobState.from_cells(dict(zip(RESULT_COLUMNS, table.frame.iloc[0, 1:], strict=True)))
    promise(back == state, "a state is not what was written", back, state)


def _form_inputs() -> st.SearchStrategy[tuple[list[dict[str, str]], dict[str, Any]]]:
    choices = pick(("As in the brand kit", "Yes", "No", "Yes", "No", "Maybe"))
    kinds = pick(("As in the brand kit", "Flat, 1.00 USD", "Editable, 4.00 USD"))
    names = ("product", "audience", "design_template", "product_variant", "brand", "prompt")
    words = mostly(pick(("*", "prod_1", "brand_3", "")), names_of_things())
    ad = st.dictionaries(pick(names), words, max_size=3)
    switches = {"ad_type": kinds, "generate_ai_images": choices, "generate_copy": choices}
    switched = st.fixed_dictionaries({}, optional=switches)
    # Whatever is in a kit that was saved, an ad of it is one of the catalogue, or refused.
    ids = pick(("brand_2", "dt_1", "*", "prod_1", "aud_1", "pv_1", ""))
    known = {"brand_id": "brand_2", "design_template_id": "dt_1"}
    known |= {"product_id": "*", "audience_id": "*"}
    fields = pick((*known, "product_variant_id", "prompt"))
    kit = st.dictionaries(fields, mostly(ids, words), max_size=2).map(lambda g: known | g)
    whole = st.tuples(kit, st.booleans()).map(lambda given: {**given[0], "editable": given[1]})
    both = st.tuples(ad, switched).map(lambda given: given[0] | given[1])
    return st.tuples(st.lists(both, min_size=1, max_size=3), whole)


def examine_form(given: tuple[list[dict[str, str]], dict[str, Any]]) -> None:
    ads, kit = given
    typed = [TypedAd.model_validate(ad) for ad in ads]
    brief = Brief.read(spreadsheet_from_ads(typed, AdDefaults.model_construct(**kit)))
    read_rows(expand(brief, CATALOGUE))


RECORDS: Final = (
    Target("result_table", _table_inputs, examine_result_table, (CampaignError,)),
    Target("states", _state_inputs, examine_state, ()),
    Target("rows", _row_inputs, examine_rows, (CampaignError,)),
    Target("form_ads", _form_inputs, examine_form, (CampaignError, pydantic.ValidationError)),
)
