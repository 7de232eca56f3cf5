"""The contact sheet: a page that shows every row's picture, prompt, status and error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import jinja2

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.locations import redacted
from prefect_staticadslab.campaign.pictures.captions import row_numbers
from prefect_staticadslab.campaign.pictures.cards import (
    FACETS,
    Amount,
    CardText,
    amounts,
    card_texts,
    choices,
    searched_columns,
)
from prefect_staticadslab.campaign.pictures.pages import (
    is_page_with,
    page_environment,
    page_parts,
    read_asset,
)
from prefect_staticadslab.campaign.pictures.picture_links import (
    PictureLinks,
    PicturePlaces,
    embed_pictures,
)
from prefect_staticadslab.campaign.table.idempotency import ID_DIGITS, digest
from prefect_staticadslab.campaign.table.job_state import RowStatus
from prefect_staticadslab.campaign.table.result_table import JobTable

_GENERATOR: Final = '<meta name="generator" content="prefect-staticadslab">'
"""Tells a contact sheet of ours from other pages."""

_LONG_PROMPT: Final = 160
"""Characters of a prompt that a card has room for; more of it is shown when it is opened."""

_LONG_PROMPT_LINES: Final = 4

_LISTED_FOLDERS: Final = 3
"""How many folders of pictures the page names."""

_PARTS_IN_A_PIECE: Final = 1_000
"""Of the template's output; a card is one."""


@dataclass(frozen=True)
class _Card:
    """A row's card, as the template draws it.

    Attributes:
        row: The row's number.
        position: The row's place in the table, from 0.
        status: The row's status.
        about: What the card says of the row's request.
        error: Why the row failed, or what else is wrong with it; or "".
        job_id: The id of the row's job; or "".
        before: The picture to compare with; empty links if there is none.
        picture: The job's picture; empty links if there is none.
        width, height: The picture's, in pixels; 0 if not known.
        cost: What the job has cost, for people; or "".
        detail: The row's format and design template, for people; or "".
    """

    row: int
    position: int
    status: str
    about: CardText
    error: str
    job_id: str
    before: PictureLinks
    picture: PictureLinks
    width: int
    height: int
    cost: str
    detail: str

    @property
    def is_failed(self) -> bool:
        return self.status == RowStatus.FAILED

    @property
    def is_small(self) -> bool:
        """Whether the card has no room for pictures: it failed, or there is none to show."""
        return self.is_failed or not (self.picture.src or self.before.src)

    @property
    def is_long(self) -> bool:
        """Whether the card shows only the beginning of its text, until it is opened."""
        text = self.about.text
        return len(text) > _LONG_PROMPT or text.count("\n") >= _LONG_PROMPT_LINES


def contact_sheet(
    table: JobTable[Any], location: str, title: str, pictures: str = "", *, one_file: bool = False
) -> Iterator[str]:
    """The page for a table as one HTML text that needs no other file but the pictures.

    It is given in pieces, since the whole text of a long table would take much memory.

    Args:
        table: The table.
        location: Where the page will be, so that downloaded pictures are found from there.
        title: What it is headed.
        pictures: A folder of pictures that the page may show, besides what lies below its own
            folder; "" for none. Others are not shown: a table may name any file.
        one_file: Whether the page holds small pictures in itself, so that it can be sent alone.
    """
    cards = _cards(table, PicturePlaces(location, pictures))
    if one_file:
        cards = _with_embedded_pictures(cards)
    values = {name: [_facet_value(card, name) for card in cards] for name in FACETS}
    has_cost = "cost_usd" in table.job_type.columns
    counts = {str(status): count for status, count in table.totals().counts.items() if count}
    page = _page_template().stream(
        title=title,
        failed=[card for card in cards if card.is_failed],
        others=[card for card in cards if not card.is_failed],
        counts=counts,
        rows=sum(counts.values()),
        cost=f"{table.totals().cost_usd:.2f} USD" if has_cost else "",
        completed=counts.get(str(RowStatus.COMPLETED), 0),
        facets=[(name, FACETS[name], found) for name in FACETS if (found := choices(values[name]))],
        amounts=_amounts_by_facet(values, table) if has_cost else {},
        has_variants=len({card.about.made_of for card in cards if card.about.made_of}) < len(cards),
        folders=_picture_folders(table),
        one_file=one_file,
        elsewhere=sum(1 for card in cards if card.picture.src.startswith("http")),
        data=_script_data(table, cards, values),
        **page_parts(_GENERATOR, read_asset("contact_sheet.css"), read_asset("contact_sheet.js")),
    )
    page.enable_buffering(_PARTS_IN_A_PIECE)
    return page


def _cards(table: JobTable[Any], places: PicturePlaces) -> list[_Card]:
    """The card of each row, in the table's order."""
    lines = zip(row_numbers(table), table.states, card_texts(table), strict=True)
    return [
        _Card(
            row=row,
            position=position,
            status=str(state.status),
            about=about,
            error=state.error or "",
            job_id=state.job_id or "",
            before=places.links_to(about.before),
            picture=places.links_of_job(state.image_path, state.image_url),
            width=state.width or 0,
            height=state.height or 0,
            cost=f"{state.cost_usd:.2f} USD" if state.cost_usd else "",
            detail=" · ".join(
                filter(None, (about.facets.get(name) for name in ("format", "template")))
            ),
        )
        for position, (row, state, about) in enumerate(lines)
    ]


def _with_embedded_pictures(cards: Sequence[_Card]) -> list[_Card]:
    """The same cards with small pictures in place of links to files; see `embed_pictures`."""
    links = embed_pictures([link for card in cards for link in (card.before, card.picture)])
    pairs = zip(links[::2], links[1::2], strict=True)
    return [
        replace(card, before=before, picture=picture)
        for card, (before, picture) in zip(cards, pairs, strict=True)
    ]


def _facet_value(card: _Card, name: str) -> str:
    """A card's value of one of `FACETS`; "" if it has none."""
    return card.status if name == "status" else card.about.facets.get(name, "")


def _amounts_by_facet(
    values: Mapping[str, Sequence[str]], table: JobTable[Any]
) -> dict[str, Sequence[Amount]]:
    """What was spent by brand and by design template, by the labels of these two in `FACETS`.

    One that the table has nothing of is left out.

    Args:
        values: Each row's value of each of `FACETS`.
        table: The table.
    """
    return {
        FACETS[name]: amounts(values[name], table.states)
        for name in ("brand", "template")
        if any(values[name])
    }


def _picture_folders(table: JobTable[Any]) -> list[str]:
    """The first folders that downloaded pictures are in, for whoever has the page without them."""
    paths = (state.image_path for state in table.states if state.image_path)
    found = dict.fromkeys(path[: max(path.rfind("/"), path.rfind("\\"), 0)] for path in paths)
    return [redacted(folder) for folder in filter(None, list(found)[:_LISTED_FOLDERS])]


def _script_data(
    table: JobTable[Any], cards: Sequence[_Card], values: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """What the page's script is told of the table and its rows, as JSON; the texts of cards are not
    repeated.

    Each row is a list: its number; a key that is its own in every run, for favourites; its cost in
    USD; the position of the first row that it is a variant of; its values of `FACETS`; its cells.
    """
    names, cells = searched_columns(table)
    first: dict[str, int] = {}
    rows = []
    for card, row, state, line in zip(cards, table.rows, table.states, cells, strict=True):
        variant_of = first.setdefault(card.about.made_of or row.identity, card.position)
        # What is on the card is not needed twice.
        others = ["" if text in (card.about.text, card.job_id) else text for text in line]
        facets = [values[name][card.position] for name in FACETS]
        cost = float(state.cost_usd or 0)
        # Not the identity itself: idempotency keys are made of that.
        key = digest("card", row.identity)[:ID_DIGITS]
        rows.append([card.row, key, cost, variant_of, facets, others])
    place = storage.canonical(table.location) if table.location else ""
    return {
        "id": digest(table.job_type.name, place)[:ID_DIGITS],
        "columns": names,
        "facets": list(FACETS),
        "rows": rows,
    }


def write_contact_sheet(
    table: JobTable[Any], title: str, pictures: str = "", *, one_file: bool = False
) -> str | None:
    """Writes the page beside the table, and returns where; None if the table has no file.

    Args:
        table, title, one_file: See `contact_sheet`.
        pictures: The folder that this run has downloaded the pictures to; "" if it has not.

    Raises:
        CampaignError: It cannot be written, or there is another page of that name.
    """
    if table.location is None:
        return None
    location = storage.with_ending(table.location, ".html")
    if storage.exists(location) and not is_page_with(_GENERATOR, location):
        raise CampaignError(f"{location} is a page of somebody else's, and is left alone.")
    page = contact_sheet(table, location, title, pictures, one_file=one_file)
    storage.write_bytes(location, b"".join(map(str.encode, page)))
    return location


@cache
def _page_template() -> jinja2.Template:
    """The page's template, which is read once."""
    environment = page_environment()
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    return environment.from_string(read_asset("contact_sheet.html.j2"))
