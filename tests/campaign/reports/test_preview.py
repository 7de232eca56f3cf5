"""The plan shows ads: in lines for a terminal, and on a page that goes alone."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from rich.cells import cell_len

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.api.web import WebGate
from prefect_staticadslab.campaign.files.cells import Spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.names.brief import Brief
from prefect_staticadslab.campaign.pictures.preview import template_pictures as fetching
from prefect_staticadslab.campaign.pictures.preview.ad_lines import ad_lines
from prefect_staticadslab.campaign.pictures.preview.planned_ads import (
    PlannedAd,
    costs_by_name,
    planned_ads,
)
from prefect_staticadslab.campaign.pictures.preview.preview_page import (
    LISTED_COSTS,
    PreviewError,
    check_preview,
    preview_page,
    write_preview,
)
from prefect_staticadslab.campaign.pictures.preview.template_pictures import template_pictures
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.simulator import SimulatorServer
from tests.campaign.pictures.test_contact_sheet import Page
from tests.campaign.shop import IDS, NAMES, SHOP, sheet

AD = PlannedAd(
    row=2,
    brand="Harbor Roast",
    product="Cold Brew Kit",
    variant="",
    audience="Commuters",
    template="Sale 4:5",
    template_id="dt_1",
    template_picture="",
    prompt="Iced, by the sea",
    job_name="flat",
    price_usd=Decimal(1),
)


def campaign_of(
    folder: Path, *rows: dict[str, str], spreadsheet: Spreadsheet | None = None
) -> Campaign:
    brief = Brief.read(spreadsheet or sheet(*rows))
    return Campaign.open(brief, str(folder / "out.csv"), catalogue=SHOP)


def page_of(campaign: Campaign, pictures: dict[str, bytes] | None = None) -> str:
    ads = planned_ads(campaign)
    return preview_page(ads, Plan.of(campaign.table), "Summer", pictures or {})


def test_ads_go_by_names_and_their_prompts_are_filled_in(tmp_path: Path) -> None:
    row = {
        **NAMES,
        "audience": "Early | Late",
        "product_variant": "Small",
        "prompt": "{product} for {audience}",
        "editable": "yes",
    }
    first, second = planned_ads(campaign_of(tmp_path, row))
    assert (first.brand, first.product_name, first.audience) == (
        "Alder & Co",
        "Tea (Small)",
        "Early",
    )
    assert (first.prompt, second.prompt) == ("Tea for Early", "Tea for Late")
    assert first.template_name == "Sale 4:5, dt_0"
    assert (first.row, first.price_usd, first.job_name) == (2, Decimal(4), "editable")


def test_what_is_only_known_by_its_id_goes_by_that_or_by_the_users_own_names(
    tmp_path: Path,
) -> None:
    ids = {name: text.replace("_a", "_z") for name, text in IDS.items()}
    ids |= {"product_id": "prod_z", "audience_id": "aud_z", "design_template_id": "dt_z"}
    (ad,) = planned_ads(campaign_of(tmp_path, {**ids, "Product name": "", "title": "Jar"}))
    assert (ad.brand, ad.product, ad.audience) == ("brand_z", "Jar", "aud_z")
    assert (ad.template, ad.template_name) == ("", "dt_z")


def test_only_ads_that_would_be_created_are_shown(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path, *({**IDS, "prompt": prompt} for prompt in "abcd"))
    campaign.table.update(0, JobState(RowStatus.COMPLETED, "ia_1"))
    campaign.table.update(1, JobState(RowStatus.PROCESSING, "ia_2"))
    campaign.table.update(2, JobState(RowStatus.FAILED, "ia_3"))
    assert [ad.prompt for ad in planned_ads(campaign)] == ["c", "d"]


def test_three_lines_tell_of_an_ad() -> None:
    assert ad_lines([AD, replace(AD, row=13, prompt="")]) == [
        "",
        "The ads to create:",
        "  Row  2  Harbor Roast · Cold Brew Kit · Commuters",
        "          Sale 4:5, dt_1",
        "          “Iced, by the sea”",
        "  Row 13  Harbor Roast · Cold Brew Kit · Commuters",
        "          Sale 4:5, dt_1",
        "          no prompt",
    ]


def test_of_many_ads_the_first_are_told_and_where_the_others_are() -> None:
    told = ad_lines([AD] * 1_007, more="a page has them")
    assert told[1] == "The first 5 ads:"
    assert told[-1] == "  and 1,002 more; a page has them"
    assert ad_lines([]) == []


@pytest.mark.parametrize(
    "text",
    [
        "long " * 200,
        "x" * 500,
        "\N{HIRAGANA LETTER A}" * 200,
        "a\N{WRAPPED PRESENT}" * 90,
        "\x1b[2J\x1b]0;owned\x07" * 40,
        "one\ntwo\r\n\tthree " * 30,
        "\u202e reversed" * 30,
    ],
)
def test_whatever_cells_hold_every_line_fits_a_terminal_and_does_nothing_to_it(text: str) -> None:
    ad = replace(
        AD, row=123456, brand=text, product=text, audience=text, template=text, prompt=text
    )
    lines = ad_lines([ad])
    assert len(lines) == 5
    for line in lines:
        assert cell_len(line) <= 80
        assert not re.search(r"[\x00-\x1f\u202e]", line)


def test_of_names_that_are_too_long_together_the_short_ones_stay_whole() -> None:
    (_, _, names, *_) = ad_lines([replace(AD, product="A product of very many words " * 5)])
    assert names.startswith("  Row 2  Harbor Roast · A product of very many")
    assert names.endswith("… · Commuters")


def test_a_page_has_every_ad_its_price_and_what_all_of_them_cost(tmp_path: Path) -> None:
    rows = [
        {**IDS, "prompt": "one"},
        {**IDS, "prompt": "two", "editable": "yes"},
        {**IDS, "brand_id": "brand_b", "product_id": "prod_other_tea", "prompt": ""},
    ]
    text = page_of(campaign_of(tmp_path, *rows))
    page = Page(text)
    assert len(page.all("article", "class")) == 3
    for said in ("3 ads, up to 6.00 USD", "Row 4", "Alder & Co", "Birch", "Sale 4:5, dt_0"):
        assert said in page.text
    assert re.search(r"Alder &amp; Co</th><td>2</td><td>5\.00 USD", text)
    assert "1 row has no prompt: row 4." in page.text
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "img", "iframe", "form"})


def test_a_page_has_nothing_of_a_cell_but_text(tmp_path: Path) -> None:
    evil = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    text = page_of(campaign_of(tmp_path, {**NAMES, "prompt": evil, "title": evil}))
    page = Page(text)
    assert evil in page.text
    assert len(page.all("script", "src")) == 1
    policy = page.all("meta", "content")[1] or ""
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_a_template_is_in_the_page_once_however_many_ads_it_makes(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path, *({**IDS, "prompt": str(n)} for n in range(300)))
    text = page_of(campaign, {"dt_0": b"a picture of a template"})
    assert text.count("data:image/jpeg;base64,") == 1
    assert text.count('class="picture template t0"') == 300


def test_a_campaign_of_which_nothing_is_to_create_says_so(tmp_path: Path) -> None:
    campaign = campaign_of(tmp_path, IDS)
    campaign.table.update(0, JobState(RowStatus.COMPLETED, "ia_1"))
    text = page_of(campaign)
    assert "There is nothing to create." in text
    assert "1 of 1 are completed already." in text


def test_costs_are_told_for_the_dearest_and_the_rest_together(tmp_path: Path) -> None:
    ads = [replace(AD, brand=f"Brand {n:03}") for n in range(LISTED_COSTS + 7)]
    assert [s.name for s in costs_by_name(ads, [ad.brand for ad in ads])][:2] == [
        "Brand 000",
        "Brand 001",
    ]
    campaign = campaign_of(tmp_path, IDS)
    text = preview_page(ads, Plan.of(campaign.table), "Summer", {})
    assert "and 7 more</th><td>7</td><td>7.00 USD" in text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("plan.pdf", "must end in .html"),
        ("out.html", "where the contact sheet is"),
        ("own.html", "no preview of this program"),
        ("none/plan.html", "There is no folder"),
    ],
)
def test_a_page_that_cannot_be_written_there_is_refused(
    tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "own.html").write_text("<h1>My page</h1>")
    with pytest.raises(Exception, match=says):
        check_preview(str(tmp_path / name), str(tmp_path / "out.csv"))
    with pytest.raises(Exception, match="nothing can be written there"):
        check_preview("https://example.com/plan.html")


def test_a_preview_may_be_written_again(tmp_path: Path) -> None:
    place = str(tmp_path / "plan.html")
    write_preview(place, page_of(campaign_of(tmp_path, IDS)))
    check_preview(place, str(tmp_path / "out.csv"))
    assert isinstance(PreviewError("x"), Exception)


async def test_templates_pictures_are_fetched_once_each_and_made_small(
    simulator: SimulatorServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    templates = [
        t for t in simulator.api.catalogue.design_templates.values() if t["status"] == "completed"
    ]
    url = str(templates[0]["preview_url"]).replace("https://", "http://")
    address = url if url.startswith(simulator.url) else f"{simulator.url}{url}"
    ads = [replace(AD, template_picture=address)] * 5
    ads += [replace(AD, template_id="dt_2", template_picture=f"{simulator.url}/nothing.png")]
    with caplog.at_level(logging.WARNING):
        pictures = await template_pictures(ads, WebGate.allowing(simulator.url))
    assert list(pictures) == ["dt_1"]
    assert pictures["dt_1"].startswith(b"\xff\xd8\xff")
    assert len(pictures["dt_1"]) < 100_000
    assert "The preview of dt_2 could not be had" in caplog.text
    monkeypatch.setattr(fetching, "MOST_PICTURES", 0)
    assert await template_pictures(ads, WebGate.allowing(simulator.url)) == {}


async def test_without_pictures_nothing_is_asked() -> None:
    assert await template_pictures([AD]) == {}


def test_the_plan_tells_equal_rows_rows_without_a_prompt_hidden_ones_and_notes(
    tmp_path: Path,
) -> None:
    rows = [{**IDS, "prompt": text} for text in ("a", "b", "a", "", "a", "")]
    spreadsheet = replace(
        sheet(*rows), hidden_rows=3, notes=("Read from the sheet 'Ads', the only one that fits.",)
    )
    campaign = campaign_of(tmp_path, spreadsheet=spreadsheet)
    plan = Plan.of(campaign.table)
    assert plan.remarks() == [
        "3 rows ask for the same ad as an earlier one: rows 4, 6-7.",
        "2 rows have no prompt: rows 5, 7.",
        "3 rows are hidden in the spreadsheet, and read like the others.",
        "Read as: Read from the sheet 'Ads', the only one that fits.",
    ]
    told = plan.describe()
    assert told.endswith("\n".join(plan.remarks()[:2]))
    assert "Hidden rows:       3, read like the others; --visible-rows leaves them out\n" in told
    assert "Read as:           Read from the sheet 'Ads', the only one that fits.\n" in told
    # What is paid for already is nothing to warn of.
    for position in range(2, 6):
        campaign.table.update(position, JobState(RowStatus.COMPLETED, f"ia_{position}"))
    assert Plan.of(campaign.table).remarks()[:1] == [
        "3 rows are hidden in the spreadsheet, and read like the others."
    ]
