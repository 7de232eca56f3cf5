"""How programs write one number or date: a row is the same however its cells are written.

A spreadsheet program that saves `7.50` makes `7.5` of it, of `2026-08-01` maybe `01.08.2026`, and
another shows `37,80 €` where an earlier version of ours read `37.800000000000004`. The ad is paid
for by then. So a prompt that was filled in is compared by what its cells mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files.cells import (
    FormattedValue,
    cell_text,
    is_blank,
    plain_text,
)
from prefect_staticadslab.campaign.files.formulas import FilledIn
from prefect_staticadslab.campaign.table.job_type import CampaignRow

LONGEST: Final = 60
"""Characters of a number or a date; what is longer is a text."""

MOST_COMPARED: Final = 2_000_000
"""Pairs of prompts: some seconds."""

_DIGITS: Final = Context(prec=15)
"""What a spreadsheet program knows of a number."""

_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?")
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")
_GROUPED: Final = (
    re.compile(r"(\d+|\d{1,3}(?:[,'’ \u00a0\u202f]\d{3})+)(?:\.(\d+))?"),
    re.compile(r"(\d+|\d{1,3}(?:[.'’ \u00a0\u202f]\d{3})+)(?:,(\d+))?"),
)
"""A number's whole digits, perhaps in groups of three, and its others, of both conventions."""

_SHOWN_NUMBER: Final = re.compile(r"\D*?([+-]?\d[\d.,'’ \u00a0\u202f]*)(\D*)")


def find_respelled(
    rows: Mapping[int, CampaignRow[ImageAdRequest]], earlier: Sequence[CampaignRow[ImageAdRequest]]
) -> dict[int, int]:
    """Which rows ask for what earlier ones asked for, but for how their cells are written.

    Args:
        rows: The rows, by what tells them apart.
        earlier: What was asked for earlier.

    Returns:
        Of each row that was found, the place of its earlier one, which is no other row's.

    Example:
        ```python
        from prefect_staticadslab.api.models import ImageAdRequest
        from prefect_staticadslab.campaign.files.formulas import FilledIn
        from prefect_staticadslab.campaign.rows.spellings import find_respelled
        from prefect_staticadslab.campaign.table.job_type import CampaignRow

        def row(prompt):
            ids = {"design_template_id": "dt_1", "brand_id": "brand_1", "product_id": "prod_1"}
            request = ImageAdRequest(**ids, audience_id="aud_1", prompt=prompt)
            return CampaignRow(2, request, "", prompt_cell=prompt)

        filled_in = FilledIn("Now 7.5!")
        filled_in.parts = ("Now ", "7.5", "!")
        now = {0: row(filled_in)}
        assert find_respelled(now, [row("Now 8.5!"), row("Now 7.50!")]) == {0: 1}
        ```
    """
    by_content: dict[str, list[int]] = {}
    for number, row in enumerate(earlier):
        by_content.setdefault(_content_but_for_prompt(row), []).append(number)
    prompts = [plain_text(row.request.prompt or "") for row in earlier]
    indexes: dict[tuple[str, ...], dict[str, list[int]]] = {}
    found: dict[int, int] = {}
    taken: set[int] = set()
    compared = 0
    for position, row in rows.items():
        content = _content_but_for_prompt(row)
        if content not in by_content or compared > MOST_COMPARED:
            continue
        parts = _respellable_parts(row.prompt_cell)
        if not parts:
            continue
        texts = parts[::2]
        index = indexes.get((content, *texts))
        if index is None:
            compared += len(by_content[content])
            index = indexes[content, *texts] = _by_first_cell(prompts, by_content[content], texts)
        for number in (each for key in _keys(parts[1]) for each in index.get(key, ())):
            compared += 1
            if number not in taken and _is_made_of(prompts[number], parts):
                found[position] = number
                taken.add(number)
                break
    return found


def _respellable_parts(cell: Any) -> tuple[Any, ...]:
    """What a prompt's cell was filled in from; () if no program could write that differently."""
    if is_blank(cell):
        return ()
    parts = cell.parts if isinstance(cell, FilledIn) else ("", cell, "")
    if not any(map(_may_be_respelled, parts[1::2])):
        return ()
    texts = [plain_text(text) for text in parts[::2]]
    return (texts[0], *(part for pair in zip(parts[1::2], texts[1:], strict=True) for part in pair))


def _may_be_respelled(cell: Any) -> bool:
    return not isinstance(cell, str) or bool(_meanings(cell))


def _content_but_for_prompt(row: CampaignRow[ImageAdRequest]) -> str:
    return row.request.model_dump_json(exclude={"prompt"})


def _by_first_cell(
    prompts: Sequence[str], numbers: Iterable[int], texts: Sequence[str]
) -> dict[str, list[int]]:
    """Prompts that begin with the first of some texts, by what the cell behind it may be."""
    found: dict[str, list[int]] = {}
    start = len(texts[0])
    for number in numbers:
        if prompts[number].startswith(texts[0]):
            keys = {
                key
                for end in _ends(prompts[number], start, texts[1], is_last=not texts[2:])
                for key in _spelled_keys(prompts[number][start:end])
            }
            for key in keys:
                found.setdefault(key, []).append(number)
    return found


def _is_made_of(prompt: str, parts: Sequence[Any]) -> bool:
    """Whether a prompt consists of these texts, and of spellings of the cells between them."""
    texts, cells = parts[::2], parts[1::2]
    starts = {len(texts[0])} if prompt.startswith(texts[0]) else set()
    for place, (cell, text) in enumerate(zip(cells, texts[1:], strict=True), 1):
        keys = _keys(cell)
        starts = {
            end + len(text)
            for start in starts
            for end in _ends(prompt, start, text, is_last=place == len(cells))
            if keys & _spelled_keys(prompt[start:end])
        }
    return len(prompt) in starts


def _ends(prompt: str, start: int, text: str, *, is_last: bool) -> Iterator[int]:
    """Where a cell may end that begins at `start` and that a text follows."""
    if is_last:
        end = len(prompt) - len(text)
        if end >= start and prompt.endswith(text):
            yield end
        return
    end = prompt.find(text, start)
    while end >= 0:
        yield end
        end = prompt.find(text, end + 1)


def _keys(cell: Any) -> frozenset[str]:
    """What a cell is: its text, as this version writes it and as the one before; its meanings."""
    value = cell.value if isinstance(cell, FormattedValue) else cell
    texts = {plain_text(text.strip()) for text in (cell_text(cell), _text_of_value(value))}
    return frozenset(f"text {text}" for text in texts) | _meanings(cell)


def _spelled_keys(text: str) -> frozenset[str]:
    """What a text in a prompt may be, if it was a cell."""
    if len(text) > LONGEST:
        return frozenset([f"text {text}"])
    return _meanings_of_text(text) | _shown_meanings(text) | {f"text {text}"}


def _meanings(cell: Any) -> frozenset[str]:
    """What a cell may mean, in one spelling: a number, a date, a time; nothing if it is a text."""
    if isinstance(cell, FormattedValue):
        return _meanings_of_text(_text_of_value(cell.value))
    if isinstance(cell, str):
        return _meanings_of_text(cell.strip()) if len(cell) <= LONGEST else frozenset()
    return _meanings_of_text(_text_of_value(cell))


def _text_of_value(value: Any) -> str:
    """A value as the version before wrote it into prompts."""
    if isinstance(value, float) and not value.is_integer():
        return str(value)
    return cell_text(value)


@lru_cache(maxsize=10_000)
def _meanings_of_text(text: str) -> frozenset[str]:
    if _NUMBER.fullmatch(text):
        return frozenset(filter(None, [_number(text.replace(",", "."))]))
    found: set[str] = set()
    with suppress(ValueError):
        if match := _ISO.fullmatch(text):
            moment = time.fromisoformat(match[4]) if match[4] else time()
            day = date(*map(int, match.group(1, 2, 3)))
            found.add(datetime.combine(day, moment).isoformat())
    if match := _DAY_FIRST.fullmatch(text):
        first, second, year = map(int, match.groups())
        for month, day_of_month in [(second, first), (first, second)][: 1 + ("/" in text)]:
            with suppress(ValueError):
                found.add(datetime.combine(date(year, month, day_of_month), time()).isoformat())
    return frozenset(found)


def _number(text: str) -> str:
    try:
        return f"number {_DIGITS.create_decimal(text).normalize(_DIGITS)}"
    except InvalidOperation:
        return ""


@lru_cache(maxsize=10_000)
def _shown_meanings(text: str) -> frozenset[str]:
    """What a number may mean that is shown with a currency, a percent sign, groups of digits."""
    match = _SHOWN_NUMBER.fullmatch(text)
    if not match:
        return frozenset()
    digits = match[1].strip().lstrip("+-")
    negative = "-" in text or text.startswith("(")
    found = set()
    for pattern in _GROUPED:
        if grouped := pattern.fullmatch(digits):
            whole, decimals = re.sub(r"\D", "", grouped[1]), grouped[2] or "0"
            value = Decimal(f"{whole}.{decimals}") / (100 if "%" in text else 1)
            found.add(_number(str(-value if negative else value)))
    return frozenset(found)
