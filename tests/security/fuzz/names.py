"""What cells and settings say: names, prompts, patterns with the date in them, notes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from prefect_staticadslab.api.resources import CatalogueResource
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.date_patterns import (
    PLACEHOLDERS,
    escape_braces,
    fill_in,
    moment_of,
    names_made_by,
    placeholders_in,
)
from prefect_staticadslab.campaign.inbox.notes import Note, read_note, write_note
from prefect_staticadslab.campaign.inbox.table_names import TableNames, is_spreadsheet_name
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.names.cell_syntax import read_selector
from prefect_staticadslab.campaign.names.expand import expand
from prefect_staticadslab.campaign.names.listings import Catalogue, Listing, ListKey
from prefect_staticadslab.campaign.names.prompt_templates import (
    PlaceholderError,
    has_braces,
    parse_prompt,
)
from prefect_staticadslab.campaign.rows.ad_rows import read_rows
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    RESOURCE_TYPES,
    TEMPLATE,
    VARIANT,
)
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from tests.security.fuzz.inputs import (
    any_texts,
    edited,
    edits,
    json_values,
    mostly,
    pick,
    temporary_folder,
    texts,
)
from tests.security.fuzz.target import BrokenPromiseError, Target, promise

_NAMES: Final = (
    "Harbor Roast", "harbor  roast", "=Tea", "'=Tea", "A | B", "*", "", "İstanbul", "{price}",
    "dt_1", "prod_1", "Commuters", "\x07Bell", "+49", "a\nb",
)  # fmt: skip


def catalogue(names: Sequence[str]) -> Catalogue:
    """A catalogue in which the things have these names, in turn."""

    def listing(kind: Any, prefix: str, count: int) -> Listing:
        made: list[CatalogueResource] = [
            kind.resource(id=f"{prefix}_{n + 1}", name=names[n % len(names)]) for n in range(count)
        ]
        return Listing(tuple(made))

    formats = [
        TEMPLATE.resource.model_validate(
            {"id": f"dt_{n}", "status": "completed", "ad_format": name, "aspect_ratio": "4:5"}
        )
        for n, name in enumerate(("Sale", "Bold", *names[:3]), start=1)
    ]
    lists = {ListKey(TEMPLATE): Listing(tuple(formats)), ListKey(BRAND): listing(BRAND, "brand", 3)}
    for brand in range(3):
        lists[ListKey(PRODUCT, f"brand_{brand + 1}")] = listing(PRODUCT, "prod", 2 + brand)
    for product in range(4):
        lists[ListKey(AUDIENCE, f"prod_{product + 1}")] = listing(AUDIENCE, "aud", 1 + product)
        lists[ListKey(VARIANT, f"prod_{product + 1}")] = listing(VARIANT, "pv", product)
    return Catalogue(lists)


CATALOGUE: Final = catalogue(_NAMES)


def names_of_things() -> st.SearchStrategy[str]:
    """Cells that name something, or several things, or nothing."""
    known = pick(
        (*_NAMES, "dt_1", "dt_9", "brand_1", "prod_2", "aud_1", "pv_1", "ad_format=Sale",
         "ad_format=sale; aspect_ratio=4:5", "industry=x", "ad_format", "*", "brand_ 1")
    )  # fmt: skip
    one = st.one_of(known, known, texts(10))
    return st.one_of(one, st.lists(one, max_size=4).map(" | ".join))


def _selector_inputs() -> st.SearchStrategy[tuple[list[str], list[list[str]]]]:
    names = st.lists(st.one_of(pick(_NAMES), any_texts()), min_size=1, max_size=4)
    good = ("dt_1", "", "", "brand_2", "", "*", "", "*", "", "")
    fields = st.integers(0, len(good) - 1)
    changes = st.dictionaries(fields, names_of_things(), max_size=2)
    line = changes.map(lambda given: [given.get(n, cell) for n, cell in enumerate(good)])
    return st.tuples(names, st.lists(line, min_size=1, max_size=3))


def examine_cell_syntax(given: tuple[list[str], list[list[str]]]) -> None:
    names, lines = given
    for line in lines:
        for kind, id_text, name_text in zip(RESOURCE_TYPES, line[::2], line[1::2], strict=True):
            for named in (True, False):
                selector, wrong = read_selector(kind, id_text, name_text, named=named)
                told = {column for column, _ in wrong}
                promise(told <= {kind.name, kind.id_column}, "a column of another kind", told)
                promise(bool(selector.column), "a selector of no column", selector)
    header = [name for kind in RESOURCE_TYPES for name in (kind.id_column, kind.name)]
    table = Spreadsheet(tuple(header), lines, tuple(range(2, 2 + len(lines))))
    read_rows(expand(Brief.read(table), catalogue(names)))


def _prompt_inputs() -> st.SearchStrategy[tuple[list[str], list[str], str, str, str]]:
    pieces = pick(
        ("{product}", "{audience}", "{price}", "{a b}", "{{", "}}", "{", "}", "Now ", "{Product}",
         "{price:>99999999999}", "{price!r}", "{0.__class__}", "{=x}", "'", "=", "\n", "{prompt}")
    )  # fmt: skip
    good = pick(("{product}", "{audience}{{", "Now ", "'", "=", "{brand_id}", "\n", "+"))
    wild = st.lists(st.one_of(pieces, texts(8)), max_size=5)
    prompt = st.one_of(st.lists(good, max_size=3), wild).map("".join)
    columns = st.lists(
        st.one_of(pick(("price", "a b", "=x", "Status")), texts(8)),
        max_size=3,
        unique=True,
    ).filter(lambda names: not {"prompt", "product"} & {name.strip().casefold() for name in names})
    names = st.lists(st.one_of(pick(_NAMES), any_texts()), min_size=1, max_size=3)
    ending = pick((".csv", ".tsv", ".xlsx", ".parquet"))
    return st.tuples(names, columns, prompt, texts(), ending)


_folder: Final = cache(temporary_folder)


def examine_prompt(given: tuple[list[str], list[str], str, str, str]) -> None:
    names, columns, prompt, value, ending = given
    known = [name.strip().casefold() for name in columns]
    try:
        template = parse_prompt(prompt, known)
    except PlaceholderError:
        pass
    else:
        filled = template.fill(dict.fromkeys(known, value))
        promise(len(filled) <= len(prompt) * (1 + len(value)), "a prompt that swelled", filled)
        plain = parse_prompt(escape_braces(prompt), []).fill({})
        promise(plain == prompt, "doubled braces are not themselves", plain)
        promise(has_braces(prompt) or filled == prompt, "a prompt without braces changed")
    header = ["design_template_id", "brand_id", "product", "audience", "prompt", *columns]
    line = ["dt_1", "brand_2", "*", "*", prompt, *[value] * len(columns)]
    table = Spreadsheet(tuple(header), [line, line], (2, 3), Dialect())
    _filled_once(table, catalogue(names), ending)


def _filled_once(table: Spreadsheet, there: Catalogue, ending: str) -> None:
    """Promises that the table of a campaign asks for the same ads, and fills no prompt again."""
    spreadsheet = expand(Brief.read(table), there)
    place = _folder() / f"results{ending}"
    place.unlink(missing_ok=True)
    campaign = ImageAdTable.open(str(place), spreadsheet)
    for position, row in enumerate(campaign.rows):
        state = JobState(RowStatus.COMPLETED, job_id=f"ia_{position}", image_url="http://a/b")
        campaign.update(position, state)
        promise(bool(row.request.product_id), "an ad of no product")
    campaign.save_now()
    wanted = [(row.identity, row.request.prompt) for row in campaign.rows]
    again = known_again(str(place), expand(Brief.read(table), there))
    promise(
        [(r.identity, r.request.prompt) for r in again.rows] == wanted, "paid for again", wanted
    )
    promise(all(state.is_completed for state in again.states), "an ad is not known again")
    # As a spreadsheet of its own: what was filled in is not filled in again.
    if ending != ".parquet":
        brief = Brief.open(str(place))
        prompts = [row.request.prompt for row in read_rows(expand(brief, there))]
        promise(prompts == [prompt for _, prompt in wanted], "filled in again", prompts)


def known_again(place: str, spreadsheet: Spreadsheet) -> ImageAdTable:
    """A table that this program has written, opened for the same spreadsheet again."""
    try:
        return ImageAdTable.open(place, spreadsheet)
    except CampaignError as error:
        raise BrokenPromiseError("a table of ours is not known again", str(error)) from error


def _pattern_inputs() -> st.SearchStrategy[tuple[str, list[str], str, str, str]]:
    pieces = (*(f"{{{name}}}" for name in PLACEHOLDERS), "{name}", "{ending}", "-", "{name}", "x")
    piece = mostly(pick(pieces), texts(6))
    ends = mostly(pick((".{ending}", "-results.csv", ".{ending}")), texts(6))
    pattern = st.tuples(st.lists(piece, max_size=6).map("".join), ends).map("".join)
    there = st.lists(st.one_of(texts(), st.from_regex(r"x-\d{4}-\d\d-\d\d\.csv")), max_size=4)
    zones = pick(("Europe/Berlin", "UTC", "", "Asia/Tokyo", "../x", "/etc/passwd"))
    names = mostly(st.just("summer"), texts(12))
    endings = pick((".csv", ".xlsx", ""))
    return st.tuples(pattern, there, names, mostly(zones, any_texts()), endings)


def examine_pattern(given: tuple[str, list[str], str, str, str]) -> None:
    pattern, there, name, zone, ending = given
    moment = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
    values = {"name": name, "ending": ending}
    used = placeholders_in(pattern, values)
    made = fill_in(pattern, moment, values)
    found = names_made_by(pattern, [*there, made], values)
    promise(made in found, "what was filled in is not known again", pattern, made)
    promise(
        fill_in(escape_braces(pattern), moment) == pattern, "an escaped pattern is not itself", used
    )
    is_spreadsheet_name(name)
    moment_of(moment, zone)
    tables = TableNames.of(pattern, moment, beside=bool(ending))
    spreadsheet = f"{name}{ending}"
    table = tables.new_table(spreadsheet)
    promise(
        tables.earlier_tables(spreadsheet, [table]) == [table],
        "an earlier table is not known",
        table,
    )
    if is_spreadsheet_name(spreadsheet) and "/" not in name:
        promise(tables.is_table(table), "a table is not told from a spreadsheet", table)


def _note_inputs() -> st.SearchStrategy[bytes]:
    note = st.fixed_dictionaries(
        {"campaign": any_texts(), "table": any_texts()},
        optional={"api": any_texts(), "finished": any_texts(), "more": json_values()},
    )
    values = st.one_of(note, json_values())
    deep = pick((b"[" * 100_000, b'{"campaign":' * 20_000, b"9" * 60_000, b" " * 65_536))
    changes = edits((b"{", b"}", b"[", b'"', b"\\ud800", b"NaN", b"1e999", b"\xff", b"\x00"))
    whole = values.map(lambda value: json.dumps(value).encode())
    return st.one_of(st.builds(edited, whole, changes), deep)


def examine_note(content: bytes) -> None:
    path = _folder() / "note.csv.json"
    path.write_bytes(content)
    note = read_note(str(path))
    promise(all(isinstance(value, str) for value in vars(note).values()), "no texts", note)
    written = Note(*(value.encode(errors="replace").decode() for value in vars(note).values()))
    write_note(str(_folder()), "again.csv", written)
    promise(read_note(str(_folder() / ".inbox" / "again.csv.json")) == written, "another note")


NAMES: Final = (
    Target("cell_syntax", _selector_inputs, examine_cell_syntax, (CampaignError,)),
    Target("prompt_templates", _prompt_inputs, examine_prompt, (CampaignError,)),
    Target("date_patterns", _pattern_inputs, examine_pattern, (CampaignError,)),
    Target("notes", _note_inputs, examine_note, (CampaignError,)),
)
