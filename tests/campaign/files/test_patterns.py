"""Names with the date in them, and the time zone that the date is told in."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.files.date_patterns import (
    PLACEHOLDERS,
    PatternError,
    fill_in,
    moment_of,
    names_made_by,
    placeholders_in,
)

MOMENT = datetime(2026, 11, 5, 4, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "filled"),
    [
        ("", ""),
        ("out.csv", "out.csv"),
        ("{date}", "2026-11-05"),
        ("{time}", "04-03"),
        ("{year}/{month}/{day}", "2026/11/05"),
        ("{week}", "2026-W45"),
        ("s3://b/{date}/{date}.csv", "s3://b/2026-11-05/2026-11-05.csv"),
        ("{{date}}", "{date}"),
        ("{{{date}}}", "{2026-11-05}"),
        ("{{}}", "{}"),
    ],
)
def test_placeholders_are_filled_in_and_doubled_braces_are_braces(
    pattern: str, filled: str
) -> None:
    assert fill_in(pattern, MOMENT) == filled


def test_the_first_days_of_a_year_can_be_in_the_last_ones_week() -> None:
    assert fill_in("{year} {week}", datetime(2027, 1, 1)) == "2027 2026-W53"


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [
        ("out-{dat}.csv", "there is no {dat}"),
        ("out-{Date}.csv", "there is no {Date}"),
        ("out-{}.csv", "there is no {}"),
        ("{0}", "there is no {0}"),
        ("{date!r}", "there is no {date!r}"),
        ("{date.year}", "there is no {date.year}"),
        ("out-{date.csv", "the brace { stands by itself"),
        ("out-date}.csv", "the brace } stands by itself"),
        ("{{date}", "the brace } stands by itself"),
    ],
)
def test_what_is_no_placeholder_is_named_with_what_there_is(pattern: str, wrong: str) -> None:
    with pytest.raises(PatternError) as refused:
        fill_in(pattern, MOMENT)
    said = str(refused.value)
    assert wrong in said
    assert "There are: {date}, {time}, {year}, {month}, {day}, {week}." in said
    assert "{{" in said


def test_further_placeholders_are_filled_in_as_they_are() -> None:
    values = {"name": "a {date} \\1", "ending": "csv"}
    assert fill_in("{name}.{ending}", MOMENT, values) == "a {date} \\1.csv"
    assert placeholders_in("{name}.{ending}", values) == {"name", "ending"}
    with pytest.raises(PatternError, match=r"There are: \{name\}, \{ending\}, \{date\}"):
        fill_in("{nam}", MOMENT, values)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
pieces = st.one_of(
    st.sampled_from([f"{{{name}}}" for name in (*PLACEHOLDERS, "name")]),
    texts.map(lambda text: text.replace("{", "{{").replace("}", "}}")),
)
patterns = st.lists(pieces, max_size=6).map("".join)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1))


@given(texts, moments)
def test_any_text_can_be_written(text: str, moment: datetime) -> None:
    assert fill_in(text.replace("{", "{{").replace("}", "}}"), moment) == text


@given(patterns, texts, moments)
def test_what_a_pattern_made_is_found_again(pattern: str, name: str, moment: datetime) -> None:
    values = {"name": name}
    made = fill_in(pattern, moment, values)
    assert names_made_by(pattern, ["", made], values)[-1] == made


@given(st.text(max_size=12))
def test_every_pattern_is_filled_in_or_refused_in_words(pattern: str) -> None:
    try:
        fill_in(pattern, MOMENT)
    except PatternError as refused:
        assert "There are:" in str(refused)  # noqa: PT017


@given(st.lists(moments, min_size=1, max_size=6))
def test_what_was_made_earlier_comes_first_however_the_date_is_written(
    times: list[datetime],
) -> None:
    for pattern in ("{date} {time}", "{time} {day}.{month}.{year}"):
        names = [fill_in(pattern, moment) for moment in times]
        expected = [fill_in(pattern, moment) for moment in sorted(times)]
        assert names_made_by(pattern, names) == expected


def test_what_only_resembles_a_date_was_not_made_by_the_pattern() -> None:
    names = ["a-2026-11-05", "a-2026-11-5", "a-2026-11-05-1", "xa-2026-11-05", "a-٢٠٢٦-11-05"]
    assert names_made_by("a-{date}", names) == ["a-2026-11-05"]
    assert names_made_by("{year}-{year}", ["2026-2025", "2026-2026"]) == ["2026-2026"]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("", "2026-11-25 23:30"),
        ("UTC", "2026-11-25 23:30"),
        ("Europe/Berlin", "2026-11-26 00:30"),
        ("America/New_York", "2026-11-25 18:30"),
        (" Asia/Kolkata ", "2026-11-26 05:00"),
    ],
)
def test_a_moment_is_told_as_the_clocks_of_a_zone_show_it(zone: str, expected: str) -> None:
    for late in (datetime(2026, 11, 25, 23, 30, tzinfo=UTC), datetime(2026, 11, 25, 23, 30)):
        assert moment_of(late, zone).strftime("%Y-%m-%d %H:%M") == expected


@pytest.mark.parametrize(
    ("zone", "near"),
    [
        ("Europe/Berln", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("Europe/Paris ", ""),
        ("../../etc/passwd", "It looks like"),
        ("/etc/localtime", "no time zone"),
        ("a\0b", "no time zone"),
        ("Europe", "no time zone"),
    ],
)
def test_an_unknown_zone_is_told_with_the_nearest_names(zone: str, near: str) -> None:
    if not near:
        moment_of(MOMENT, zone)
        return
    with pytest.raises(PatternError) as refused:
        moment_of(MOMENT, zone)
    assert near in str(refused.value)


def test_a_machine_without_zones_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_known(_: str) -> zoneinfo.ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError

    monkeypatch.setattr(zoneinfo, "ZoneInfo", none_known)
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    with pytest.raises(PatternError, match="pip install tzdata"):
        moment_of(MOMENT, "Europe/Berlin")
    assert moment_of(MOMENT, "UTC") == MOMENT
