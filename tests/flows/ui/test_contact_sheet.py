"""What somebody sees and does who opens a contact sheet in a browser, as a file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("axe_playwright_python")

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.pictures.contact_sheet import write_contact_sheet
from tests.campaign.pictures.scripted_pictures import picture
from tests.support.processes import PATIENCE_SECONDS

pytestmark = pytest.mark.ui

LONG = "A long story of a cup. " * 20
HEADER = "design_template_id,brand_id,product_id,audience_id,brand,product,prompt,note"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@cache
def small_picture(kind: str) -> bytes:
    return picture(kind, (120, 150))


def table_of(folder: Path, rows: int = 12) -> ImageAdTable:
    """Two brands and three templates; the last row failed, and the others have pictures."""
    lines = [
        f"dt_{i % 3},brand_{i % 2},prod_{i // 3},aud_1,{'Tea' if i % 2 else 'Oak'},Cup {i // 3},"
        f"{LONG if i == 1 else f'prompt {i // 3}'},{'Zoë likes it' if i == 5 else HOSTILE}"
        for i in range(rows)
    ]
    (folder / "in.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    table = Campaign.open(str(folder / "in.csv"), str(folder / "out.csv")).table
    (folder / "pictures" / "thumbnails").mkdir(parents=True)
    for i in range(rows - 1):
        path = folder / "pictures" / f"{i}.png"
        path.write_bytes(small_picture("PNG"))
        (path.parent / "thumbnails" / f"{i}.jpg").write_bytes(small_picture("JPEG"))
        width, height = (1080, 1080) if i % 2 else (1080, 1350)
        state = JobState(
            RowStatus.COMPLETED,
            f"ia_{i}",
            f"https://pictures.example/{i}.png",
            cost_usd=Decimal("1.5"),
            width=width,
            height=height,
        )
        table.update(i, replace(state, image_path=str(path)))
    table.update(rows - 1, JobState(RowStatus.FAILED, error="No picture (PIPELINE_ERROR)"))
    return table


class Sheet:
    """A contact sheet in a browser that reaches nobody, but for one host's pictures."""

    def __init__(self, page: Page, place: Path) -> None:
        self.page = page
        self.asked: list[str] = []
        self.errors: list[str] = []
        page.set_default_timeout(PATIENCE_SECONDS * 1000)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route("http*://**/*", self._answer)
        page.goto(place.as_uri())

    def _answer(self, route: Route) -> None:
        self.asked.append(route.request.url)
        route.fulfill(body=small_picture("PNG"), content_type="image/png")

    @property
    def rows(self) -> list[str]:
        """The rows of the cards that are shown, in their order."""
        return [
            text.removeprefix("Row ")
            for text in self.page.locator(".card:visible .row").all_inner_texts()
        ]

    def load_pictures(self) -> None:
        """Waits until all pictures are there, wherever they come from."""
        self.page.evaluate(
            """async (patience) => {
              const loaded = (image) => {
                image.loading = "eager";
                if (image.naturalWidth) return true;
                return new Promise((is) => image.addEventListener("load", is));
              };
              const late = new Promise((_, is) => setTimeout(is, patience, "a picture is missing"));
              await Promise.race([Promise.all([...document.images].map(loaded)), late]);
            }""",
            PATIENCE_SECONDS * 1000,
        )


def height(part: Locator) -> float:
    """How high a part of the page is, in pixels."""
    box = part.bounding_box()
    assert box is not None
    return box["height"]


def opened(chromium: Browser, place: str | None, **options: Any) -> Sheet:
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    return Sheet(context.new_page(), Path(place or ""))


@pytest.fixture
def sheet(chromium: Browser, tmp_path: Path) -> Iterator[Sheet]:
    shown = opened(chromium, write_contact_sheet(table_of(tmp_path), "Summer"))
    yield shown
    assert shown.errors == []
    shown.page.context.close()


def test_what_failed_comes_first_with_its_reason_and_small(sheet: Sheet) -> None:
    assert sheet.rows[0] == "13"
    first, second = (sheet.page.locator(".card").nth(i) for i in (0, 1))
    assert first.inner_text().startswith("No picture (PIPELINE_ERROR)")
    assert height(first) < height(second) / 2


def test_it_is_searched_through_every_column(sheet: Sheet) -> None:
    sheet.page.fill("#search", "zoë LIKES")
    assert sheet.rows == ["7"]
    assert sheet.page.inner_text("#shown") == "1 of 12 ads, 1.50 USD"
    sheet.page.fill("#search", "nothing has this")
    assert sheet.rows == []
    assert sheet.page.is_visible("#none")


def test_it_is_filtered_and_grouped(sheet: Sheet) -> None:
    page = sheet.page
    page.select_option("[data-facet=brand]", "Tea")
    page.select_option("[data-facet=format]", "1:1")
    page.select_option("[data-facet=status]", "completed")
    assert sheet.rows == ["3", "5", "7", "9", "11"]
    page.select_option("#group", "template")
    assert page.locator("h2:visible").all_inner_texts() == [
        "dt_0 2 ads, 3.00 USD",
        "dt_1 2 ads, 3.00 USD",
        "dt_2 1 ad, 1.50 USD",
    ]
    assert sheet.rows == ["5", "11", "3", "9", "7"]
    page.click("#clear")
    assert len(sheet.rows) == 12
    assert page.locator("h2:visible").all_inner_texts() == ["1 failed", "The other 11"]


def test_variants_of_one_ad_are_side_by_side(chromium: Browser, tmp_path: Path) -> None:
    made = [
        (1, 1, "Cup", "one"),
        (1, 2, "Mug", "two"),
        (2, 1, "Cup", "one"),
        (3, 1, "Cup", "other"),
    ]
    lines = [
        f"dt_{template},brand_1,prod_{product},aud_1,Oak,{name},{prompt},"
        for template, product, name, prompt in made
    ]
    (tmp_path / "in.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    sheet = opened(chromium, write_contact_sheet(table, "Summer"))
    sheet.page.select_option("#group", "variants")
    assert sheet.page.locator("h2:visible").all_inner_texts() == [
        "Cup 2 ads",
        "Without variants 2 ads",
    ]
    assert sheet.rows == ["2", "4", "3", "5"]


def test_favourites_are_kept_and_copied_as_rows(sheet: Sheet) -> None:
    page = sheet.page
    for row in (2, 3, 4, 8):
        page.get_by_role("button", name=f"Favourite, row {row}", exact=True).click()
    assert page.input_value("#rows") == "2-4,8"
    page.reload()
    assert page.input_value("#rows") == "2-4,8"
    page.click("#only")
    assert sheet.rows == ["2", "3", "4", "8"]
    page.click("#copy")
    assert page.inner_text("#told") == "Copied: 2-4,8"
    page.fill("#search", "")
    page.focus("#search")
    page.keyboard.press("Control+v")
    assert page.input_value("#search") == "2-4,8"


def test_favourites_work_where_a_browser_keeps_nothing(chromium: Browser, tmp_path: Path) -> None:
    place = write_contact_sheet(table_of(tmp_path), "Summer")
    context = chromium.new_context()
    context.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    )
    sheet = Sheet(context.new_page(), Path(place or ""))
    sheet.page.get_by_role("button", name="Favourite, row 3", exact=True).click()
    assert sheet.page.input_value("#rows") == "3"
    assert "forgets" in sheet.page.inner_text("#told")
    assert sheet.errors == []


def test_a_long_prompt_opens(sheet: Sheet) -> None:
    prompt = sheet.page.locator("details.prompt")
    closed = height(prompt)
    prompt.locator("summary").press("Enter")
    assert height(prompt) > 2 * closed


def test_all_columns_of_a_card_are_text(sheet: Sheet) -> None:
    sheet.page.get_by_role("button", name="All columns of row 2", exact=True).click()
    assert HOSTILE in sheet.page.locator("dl.columns").inner_text()
    assert sheet.page.locator("dl.columns img").count() == 0


def test_pictures_are_those_beside_the_page(sheet: Sheet) -> None:
    sheet.load_pictures()
    assert sheet.asked == []
    assert not sheet.page.is_visible("#lost")


def test_mailed_without_its_pictures_it_shows_their_urls_and_says_where_they_lie(
    chromium: Browser, tmp_path: Path
) -> None:
    place = write_contact_sheet(table_of(tmp_path), "Summer") or ""
    (tmp_path / "mail").mkdir()
    mailed = shutil.copy(place, tmp_path / "mail" / "out.html")
    sheet = opened(chromium, str(mailed))
    sheet.load_pictures()
    assert "https://pictures.example/3.png" in sheet.asked
    assert str(tmp_path / "pictures") in sheet.page.inner_text("#lost")


def test_one_file_needs_nothing_else(chromium: Browser, tmp_path: Path) -> None:
    place = write_contact_sheet(table_of(tmp_path), "Summer", one_file=True) or ""
    (tmp_path / "mail").mkdir()
    mailed = shutil.copy(place, tmp_path / "mail" / "out.html")
    shutil.rmtree(tmp_path / "pictures")
    sheet = opened(chromium, str(mailed))
    assert sheet.page.locator("img").count() == 11
    sheet.load_pictures()
    assert sheet.asked == []
    assert not sheet.page.is_visible("#lost")


def test_only_so_many_cards_are_in_the_page_at_first(chromium: Browser, tmp_path: Path) -> None:
    table = table_of(tmp_path, rows=1001)
    sheet = opened(chromium, write_contact_sheet(table, "Summer"))
    assert sheet.page.locator(".card").count() < 700
    assert sheet.page.inner_text("#shown") == "1001 ads, 1500.00 USD"
    sheet.page.fill("#search", "ia_999")
    assert sheet.rows == ["1001"]
    sheet.page.fill("#search", "")
    sheet.page.emulate_media(media="print")
    sheet.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert sheet.page.locator(".card").count() == 1001


def test_it_prints_eight_to_a_page(chromium: Browser, tmp_path: Path) -> None:
    table = table_of(tmp_path, rows=17)
    table.update(16, JobState())
    sheet = opened(chromium, write_contact_sheet(table, "Summer"))
    sheet.page.fill("#search", "completed")
    for size in ("A4", "Letter"):
        pdf = sheet.page.pdf(format=size, landscape=True, prefer_css_page_size=True)
        assert pdf.count(b"/Type /Page\n") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_serious(
    chromium: Browser, tmp_path: Path, scheme: str, width: int
) -> None:
    sheet = opened(
        chromium,
        write_contact_sheet(table_of(tmp_path), "Summer"),
        viewport={"width": width, "height": 800},
        color_scheme=scheme,
    )
    page = sheet.page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator(".star").nth(2).click()
    page.locator(".more").nth(2).click()
    page.evaluate("document.getElementById('lost').hidden = false")
    for group in ("", "variants", "brand"):
        page.select_option("#group", group)
        found = Axe().run(page).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], json.dumps(serious, indent=1)[:3000]
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


def test_the_keyboard_reaches_the_pictures_at_once(sheet: Sheet) -> None:
    sheet.page.keyboard.press("Tab")
    assert sheet.page.evaluate("document.activeElement.className") == "skip"
    sheet.page.keyboard.press("Enter")
    assert sheet.page.evaluate("document.activeElement.id") == "ads"


def test_without_a_script_all_cards_are_there(chromium: Browser, tmp_path: Path) -> None:
    place = write_contact_sheet(table_of(tmp_path, rows=50), "Summer")
    sheet = opened(chromium, place, java_script_enabled=False)
    assert sheet.page.locator(".card:visible").count() == 50
    assert sheet.page.locator("button:visible").count() == 0
