"""Rows whose numbers and dates are written differently from how an earlier run read them.

A spreadsheet program that saves `7.50` makes `7.5` of it, of `2026-08-01` maybe `01.08.2026`, and
another shows `37,80 €` where an earlier version of ours read `37.800000000000004`. The ad is paid
for by then. So a prompt that was filled in is compared by what its cells mean.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache, partial
from itertools import chain
from typing import Any, Final, TypeAlias

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files.cells import (
    bare_value,
    cell_text,
    is_blank,
    plain_text,
)
from prefect_staticadslab.campaign.files.formulas import FilledIn, TextFormula
from prefect_staticadslab.campaign.table.job_type import CampaignRow

LONGEST: Final = 60
"""Characters of a number or a date; what is longer is a text."""

MOST_COMPARED: Final = 2_000_000
"""Pairs of prompts, which take some seconds; rows after that are not looked for."""

ANYTHING: Final = object()
"""A cell that may have held any text: nobody knows any more what it was."""

_Groups: TypeAlias = dict[str, deque[int]]
"""The indices of prompts, by each of `_text_keys` of what may be one of their cells."""

_Places: TypeAlias = Iterator[tuple[int, int]]
"""Where in a prompt a cell may be: its beginning and its end."""

_DIGITS: Final = Context(prec=15)
"""The digits that a spreadsheet program knows of a number."""

_NUMBER: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)?(?:[eE][+-]?\d{1,3})?")
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?))?")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})[./](\d{1,2})[./](\d{4})")
_NUMBER_WITH_GROUPS: Final = (
    re.compile(r"(\d+|\d{1,3}(?:[,'’ \u00a0\u202f]\d{3})+)(?:\.(\d+))?"),
    re.compile(r"(\d+|\d{1,3}(?:[.'’ \u00a0\u202f]\d{3})+)(?:,(\d+))?"),
)
"""A number's whole digits, perhaps in groups of three, and its decimals, by both conventions."""

_SHOWN_NUMBER: Final = re.compile(r"\D*?([+-]?\d[\d.,'’ \u00a0\u202f]*)(\D*)")
"""A number as a cell shows it, perhaps with a currency or a percent sign around it."""


def find_respelled(
    rows: Mapping[int, CampaignRow[ImageAdRequest]], earlier: Sequence[CampaignRow[ImageAdRequest]]
) -> dict[int, int]:
    """Finds rows that differ from earlier ones only in how the prompt's cells are written.

    After `MOST_COMPARED` comparisons it gives up, and leaves out the rows that are left.

    Args:
        rows: The rows to look for, by any keys.
        earlier: The rows that were asked for earlier.

    Returns:
        For each row that was found, by its key, the index in `earlier` of the row that it was. No
        two rows have the same.

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
    for index, row in enumerate(earlier):
        by_content.setdefault(_content_without_prompt(row), []).append(index)
    prompts = [plain_text(row.request.prompt or "") for row in earlier]
    by_texts: dict[tuple[str, ...], tuple[_Groups, _Groups]] = {}
    found: dict[int, int] = {}
    taken: set[int] = set()
    compared = 0
    for position, row in rows.items():
        content = _content_without_prompt(row)
        if content not in by_content or compared > MOST_COMPARED:
            continue
        parts = _respellable_parts(row.prompt_cell)
        if not parts:
            continue
        texts = parts[::2]
        if (content, *texts) not in by_texts:
            compared += len(by_content[content])
            by_texts[content, *texts] = _group_by_ends(prompts, by_content[content], texts)
        by_first, by_last = by_texts[content, *texts]
        for index in _fewest(by_first, parts[1], by_last, parts[-2], taken):
            compared += 1
            if index not in taken and _is_spelling_of(prompts[index], parts):
                found[position] = index
                taken.add(index)
                break
    return found


def is_respelled(prompt: str, parts: Sequence[Any]) -> bool:
    """Whether a prompt was filled in from these parts, but for how a number or a date is written.

    Args:
        prompt: What was sent.
        parts: A text, a cell, a text, and so on; a text is last. A cell may be `ANYTHING`.

    Example:
        ```python
        from prefect_staticadslab.campaign.rows.spellings import ANYTHING, is_respelled

        assert is_respelled("Tea, now 7.50!", ("", ANYTHING, ", now ", "7.5", "!"))
        assert not is_respelled("Tea, now 8.50!", ("", ANYTHING, ", now ", "7.5", "!"))
        ```
    """
    cells = [cell for cell in parts[1::2] if cell is not ANYTHING]
    return any(map(_may_be_respelled, cells)) and _is_spelling_of(prompt, _plain_parts(parts))


def _respellable_parts(cell: Any) -> tuple[Any, ...]:
    """What a prompt's cell was filled in from: a text, a cell, a text, and so on; a text is last.

    Returns:
        () if none of the cells could be written differently. A prompt that was not filled in is a
        single cell, between two empty texts.
    """
    if is_blank(cell):
        return ()
    parts = cell.parts if isinstance(cell, FilledIn) else ("", cell, "")
    return _plain_parts(parts) if any(map(_may_be_respelled, parts[1::2])) else ()


def _plain_parts(parts: Sequence[Any]) -> tuple[Any, ...]:
    """A prompt's parts, a text, a cell, and so on, with its texts as they are sent."""
    return tuple(part if place % 2 else plain_text(part) for place, part in enumerate(parts))


def _may_be_respelled(cell: Any) -> bool:
    """Whether programs may write a cell in several ways: it is a number, a date or a time, or a
    formula for a text, which was sent as it is once."""
    return not isinstance(cell, str) or isinstance(cell, TextFormula) or bool(_cell_meanings(cell))


def _content_without_prompt(row: CampaignRow[ImageAdRequest]) -> str:
    """All that a row asks for besides the prompt, as one text."""
    return row.request.model_dump_json(exclude={"prompt"})


def _group_by_ends(
    prompts: Sequence[str], indices: Sequence[int], texts: Sequence[str]
) -> tuple[_Groups, _Groups]:
    """Groups prompts that have these texts around cells by the first cell, and by the last one."""
    by_first = _group_by_cell(prompts, indices, partial(_places_of_first_cell, texts=texts))
    if not texts[2:]:
        return by_first, by_first
    return by_first, _group_by_cell(prompts, indices, partial(_places_of_last_cell, texts=texts))


def _group_by_cell(
    prompts: Sequence[str], indices: Iterable[int], places_of: Callable[[str], _Places]
) -> _Groups:
    """Groups prompts by what may be one of their cells; one without a place for it is left out.

    Args:
        prompts: All prompts.
        indices: Which of them to group.
        places_of: Where in a prompt that cell may begin and end.
    """
    found: _Groups = {}
    for index in indices:
        prompt = prompts[index]
        for key in {
            key for start, end in places_of(prompt) for key in _text_keys(prompt[start:end])
        }:
            found.setdefault(key, deque()).append(index)
    return found


def _places_of_first_cell(prompt: str, texts: Sequence[str]) -> _Places:
    """Where the first cell of a prompt may begin and end, which has these texts around cells."""
    if prompt.startswith(texts[0]):
        start = len(texts[0])
        for end in _possible_ends(prompt, start, texts[1], is_last=not texts[2:]):
            yield start, end


def _places_of_last_cell(prompt: str, texts: Sequence[str]) -> _Places:
    """The same of the last cell, which comes after another one."""
    if prompt.endswith(texts[-1]):
        end = len(prompt) - len(texts[-1])
        for place in _possible_ends(prompt, 0, texts[-2], is_last=False):
            if (start := place + len(texts[-2])) <= end:
                yield start, end


def _fewest(
    by_first: _Groups, first: Any, by_last: _Groups, last: Any, taken: Collection[int]
) -> Iterator[int]:
    """The prompts that may have the first of a row's cells, or those that may have the last one,
    whichever are fewer. Those at the beginning of a group that are taken are dropped from it."""
    groups = [
        [by_cell[key] for key in _cell_keys(cell) if key in by_cell]
        for by_cell, cell in ((by_first, first), (by_last, last))
    ]
    for group in chain(*groups):
        while group and group[0] in taken:
            group.popleft()
    fewest = min(groups, key=lambda side: sum(map(len, side)))
    return chain(*fewest)


def _is_spelling_of(prompt: str, parts: Sequence[Any]) -> bool:
    """Whether a prompt consists of these texts, and of spellings of the cells between them."""
    texts, cells = parts[::2], parts[1::2]
    starts = {len(texts[0])} if prompt.startswith(texts[0]) else set()
    for number, (cell, text) in enumerate(zip(cells, texts[1:], strict=True), 1):
        keys = _cell_keys(cell) if cell is not ANYTHING else frozenset()
        starts = {
            end + len(text)
            # What may be anything may begin at the first place, and be longer.
            for start in (starts if keys else sorted(starts)[:1])
            for end in _possible_ends(prompt, start, text, is_last=number == len(cells))
            if not keys or keys & _text_keys(prompt[start:end])
        }
    return len(prompt) in starts


def _possible_ends(prompt: str, start: int, text: str, *, is_last: bool) -> Iterator[int]:
    """Where a cell may end that begins at `start` and is followed by a text.

    `is_last` says that the text is the prompt's end, so that there is one such place at most.
    """
    if is_last:
        end = len(prompt) - len(text)
        if end >= start and prompt.endswith(text):
            yield end
        return
    end = prompt.find(text, start)
    while end >= 0:
        yield end
        end = prompt.find(text, end + 1)


def _cell_keys(cell: Any) -> frozenset[str]:
    """A cell's meanings, and its texts as this version and an earlier one write them.

    A cell and a text of a prompt may be the same if they have one of these in common with the
    text's `_text_keys`.
    """
    texts = {cell_text(cell), _earlier_text(bare_value(cell))}
    if isinstance(cell, TextFormula):
        texts.add(cell.formula)
    texts = {plain_text(text.strip()) for text in texts}
    return frozenset(f"text {text}" for text in texts) | _cell_meanings(cell)


def _text_keys(text: str) -> frozenset[str]:
    """A piece of a prompt as text, and what it may mean; to be compared to `_cell_keys`."""
    if len(text) > LONGEST:
        return frozenset([f"text {text}"])
    return _text_meanings(text) | _formatted_meanings(text) | {f"text {text}"}


def _cell_meanings(cell: Any) -> frozenset[str]:
    """What a cell may mean, as `_text_meanings` has it; nothing if it is a text."""
    if isinstance(cell, str):
        return _text_meanings(cell.strip()) if len(cell) <= LONGEST else frozenset()
    return _text_meanings(_earlier_text(bare_value(cell)))


def _earlier_text(value: Any) -> str:
    """A value as an earlier version wrote it into prompts: with all digits of a number."""
    if isinstance(value, float) and not value.is_integer():
        return str(value)
    return cell_text(value)


@lru_cache(maxsize=10_000)
def _text_meanings(text: str) -> frozenset[str]:
    """The numbers, dates and times that a text may mean, each in one spelling: `number 7.5`.

    A date such as 01/02/2026 may mean two; a text that is none of these means nothing.
    """
    if _NUMBER.fullmatch(text):
        return frozenset(filter(None, [_number_meaning(text.replace(",", "."))]))
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


def _number_meaning(text: str) -> str:
    """A number in one spelling, of at most 15 digits: `number 7.5`; "" if it cannot be read."""
    try:
        return f"number {_DIGITS.create_decimal(text).normalize(_DIGITS)}"
    except InvalidOperation:
        return ""


@lru_cache(maxsize=10_000)
def _formatted_meanings(text: str) -> frozenset[str]:
    """What a text may mean if it is a number with a currency, a percent sign or groups of digits.

    Both conventions count: `1.234` may be a whole number. A text without a number means nothing.
    """
    match = _SHOWN_NUMBER.fullmatch(text)
    if not match:
        return frozenset()
    digits = match[1].strip().lstrip("+-")
    negative = "-" in text or text.startswith("(")
    found = set()
    for pattern in _NUMBER_WITH_GROUPS:
        if grouped := pattern.fullmatch(digits):
            whole, decimals = re.sub(r"\D", "", grouped[1]), grouped[2] or "0"
            value = Decimal(f"{whole}.{decimals}") / (100 if "%" in text else 1)
            found.add(_number_meaning(str(-value if negative else value)))
    return frozenset(found)
