"""Names with the date in them: patterns like `summer-{date}.csv`."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from prefect_staticadslab.api.models import in_utc
from prefect_staticadslab.bounds import HINT_LENGTH
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.cells import shortened


class PatternError(CampaignError):
    """A pattern, or a time zone, that makes no sense. The message says what there is."""


@dataclass(frozen=True)
class _Placeholder:
    """A placeholder for a part of the date.

    Attributes:
        text_of: Gives what it stands for at a moment.
        looks_like: A regular expression for all that it can stand for.
    """

    text_of: Callable[[datetime], str]
    looks_like: str


def _iso_week(moment: datetime) -> str:
    """A moment's week as in ISO 8601, such as `2026-W48`."""
    year, week, _ = moment.isocalendar()
    return f"{year:04}-W{week:02}"


_DATE_PLACEHOLDERS: Final[Mapping[str, _Placeholder]] = MappingProxyType(
    {
        "date": _Placeholder(lambda m: m.date().isoformat(), r"\d{4}-\d\d-\d\d"),
        "time": _Placeholder(lambda m: f"{m.hour:02}-{m.minute:02}", r"\d\d-\d\d"),
        "year": _Placeholder(lambda m: f"{m.year:04}", r"\d{4}"),
        "month": _Placeholder(lambda m: f"{m.month:02}", r"\d\d"),
        "day": _Placeholder(lambda m: f"{m.day:02}", r"\d\d"),
        "week": _Placeholder(_iso_week, r"\d{4}-W\d\d"),
    }
)

PLACEHOLDERS: Final = tuple(_DATE_PLACEHOLDERS)
"""Names of placeholders: for 2026-11-25, 14-30, 2026, 11, 25, and the ISO week 2026-W48."""

_COARSE_TO_FINE: Final = ("date", "year", "week", "month", "day", "time")

NO_VALUES: Final[Mapping[str, str]] = MappingProxyType({})

_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")

_MOST_SUGGESTIONS: Final = 3


def fill_in(pattern: str, moment: datetime, values: Mapping[str, str] = NO_VALUES) -> str:
    """A pattern with the date filled in.

    Args:
        pattern: A text with `{date}`, `{time}`, `{year}`, `{month}`, `{day}` or `{week}` in it.
            `{{` and `}}` stand for braces.
        moment: When, in the time zone that the user thinks in.
        values: What further placeholders stand for, by their names.

    Raises:
        PatternError: There is no such placeholder, or a brace by itself.

    Example:
        ```python
        from datetime import datetime
        from prefect_staticadslab.campaign.files.date_patterns import fill_in

        noon = datetime(2026, 11, 25, 12, 30)
        assert fill_in("s3://ads/summer-{date}.csv", noon) == "s3://ads/summer-2026-11-25.csv"
        assert fill_in("{week} at {time} {{sic}}", noon) == "2026-W48 at 12-30 {sic}"
        ```
    """
    pieces = []
    for name, text in _parts_of_pattern(pattern, values):
        if name is None:
            pieces.append(text)
        elif name in values:
            pieces.append(values[name])
        else:
            pieces.append(_DATE_PLACEHOLDERS[name].text_of(moment))
    return "".join(pieces)


def escape_braces(name: str) -> str:
    """A name as a pattern that makes just this name: its braces are doubled."""
    return name.replace("{", "{{").replace("}", "}}")


def placeholders_in(pattern: str, values: Mapping[str, object] = NO_VALUES) -> frozenset[str]:
    """The names of the placeholders in a pattern.

    Args:
        pattern: As for `fill_in`.
        values: Further placeholders that it may have; what they stand for is not looked at.

    Raises:
        PatternError: There is no such placeholder, or a brace by itself.
    """
    return frozenset(name for name, _ in _parts_of_pattern(pattern, values) if name is not None)


def names_made_by(
    pattern: str,
    names: Iterable[str],
    values: Mapping[str, str | re.Pattern[str]] = NO_VALUES,
) -> list[str]:
    """Those of some names that a pattern makes on any day, sorted by the date in them.

    Args:
        pattern: As for `fill_in`.
        names: The names. Those with the same date stay in this order.
        values: What further placeholders stand for, or a regular expression for that; each of them
            stands for one thing in all places.

    Raises:
        PatternError: There is no such placeholder, or a brace by itself.

    Example:
        ```python
        from prefect_staticadslab.campaign.files.date_patterns import names_made_by

        there = ["a-2026-11-25.csv", "a-2026-11-03.csv", "a-new.csv", "b-2026-11-26.csv"]
        assert names_made_by("{name}-{date}.csv", there, {"name": "a"}) == [
            "a-2026-11-03.csv",
            "a-2026-11-25.csv",
        ]
        ```
    """
    expression = ""
    captured: set[str] = set()
    for name, text in _parts_of_pattern(pattern, values):
        if name is None:
            expression += re.escape(text)
        elif isinstance(value := values.get(name), str):
            expression += re.escape(value)
        elif name in captured:
            # Two that might differ would be tried in all combinations of their lengths.
            expression += f"(?P={name})"
        else:
            looks_like = _DATE_PLACEHOLDERS[name].looks_like if value is None else value.pattern
            expression += f"(?P<{name}>{looks_like})"
            captured.add(name)
    regex = re.compile(expression, re.ASCII)
    matches = [match for name in names if (match := regex.fullmatch(name))]
    order = [name for name in _COARSE_TO_FINE if name in captured]
    return [match[0] for match in sorted(matches, key=lambda match: [match[n] for n in order])]


def _parts_of_pattern(
    pattern: str, values: Mapping[str, object]
) -> Iterator[tuple[str | None, str]]:
    """Takes a pattern apart: gives a placeholder's name and how it is written, or, for a text
    between them, None and the text.

    Args:
        pattern: As for `fill_in`.
        values: Further placeholders that it may have.

    Raises:
        PatternError: There is no such placeholder, or a brace by itself.
    """
    for match in _PART.finditer(pattern):
        name = match[1]
        if match[0] in ("{{", "}}"):
            yield None, match[0][0]
        elif name in values or name in _DATE_PLACEHOLDERS:
            yield name, match[0]
        elif match[0][0] in "{}":
            known = ", ".join(f"{{{each}}}" for each in (*values, *_DATE_PLACEHOLDERS))
            what = (
                f"the brace {match[0]} stands by itself"
                if name is None
                else f"there is no {shortened(match[0])}"
            )
            raise PatternError(
                f"In {shortened(pattern, 200)!r} {what}. There are: {known}. A brace that should "
                "be seen is written twice: {{ or }}."
            )
        else:
            yield None, match[0]


def moment_of(scheduled: datetime, time_zone: str) -> datetime:
    """A moment as the clocks of a time zone show it.

    Args:
        scheduled: The moment; one without a zone is in UTC.
        time_zone: The zone's name, such as `Europe/Berlin`; "" is UTC.

    Raises:
        PatternError: There is no such zone. The message has the nearest names.

    Example:
        ```python
        from datetime import UTC, datetime
        from prefect_staticadslab.campaign.files.date_patterns import moment_of

        late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
        assert moment_of(late, "Europe/Berlin").date().isoformat() == "2026-11-26"
        ```
    """
    scheduled = in_utc(scheduled)
    name = time_zone.strip()
    if name in ("", "UTC"):  # which needs no database of zones
        return scheduled.astimezone(UTC)
    try:
        return scheduled.astimezone(zoneinfo.ZoneInfo(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise PatternError(_unknown_zone_message(name)) from None


def _unknown_zone_message(name: str) -> str:
    """The message that there is no time zone of this name, with the nearest ones that there are."""
    zones = zoneinfo.available_timezones()
    if not zones:
        return (
            f"The time zone {shortened(name)!r} is not known: this machine has no database of "
            "time zones. Install it, pip install tzdata, or use UTC."
        )
    by_key = {key: zone for zone in sorted(zones) for key in (zone.casefold(), _city_of_zone(zone))}
    near = difflib.get_close_matches(name.casefold()[:HINT_LENGTH], by_key, _MOST_SUGGESTIONS)
    near += difflib.get_close_matches(_city_of_zone(name)[:HINT_LENGTH], by_key, _MOST_SUGGESTIONS)
    nearest = ", ".join(list(dict.fromkeys(by_key[key] for key in near))[:_MOST_SUGGESTIONS])
    hint = f"Did you mean {nearest}?" if nearest else "It looks like Europe/Berlin."
    return f"There is no time zone {shortened(name)!r}. {hint}"


def _city_of_zone(zone: str) -> str:
    """The city in a zone's name, as names are compared: `new_york` for `America/New_York`."""
    return zone.rpartition("/")[2].casefold().replace(" ", "_")
