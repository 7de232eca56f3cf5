"""A row is paid for once, however programs write the numbers and dates in its cells."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.api.models import ImageAdRequest
from prefect_staticadslab.campaign.files.cells import FormattedValue
from prefect_staticadslab.campaign.files.formulas import FilledIn
from prefect_staticadslab.campaign.files.number_formats import show_number
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.rows.spellings import MOST_COMPARED, find_respelled
from prefect_staticadslab.campaign.table.job_state import JobState, RowStatus
from prefect_staticadslab.campaign.table.job_type import CampaignRow
from tests.campaign.shop import IDS, SHOP, sheet

DONE = JobState(status=RowStatus.COMPLETED, job_id="ia_1", image_url="http://127.0.0.1/1.png")


def formatted(value: Any, number_format: str) -> FormattedValue:
    text = show_number(value, number_format)
    assert text is not None
    return FormattedValue(value, text, number_format)


def opened(output: Path, *rows: Mapping[str, object]) -> Campaign:
    """A campaign of these rows, with what an earlier run recorded at the output."""
    brief = Brief.read(sheet(*({**IDS, **row} for row in rows)))
    return Campaign.open(brief, str(output), catalogue=SHOP)


def recorded(output: Path, *rows: Mapping[str, object], state: JobState = DONE) -> None:
    """A table in which each row has an ad."""
    table = opened(output, *rows).table
    for position in range(len(rows)):
        table.update(position, JobState(**{**vars(state), "job_id": f"ia_{position}"}))
    table.save_now()


EURO = formatted(37.800000000000004, '#,##0.00 "€"')
WAYS = [
    ("37.800000000000004", EURO),
    ("37.8", EURO),
    (37.800000000000004, EURO),
    (EURO, EURO.value),
    (EURO, "37.8"),
    ("37.800000000000004", "37.8"),
    ("37.8", 37.800000000000004),
    ("7.0", "7"),
    ("7", 7.0),
    ("7.50", "7.5"),
    ("7,50", "7,5"),
    ("7.5", "7,5"),
    ("1e3", "1000"),
    ("0.1", formatted(0.1, "0 %")),
    (formatted(0.1, "0%"), formatted(0.1, "0 %")),
    (formatted(1234.5, '#,##0.00 "€"'), formatted(1234.5, "€#,##0.00")),
    (formatted(-5, "(0.00);(0.00)"), formatted(-5, "0.00")),
    ("2026-08-01", formatted(date(2026, 8, 1), "dd.mm.yyyy")),
    (date(2026, 8, 1), formatted(datetime.combine(date(2026, 8, 1), time()), "d/m/yy")),
    ("2026-08-01 00:00:00", date(2026, 8, 1)),
    ("01.08.2026", "2026-08-01"),
    ("8/1/2026", "2026-08-01"),
    ("13:05:00", formatted(time(13, 5), "h:mm AM/PM")),
    (str(timedelta(hours=30)), formatted(timedelta(hours=30), "[h]:mm")),
]


@pytest.mark.parametrize(("before", "now"), WAYS)
def test_a_row_that_was_written_differently_is_not_paid_for_again(
    tmp_path: Path, before: object, now: object
) -> None:
    output = tmp_path / "out.csv"
    recorded(output, {"price": before, "prompt": "Now {price}, not more"})
    for _ in range(2):
        table = opened(output, {"price": now, "prompt": "Now {price}, not more"}).table
        assert Plan.of(table).creates == 0
        assert [(row.removed, state.job_id) for _, row, state in table.current_rows] == [
            (False, "ia_0")
        ]
        table.save_now()
    assert len(read_spreadsheet(str(output)).frame) == 1


@pytest.mark.parametrize("state", [RowStatus.SUBMITTING, RowStatus.PROCESSING])
def test_what_may_have_an_ad_is_asked_for_as_it_was(tmp_path: Path, state: RowStatus) -> None:
    output = tmp_path / "out.csv"
    begun = JobState(status=state, attempts=1)
    recorded(output, {"price": "37.8", "prompt": "Now {price}"}, state=begun)
    for _ in range(2):
        campaign = opened(output, {"price": EURO, "prompt": "Now {price}"})
        (row,) = campaign.table.rows
        assert (row.request.prompt, row.removed) == ("Now 37.8", False)
        campaign.table.save_now()
        written = read_spreadsheet(str(output)).frame
        assert written["sent_prompt"].tolist() == ["Now 37.8"], "what the ad is made with"


@pytest.mark.parametrize("state", [RowStatus.PENDING, RowStatus.FAILED])
def test_what_has_no_ad_is_made_as_it_is_written_now(tmp_path: Path, state: RowStatus) -> None:
    output = tmp_path / "out.csv"
    table = opened(output, {"price": "37.8", "prompt": "Now {price}"}).table
    table.update(0, JobState(status=state, attempts=1))
    table.save_now()
    table = opened(output, {"price": EURO, "prompt": "Now {price}"}).table
    assert [row.request.prompt for row in table.rows] == ["Now 37,80 €"]
    assert Plan.of(table).creates == 1


@pytest.mark.parametrize(
    ("before", "now", "prompt"),
    [
        ("37.8", "38.7", "Now {price}"),
        ("37.8", "378", "Now {price}"),
        ("7", "7.05", "Now {price}"),
        ("7.0", "70", "Now {price}"),
        ("1.250", 1.25001, "Now {price}"),
        (EURO, formatted(37.81, '#,##0.00 "€"'), "Now {price}"),
        ("0.1", formatted(0.01, "0 %"), "Now {price}"),
        ("38", formatted(37.8, '0.00 "€"'), "Now {price}"),
        ("2026-08-01", "2026-08-02", "Till {price}"),
        ("01.08.2026", "2026-01-08", "Till {price}"),
        ("7.5 kg", "7.50 kg", "Now {price}"),
        ("v1.0", "v1", "Now {price}"),
        (EURO, "37,80 EUR", "Now {price}"),
    ],
)
def test_what_was_changed_is_an_ad_of_its_own(
    tmp_path: Path, before: object, now: object, prompt: str
) -> None:
    output = tmp_path / "out.csv"
    recorded(output, {"price": before, "prompt": prompt})
    plan = Plan.of(opened(output, {"price": now, "prompt": prompt}).table)
    assert (plan.creates, plan.removed) == (1, 1)


def test_a_number_that_somebody_types_into_the_prompt_is_text(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    recorded(output, {"price": "7.5", "prompt": "Now 7.5"})
    assert Plan.of(opened(output, {"price": "7.5", "prompt": "Now 7.50"}).table).creates == 1


def test_another_thing_of_the_row_that_was_changed_makes_an_ad(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    recorded(output, {"price": "7.5", "prompt": "Now {price}"})
    row = {"price": "7.50", "prompt": "Now {price}", "audience_id": "aud_late_prod_tea"}
    assert Plan.of(opened(output, row).table).creates == 1


def test_rows_that_differ_only_in_spelling_keep_an_ad_each(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    both = [{"price": price, "prompt": "Now {price}"} for price in ("7", "7.0")]
    recorded(output, *both)
    assert Plan.of(opened(output, *both).table).creates == 0
    table = opened(output, *both[::-1]).table
    assert [state.job_id for state in table.states] == ["ia_1", "ia_0"], "each has its own"
    three = [{"price": price, "prompt": "Now {price}"} for price in (7.0, "7.00", "7.000")]
    assert Plan.of(opened(output, *three).table).creates == 1, "two ads for two of three rows"


def test_row_ids_that_a_program_wrote_anew_do_no_harm(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    recorded(
        output,
        {"row_id": "007", "price": "7.50", "prompt": "Now {price}"},
        {"row_id": "008", "price": "8.50", "prompt": "Now {price}"},
    )
    table = opened(
        output,
        {"row_id": 8, "price": 8.5, "prompt": "Now {price}"},
        {"row_id": 7, "price": 7.5, "prompt": "Now {price}"},
    ).table
    assert [state.job_id for state in table.states] == ["ia_1", "ia_0"]
    assert Plan.of(table).creates == 0


@pytest.mark.parametrize("made", ["012", "12", "02", "1", "2"])
def test_equal_rows_have_their_ads_in_order_when_a_program_shortens_their_ids(
    tmp_path: Path, made: str
) -> None:
    output = tmp_path / "out.csv"
    table = opened(output, *({"row_id": f"00{n}", "prompt": "Same"} for n in range(3))).table
    for n in map(int, made):
        table.update(n, JobState(**{**vars(DONE), "job_id": f"ia_{n}"}))
    table.save_now()
    in_order = [f"ia_{n}" for n in made] + [None] * (3 - len(made))
    table = opened(output, *({"row_id": n, "prompt": "Same"} for n in range(3))).table
    assert [state.job_id for state in table.states] == in_order
    fewer = opened(output, *({"row_id": n, "prompt": "Same"} for n in range(len(made)))).table
    assert [state.job_id for state in fewer.states] == [f"ia_{n}" for n in made], "none is new"


def test_a_prompt_that_is_a_number_is_known_too(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    recorded(output, {"prompt": "0.5"})
    table = opened(output, {"prompt": formatted(0.5, "0 %")}).table
    assert Plan.of(table).creates == 0


def test_two_placeholders_side_by_side_are_told_apart(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    prompt = "{a} {b} and {a}"
    recorded(output, {"a": "7.50", "b": "2026-08-01", "prompt": prompt})
    shown = formatted(date(2026, 8, 1), "dd.mm.yyyy")
    assert Plan.of(opened(output, {"a": 7.5, "b": shown, "prompt": prompt}).table).creates == 0


def test_a_thousand_rows_that_were_written_anew_are_found(tmp_path: Path) -> None:
    output = tmp_path / "out.csv"
    recorded(output, *({"price": f"{n}.0", "prompt": "Now {price}"} for n in range(1000)))
    rows = [{"price": n, "prompt": "Now {price}"} for n in reversed(range(1000))]
    assert Plan.of(opened(output, *rows).table).creates == 0


def taken_over(folder: Path, before: object, now: object, state: JobState, prompt: str) -> Campaign:
    """A campaign of a result table in which a program wrote the price of its row anew."""
    recorded(folder / "first.csv", {**NAMED, "price": before, "prompt": prompt}, state=state)
    table = read_spreadsheet(str(folder / "first.csv")).frame
    brief = Brief.read(sheet({**dict(table.iloc[0]), "price": now}))
    return Campaign.open(brief, str(folder / "second.csv"), catalogue=SHOP)


NAMED = {"product": "Tea"}
SUBMITTING = JobState(status=RowStatus.SUBMITTING, attempts=1, idempotency_key="ab" * 32)


@pytest.mark.parametrize("state", [DONE, SUBMITTING])
@pytest.mark.parametrize("prompt", ["Now {price}!", "{product}{price}", "{price} {price} {brand}"])
@pytest.mark.parametrize(
    ("before", "now"), [("7.50", "7.5"), ("2026-08-01", "8/1/2026"), ("7.50 €", "7.5")]
)
def test_a_result_table_that_a_program_saved_has_the_ads_that_it_had(
    tmp_path: Path, before: str, now: str, prompt: str, state: JobState
) -> None:
    campaign = taken_over(tmp_path, before, now, state, prompt)
    (row,), (ours,) = campaign.table.rows, campaign.table.states
    assert before in (row.request.prompt or "")
    assert (ours.status, ours.idempotency_key) == (state.status, state.idempotency_key)
    assert campaign.table.earlier_jobs is not None
    assert campaign.table.earlier_jobs.existing == 1


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [("7.50", "8.5", DONE), ("7.50", "7.5", JobState(RowStatus.FAILED)), ("v1.0", "v1", DONE)],
)
def test_a_result_table_whose_price_was_changed_or_has_no_ad_is_made_as_it_is_now(
    tmp_path: Path, before: str, now: str, state: JobState
) -> None:
    campaign = taken_over(tmp_path, before, now, state, "{product} now {price}")
    assert [row.request.prompt for row in campaign.table.rows] == [f"Tea now {now}"]
    assert Plan.of(campaign.table).creates == 1


@pytest.mark.parametrize("state", [JobState(), JobState(RowStatus.FAILED, "ia_0"), DONE])
@pytest.mark.parametrize("edited", ["{product} at {price}", "{product}", "Half price: {product}"])
def test_an_edited_prompt_of_a_row_without_an_ad_is_taken_whatever_its_names(
    tmp_path: Path, edited: str, state: JobState
) -> None:
    first = tmp_path / "first.csv"
    row = {**NAMED, "price": "7.50", "prompt": "{product}, half price, at {price}"}
    recorded(first, row, state=state)
    line = dict(read_spreadsheet(str(first)).frame.iloc[0])
    campaign = Campaign.open(
        Brief.read(sheet({**line, "prompt": edited})), str(tmp_path / "b.csv"), catalogue=SHOP
    )
    filled = edited.format(product="Tea", price="7.50")
    (prompt,) = (row.request.prompt for row in campaign.table.rows)
    was_sent = "Tea, half price, at 7.50"
    if state is DONE and not edited.startswith("Half"):
        assert prompt == was_sent, "which may be the same prompt, with a name that changed"
    else:
        assert prompt == filled


@pytest.mark.parametrize("is_sorted", [True, False])
def test_thousands_of_rows_of_one_price_are_all_known_in_any_order(is_sorted: bool) -> None:
    """Compared each with each, they would be more than are compared."""
    count = math.isqrt(2 * MOST_COMPARED) + 100
    earlier = [CampaignRow(2, request(f"Now 7.50 for {n}!"), "") for n in range(count)]
    filled_in = [FilledIn(f"Now 7.5 for {n}!") for n in range(count)]
    for number, cell in enumerate(filled_in):
        cell.parts = ("Now ", "7.5", " for ", f"{number}", "!")
    rows = {n: CampaignRow(2, request(str(c)), "", prompt_cell=c) for n, c in enumerate(filled_in)}
    found = find_respelled(rows, earlier if is_sorted else earlier[::-1])
    assert found == {n: n if is_sorted else count - 1 - n for n in range(count)}


def request(prompt: str) -> ImageAdRequest:
    return ImageAdRequest.model_validate({**IDS, "prompt": prompt})
