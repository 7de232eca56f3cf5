"""A number reads as its cell shows it, or its format is said to be unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab.campaign.files.number_formats import (
    BUILTIN_FORMATS,
    general,
    show_number,
)

EURO = '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-'
NOON = datetime.combine(date(2026, 8, 1), time(12, 5, 7))


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (37.800000000000004, "General", "37.8"),
        (-3.5, "General", "-3.5"),
        (3.5, 'General "€"', "3,5 €"),
        (5, "@", "5"),
        (37.8, "0", "38"),
        (2.675, "0.00", "2.68"),
        (1.005, "0.00", "1.01"),
        (0.5, "0", "1"),
        (1234567.5, "#,##0", "1,234,568"),
        (1234.5, "#,##0.00", "1,234.50"),
        (5, "0.##", "5."),
        (0.5, "#.00", ".50"),
        (1234.5678, "#,##0.00##", "1,234.5678"),
        (7, "000", "007"),
        (5551234567, "(000) 000-0000", "(555) 123-4567"),
        (0.1, "0%", "10%"),
        (0.1, "0 %", "10 %"),
        (0.1, "0\\ %", "10 %"),
        (0.105, "0.0%", "10.5%"),
        (0.105, "0.0 %", "10,5 %"),
        (0.29, "0%", "29%"),
        (1234567, '0.0,,"M"', "1.2M"),
        (1234567, '#,##0,"k"', "1,235k"),
        (0.25, '0.00" kg"', "0.25 kg"),
        (12345, "0.00E+00", "1.23E+04"),
        (999999, "0.00E+00", "1.00E+06"),
        (0.00012, "0.00E-00", "1.20E-04"),
        (12345, "##0.0E+0", "12.3E+3"),
        (0.5, "# ?/?", "1/2"),
        (1.5, "# ??/??", "1 1/2"),
        (1 / 3, "# ?/?", "1/3"),
        (0.5, "# ?/8", "4/8"),
        (2, "# ?/?", "2"),
        (-5, "0.00;[Red]-0.00", "-5.00"),
        (-1234.5, "#,##0.00_);(#,##0.00)", "(1,234.50)"),
        (-5, "[Color12]0", "-5"),
        (0, "0;-0;;@", ""),
        (37.5, ";;;", ""),
        (1234, '[>=1000]0.0,"k";0', "1.2k"),
        (5, '[>=1000]0.0,"k";0', "5"),
        (5, '[<10]"few";"many"', "few"),
    ],
)
def test_a_number_reads_as_excel_shows_it(value: float, number_format: str, shown: str) -> None:
    assert show_number(value, number_format) == shown


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (37.8, '#,##0.00 "€"', "37,80 €"),
        (37.8, '#,##0.00\\ "€"', "37,80 €"),
        (37.8, "#,##0.00 €", "37,80 €"),
        (37.8, "#,##0.00\\ \\€", "37,80 €"),
        (37.8, "#,##0.00 [$€-407]", "37,80 €"),
        (37.8, "#,##0.00\u00a0[$€-407]", "37,80 €"),
        (-37.8, "#,##0.00 [$€-407];[RED]-#,##0.00 [$€-407]", "-37,80 €"),
        (1234.5, EURO, "1.234,50 €"),
        (-1234.5, EURO, "-1.234,50 €"),
        (0, EURO, "- €"),
        (1234.5, "#,##0.00 [$€-40C]", "1\u00a0234,50 €"),
        (1234.5, "#,##0.00 [$€-de-DE]", "1.234,50 €"),
        (1234.5, "[$-407]#,##0.00", "1.234,50"),
        (1234.5, '#,##0.00 "EUR"', "1.234,50 EUR"),
        (1234.5, '#,##0 "kr"', "1\u00a0235 kr"),
        (1234.5, '"R$" #,##0.00', "R$ 1.234,50"),
        (1234.5, "[$€-2] #,##0.00;-[$€-2] #,##0.00", "€ 1,234.50"),
        (1234.5, "€#,##0.00", "€1,234.50"),
        (1234.5, "[$$-409]#,##0.00", "$1,234.50"),
        (1234.5, "[$£-809]#,##0.00", "£1,234.50"),
        (1234.5, '#,##0.00 "USD"', "1,234.50 USD"),
        (1234.5, BUILTIN_FORMATS[44], "$1,234.50"),
        (-1234.5, BUILTIN_FORMATS[44], "$(1,234.50)"),
    ],
)
def test_separators_are_those_of_the_country_that_the_format_tells(
    value: float, number_format: str, shown: str
) -> None:
    assert show_number(value, number_format) == shown


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (NOON, "dd.mm.yyyy", "01.08.2026"),
        (NOON, "dd\\.mm\\.yyyy;@", "01.08.2026"),
        (NOON, "[$-407]dd/mm/yyyy;@", "01.08.2026"),
        (NOON, "d/m/yy", "1/8/26"),
        (NOON, "yyyy-mm-dd hh:mm:ss", "2026-08-01 12:05:07"),
        (NOON, "yyyy\\-mm\\-dd\\Thh:mm:ss.000", "2026-08-01T12:05:07.000"),
        (NOON, 'yyyy"年"m"月"d"日"', "2026年8月1日"),
        (NOON, "[$-409]d-mmm-yy;@", "1-Aug-26"),
        (NOON, "dddd, mmmm d, yyyy", "Saturday, August 1, 2026"),
        (NOON, "[$-407]d. mmmm yyyy", "1. August 2026"),
        (NOON, "[$-40C]dddd d mmmm", "samedi 1 août"),
        (NOON, "h:mm AM/PM", "12:05 PM"),
        (NOON, "mm:ss", "05:07"),
        (date(2026, 8, 1), "ddd", "Sat"),
        (date(2026, 8, 1), "dd.mm.yyyy hh:mm", "01.08.2026 00:00"),
        (time(0, 5), "h:mm A/P", "12:05 A"),
        (timedelta(hours=30, minutes=4), "[h]:mm", "30:04"),
        (timedelta(hours=30, minutes=4), "h:mm", "6:04"),
        (timedelta(minutes=90), "[mm]:ss", "90:00"),
        (0.5, "h:mm", "12:00"),
        (timedelta(seconds=59.9996), "mm:ss", "01:00"),
        (NOON.replace(hour=23, minute=59, second=59, microsecond=999_900), "d h:mm", "2 0:00"),
    ],
)
def test_a_date_reads_as_excel_shows_it(
    value: float | date | time | timedelta, number_format: str, shown: str
) -> None:
    assert show_number(value, number_format) == shown


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (True, "0"),
        (5, ""),
        (5, "Fixed"),
        (5, "0 kg"),
        (5, "0.0.0"),
        (5, "[$-F400]h:mm"),
        (5, "[DBNum1]0"),
        (5, "[$-zz-ZZ]0"),
        (5, "0;0;0;0;0"),
        (-5, "[>=1000]0;0.0"),
        (5, "[>=1000]0"),
        (-0.001, "0.00"),
        (0.1234, "# ?/?"),
        (1234567, "[$₹-4009] #,##0"),
        (46000, "dd.mm.yyyy"),
        (float("nan"), "0"),
        (float("inf"), "General"),
        (10**400, "0"),
        (NOON, "General"),
        (NOON, "0.00"),
        (NOON, BUILTIN_FORMATS[14]),
        (NOON, BUILTIN_FORMATS[22]),
        (NOON, "[$-F800]dddd, mmmm dd, yyyy"),
        (NOON, "[$-x-sysdate]dd"),
        (NOON, "d. mmmm yyyy"),
        (NOON, "[$-407]d. mmm yyyy"),
        (NOON, "[$-419]d mmmm yyyy"),
        (NOON, "[$-2010401]d/m/yyyy"),
        (NOON, "[$-411]ggge"),
        (NOON, "[h]:mm"),
        (NOON.replace(tzinfo=UTC), "dd.mm.yyyy"),
        (date(1900, 1, 1), "dd.mm.yyyy"),
        (time(1), "dd.mm.yyyy"),
        (timedelta(hours=-1), "[h]:mm"),
    ],
)
def test_what_is_not_certain_is_not_shown(
    value: float | date | time | timedelta, number_format: str
) -> None:
    assert show_number(value, number_format) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (37.800000000000004, "37.8"),
        (0.1 + 0.2, "0.3"),
        (2 / 3, "0.666666666666667"),
        (1e-5, "0.00001"),
        (1e-12, "1E-12"),
        (-2.5e-300, "-2.5E-300"),
        (1e16, "10000000000000000"),
        (-0.0, "0"),
    ],
)
def test_a_number_without_a_format_has_15_digits(value: float, shown: str) -> None:
    assert general(value) == shown


VALUES = st.one_of(
    st.floats(),
    st.integers(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(),
)
CODES = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(
            [
                *("0", "#", "?", ".", ",", "%", ";", "E+", "/", "@", "General", "[Red]", "[<5]"),
                *("yyyy", "mm", "d", "hh", "ss", "AM/PM", "[h]", "[$€-407]", "[$-40C]", '"€"'),
                *("\\", "_", "*", '"', "[", " ", "kg", "-", "(", ".000"),
            ]
        ),
        max_size=60,
    ).map("".join),
)


@given(VALUES, CODES)
def test_whatever_the_format_is_there_is_a_text_or_none(
    value: float | date | time | timedelta, number_format: str
) -> None:
    shown = show_number(value, number_format)
    assert shown is None or len(shown) < 3000


@given(st.floats(-1e9, 1e9), st.sampled_from(["0.00", "#,##0.0", "0%", EURO, "0.00E+00"]))
def test_a_number_with_16_digits_reads_like_the_one_with_15(value: float, code: str) -> None:
    assert show_number(value, code) == show_number(float(f"{value:.15g}"), code)
