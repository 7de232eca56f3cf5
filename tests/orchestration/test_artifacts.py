"""What a run leaves in Prefect for people who have nothing but a browser."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.errors import SPREADSHEET_WORDS, Words
from prefect_staticadslab.campaign.files.cells import FIRST_ROW, Spreadsheet, frame_of
from prefect_staticadslab.campaign.job_types.image_ads import ImageAdTable
from prefect_staticadslab.orchestration.reporting import contents
from prefect_staticadslab.orchestration.reporting.artifacts import readable_key
from prefect_staticadslab.orchestration.reporting.table_facts import costs_by_brand, row_facts
from tests.orchestration.summaries import summary_of

AD_WORDS = Words("ad", "ads")
CARD = 50
"""Characters of a description that a card in the UI shows."""


def table(*lines: dict[str, str], output: str | None = None) -> ImageAdTable:
    """A table of ads, all completed, for 1 USD each. Ids that a line lacks are the same for all."""
    ids = {
        "design_template_id": "dt_1",
        "brand_id": "brand_1",
        "product_id": "prod_1",
        "audience_id": "aud_1",
        "prompt": "",
    }
    rows = [{**ids, **line} for line in lines]
    frame = frame_of(list(rows[0]), [list(row.values()) for row in rows])
    numbers = tuple(range(FIRST_ROW, FIRST_ROW + len(rows)))
    made = ImageAdTable.open(None, Spreadsheet.from_frame(frame, numbers))
    made.location = output
    for position in range(len(rows)):
        url = f"https://cdn.example.com/{position}.png"
        state = JobState(RowStatus.COMPLETED, f"ia_{position}", url, cost_usd=Decimal(1))
        made.update(position, state)
    return made


def table_rows(made: ImageAdTable, words: Words = SPREADSHEET_WORDS) -> list[dict[str, str]]:
    return contents.table_rows(made, row_facts(made), words)


def gallery(made: ImageAdTable, words: Words = SPREADSHEET_WORDS) -> str:
    return contents.gallery_markdown(made, row_facts(made), words)


TWO_AUDIENCES = (
    {"brand": "Harbor Roast", "audience_id": "aud_1", "audience": "Commuters", "prompt": "Iced"},
    {"brand": "Harbor Roast", "audience_id": "aud_2", "audience": "Students", "prompt": "Hot"},
)


def test_an_inbox_says_how_many_lines_of_a_message_are_left_out() -> None:
    lines = [f"Row {number} lacks a brand." for number in range(2, 24)]
    told = contents.inbox_markdown({"june.csv": "\n".join(lines), "july.csv": "Finished."})
    assert told.splitlines()[2:] == [
        "| **june.csv** | Row 2 lacks a brand. |",
        *(f"| | {line} |" for line in lines[1:20]),
        "| | and 2 more lines; see the log. |",
        "| **july.csv** | Finished. |",
    ]


def test_what_tells_two_ads_apart_and_the_picture_come_first_and_what_is_the_same_last() -> None:
    rows = table_rows(table(*TWO_AUDIENCES))
    assert list(rows[0]) == [
        *("row", "audience", "prompt", "picture"),
        *("status", "error", "cost_usd", "product", "template", "brand", "image_ad_id"),
    ]
    assert [row["audience"] for row in rows] == ["Commuters", "Students"]


def test_templates_that_differ_are_told_and_one_ad_has_all_that_is_known() -> None:
    two = table({"design_template_id": "dt_1"}, {"design_template_id": "dt_2"})
    assert [list(row)[1] for row in table_rows(two)] == ["template", "template"]
    [one] = table_rows(table(TWO_AUDIENCES[0]))
    assert list(one)[1:4] == ["product", "audience", "prompt"]


def test_a_picture_says_below_what_it_has_of_its_own() -> None:
    shown = gallery(table(*TWO_AUDIENCES))
    assert "| Row 2 · Commuters · Iced | Row 3 · Students · Hot |" in shown
    assert "Harbor Roast" not in shown


def test_a_prompt_that_only_repeats_the_product_gives_way_to_the_template() -> None:
    lines = [
        {
            "product_id": f"prod_{product}",
            "audience_id": f"aud_{audience}",
            "prompt": f"prod_{product} for aud_{audience}",
            "design_template_id": f"dt_{template}",
        }
        for product in "12"
        for audience in "12"
        for template in "12"
    ]
    shown = gallery(table(*lines))
    assert "Row 2 · prod\\_1 · aud\\_1 · dt\\_1 |" in shown
    captions = re.findall(r"Row \d+ · ([^|]+) \|", shown)
    assert len(set(captions)) == len(lines)


def test_where_the_form_says_ad_so_does_all_that_is_told() -> None:
    typed = table(*TWO_AUDIENCES)
    assert next(iter(table_rows(typed, AD_WORDS)[0])) == "ad"
    assert "Ad 2 · Commuters" in gallery(typed, AD_WORDS)
    assert contents.table_description(typed, 2, AD_WORDS) == "2 ads: 2 completed."
    typed.update(1, JobState(RowStatus.FAILED, "ia_9", error="It rained."))
    typed.update(0, JobState(RowStatus.PROCESSING, "ia_8"))
    summary = summary_of(typed, words=AD_WORDS)
    told = "\n".join([contents.summary_markdown(summary), summary.headline(), *summary.notes()])
    assert "**Failed ads by cause**" in told
    assert "0 of 2 ads completed (1 processing, 1 failed)" in told
    assert "1 ad is rendering" in told
    assert "row" not in told.casefold()


def test_each_brand_has_its_costs_if_there_are_several() -> None:
    several = table(
        {"brand_id": "brand_1", "brand": "Harbor Roast"},
        {"brand_id": "brand_2", "brand": "<b>|Fernweh"},
        {"brand_id": "brand_2", "brand": "<b>|Fernweh"},
    )
    several.update(0, JobState(RowStatus.FAILED, "ia_9", error="It rained.", cost_usd=Decimal(0)))
    told = contents.summary_markdown(summary_of(several), costs_by_brand(several))
    assert told.endswith(
        "| Brand | Completed | USD |\n|---|---:|---:|\n"
        "| &lt;b&gt;\\|Fernweh | 2 | 2.00 |\n| Harbor Roast | 0 | 0.00 |"
    )
    one = table(*TWO_AUDIENCES)
    assert "by brand" not in contents.summary_markdown(summary_of(one), costs_by_brand(one))


def test_a_card_shows_the_counts(tmp_path: Path) -> None:
    lines = [{"prompt": str(number)} for number in range(120)]
    kept = table(*lines, output=f"{tmp_path}/results/of/a/very/long/way/summer.csv")
    kept.update(3, JobState(RowStatus.FAILED, "ia_3", error="It rained."))
    described = contents.table_description(kept, contents.TABLE_ROWS)
    assert described[:CARD].startswith("120 rows: 119 completed, 1 failed.")
    assert described.endswith("summer.csv")
    assert contents.pictures_description(kept, "summer.csv") == "119 pictures of summer.csv"
    assert summary_of(kept).headline()[:CARD].startswith("119 of 120 rows completed (1 failed), ")
    unkept = table(lines[0])
    assert contents.pictures_description(unkept, "flow-run-00ff") == "1 picture"


# Names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("file:///ads/spring/results.csv", "campaign-spring-results"),
        ("file:///ads/S%C3%BC%C3%9F%20%26%20gut/Caf%C3%A9.xlsx", "campaign-suss-gut-cafe"),
        ("s3://ads/summer/results-2026-08-01.parquet", "campaign-summer-results-2026-08-01"),
        ("s3://KEY:SECRET@ads/results.csv?sig=SECRET", "campaign-ads-results"),
        ("Summer sale", "campaign-summer-sale"),
        ("create 2 ads with harbor-roast", "campaign-create-2-ads-with-harbor-roast"),
    ],
)
def test_an_artifact_is_called_as_people_call_the_campaign(name: str, key: str) -> None:
    assert readable_key("campaign", name) == key


def test_names_that_lose_letters_are_still_told_apart() -> None:
    names = ["夏", "冬", "夏.csv", "!", "?", "a" * 61, "a" * 62]
    keys = {readable_key("campaign", name) for name in names}
    assert len(keys) == len(names)


@given(st.text(max_size=300))
def test_every_name_makes_a_key_that_prefect_takes(name: str) -> None:
    key: Any = readable_key("inbox", name)
    assert key.isascii()
    assert key == key.lower()
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert len(key) <= 80
