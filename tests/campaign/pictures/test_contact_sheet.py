"""The contact sheet: complete, self-contained, and no place for markup from a cell."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.pictures import picture_links
from prefect_staticadslab.campaign.pictures.cards import aspect_ratio
from prefect_staticadslab.campaign.pictures.contact_sheet import contact_sheet, write_contact_sheet


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: Iterable[str]) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.html = "".join(html)
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script reads."""
        text = self.html.partition('<script type="application/json" id="data">')[2]
        data: dict[str, Any] = json.loads(text.partition("</script>")[0])
        return data

    @property
    def links(self) -> list[str | None]:
        """What the page leads to, besides to its own parts."""
        return [place for place in self.all("a", "href") if not (place or "").startswith("#")]


def opened(folder: Path, *prompts: str, title: str = "Shirt") -> ImageAdTable:
    quoted = ['"' + p.replace('"', '""') + '"' for p in prompts]
    lines = [f"dt_1,brand_1,prod_1,aud_1,{p},{title}" for p in quoted]
    header = "design_template_id,brand_id,product_id,audience_id,prompt,Title"
    (folder / "in.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return Campaign.open(str(folder / "in.csv"), str(folder / "out.csv")).table


def test_every_row_has_a_card_with_its_picture_prompt_status_and_error(tmp_path: Path) -> None:
    table = opened(tmp_path, "Sun & sea", "Größe 🎁", "third")
    (tmp_path / "pictures").mkdir()
    local = tmp_path / "pictures" / "a b.png"
    local.write_bytes(b"")
    url = "https://cdn/1.png"
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", url, image_path=str(local)))
    table.update(1, JobState(RowStatus.COMPLETED, "ia_2", "https://cdn/2.png?a=1&b=2"))
    table.update(2, JobState(RowStatus.FAILED, error="No picture (PIPELINE_ERROR)"))
    place = write_contact_sheet(table, "Summer")
    assert place == str(tmp_path / "out.html")
    page = Page(Path(place).read_text(encoding="utf-8"))
    # What failed comes first.
    assert page.all("article", "data-status") == ["failed", "completed", "completed"]
    assert page.all("img", "src") == ["pictures/a%20b.png", "https://cdn/2.png?a=1&b=2"]
    assert set(page.all("img", "loading")) == {"lazy"}
    for said in ("Sun & sea", "Größe 🎁", "No picture (PIPELINE_ERROR)", "Row 4", "ia_2", "Shirt"):
        assert said in page.text


def test_a_card_shows_the_thumbnail_and_leads_to_the_picture(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", "b")
    (tmp_path / "pictures" / "thumbnails").mkdir(parents=True)
    for name in ("ä 1.webp", "2.png", "thumbnails/ä 1.jpg"):
        (tmp_path / "pictures" / name).write_bytes(b"")
    for position, name in enumerate(("ä 1.webp", "2.png")):
        place = str(tmp_path / "pictures" / name)
        state = JobState(RowStatus.COMPLETED, "ia", "https://cdn/1.png", width=2160, height=2700)
        table.update(position, replace(state, image_path=place))
    place = write_contact_sheet(table, "Summer") or ""
    page = Page(Path(place).read_text(encoding="utf-8"))
    original, other = "pictures/%C3%A4%201.webp", "pictures/2.png"
    assert page.all("img", "src") == ["pictures/thumbnails/%C3%A4%201.jpg", other]
    assert page.links == [original, other]
    assert set(page.all("img", "width")) == {"2160"}
    assert set(page.all("img", "height")) == {"2700"}


def test_a_remote_picture_that_is_not_beside_the_page_is_shown_from_the_web(tmp_path: Path) -> None:
    table = opened(tmp_path, "a")
    state = JobState(RowStatus.COMPLETED, "ia_1", "https://cdn/1.png")
    table.update(0, replace(state, image_path="memory://elsewhere/1.png"))
    page = Page(contact_sheet(table, "memory://here/out.html", "a"))
    assert page.all("img", "src") == page.links == ["https://cdn/1.png"]


@pytest.mark.parametrize(
    "path",
    ["y" * 5000 + ".png", "~nobody_x/p.png", "a\0.png", "http://[x/p.png", "/", "memory://x/"],
)
def test_cells_that_name_no_picture_show_none(tmp_path: Path, path: str) -> None:
    table = opened(tmp_path, "a")
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", "http://[x/y", image_path=path))
    page = Page(contact_sheet(table, str(tmp_path / "out.html"), "a"))
    assert page.all("article", "data-status") == ["completed"]
    assert page.all("img", "src") == []


def test_the_page_needs_nothing_but_the_pictures(tmp_path: Path) -> None:
    page = Page(contact_sheet(opened(tmp_path, "a"), "out.html", "Summer"))
    assert page.all("link", "href") == []
    assert page.all("script", "src") == [None, None]
    assert page.all("script", "type") == [None, "application/json"]
    (policy,) = [c for c in page.all("meta", "content") if c and "default-src" in c]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)> {{ 7*7 }}"


def test_nothing_in_a_cell_becomes_markup(tmp_path: Path) -> None:
    table = opened(tmp_path, HOSTILE, title="'\" onload=alert(3) <b>")
    table.update(
        0,
        JobState(
            RowStatus.COMPLETED,
            job_id='"><i>',
            image_url="https://cdn/x.png\"onerror='alert(4)",
            error=HOSTILE,
        ),
    )
    page = Page(contact_sheet(table, "out.html", HOSTILE))
    harmless = Page(contact_sheet(opened(tmp_path, "a"), "out.html", "a"))
    shown = {"p", "a", "img", "div", "footer"}
    assert {t for t, _ in page.tags} - shown == {t for t, _ in harmless.tags} - shown
    assert page.all("script", "type") == [None, "application/json"]
    assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
    assert "{{ 7*7 }}" in page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd"])
def test_only_web_addresses_become_links(tmp_path: Path, url: str) -> None:
    table = opened(tmp_path, "a")
    table.update(0, JobState(RowStatus.COMPLETED, "ia_1", url))
    page = Page(contact_sheet(table, "out.html", "a"))
    assert page.all("img", "src") == []
    assert page.links == []


def test_search_has_every_column_of_the_user_and_no_key(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", title="</script><b>")
    state = JobState(RowStatus.PROCESSING, "ia_1", idempotency_key="f" * 64, api_key_hash="e" * 16)
    table.update(0, replace(state, image_path=str(tmp_path / "a.png")))
    page = Page(contact_sheet(table, "out.html", "a"))
    (row,) = page.data["rows"]
    cells = dict(zip(page.data["columns"], row[-1], strict=True))
    assert cells["Title"] == "</script><b>"
    assert cells["brand_id"] == "brand_1"
    assert not {"idempotency_key", "api_key_hash", "image_path"} & set(cells)
    assert "f" * 64 not in page.html
    assert table.rows[0].identity not in page.html


def test_a_page_without_end_of_a_cell_is_cut(tmp_path: Path) -> None:
    page = Page(contact_sheet(opened(tmp_path, "a", title="x" * 9000), "out.html", "a"))
    assert max(map(len, page.data["rows"][0][-1])) == 2000


def test_costs_are_told_by_brand_and_design_template(tmp_path: Path) -> None:
    table = opened(tmp_path, "a", "b", "c")
    for position, cost in enumerate(("1", "4")):
        state = JobState(RowStatus.COMPLETED, f"ia_{position}", "https://cdn/1.png")
        table.update(position, replace(state, cost_usd=Decimal(cost), width=1200, height=628))
    page = Page(contact_sheet(table, "out.html", "a"))
    assert "Cost by brand and design template" in page.text
    for line in ("BrandAdsPicturesUSD", "brand_1325.00", "Design templateAds", "dt_1325.00"):
        assert line in page.text
    # A row without a picture has its template's format.
    assert [row[4][3] for row in page.data["rows"]] == ["1.91:1"] * 3


def test_ads_of_one_row_go_by_the_spreadsheets_row(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(
        "design_template_id,brand_id,product_id,audience_id,source_row\n"
        "dt_1,brand_1,prod_1,aud_1,7\ndt_2,brand_1,prod_1,aud_1,7\n"
    )
    table = Campaign.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv")).table
    page = Page(contact_sheet(table, "out.html", "a"))
    assert [row[0] for row in page.data["rows"]] == [7, 7]
    assert "Row 7" in page.text


@pytest.mark.parametrize(
    ("size", "ratio"),
    [
        ((1080, 1080), "1:1"),
        ((2160, 2700), "4:5"),
        ((1080, 1920), "9:16"),
        ((1079, 1920), "9:16"),
        ((1200, 628), "1.91:1"),
        ((728, 90), "364:45"),
        ((0, 5), ""),
        ((None, None), ""),
    ],
)
def test_a_format_is_called_as_people_call_it(
    size: tuple[int | None, int | None], ratio: str
) -> None:
    assert aspect_ratio(*size) == ratio


def with_pictures(folder: Path, count: int) -> ImageAdTable:
    table = opened(folder, *map(str, range(count)))
    (folder / "pictures" / "thumbnails").mkdir(parents=True)
    for position in range(count):
        noise = Image.effect_noise((480, 480), 100)
        for name, kind in ((f"{position}.png", "PNG"), (f"thumbnails/{position}.jpg", "JPEG")):
            noise.save(folder / "pictures" / name, kind)
        state = JobState(RowStatus.COMPLETED, "ia", f"https://cdn/{position}.png")
        path = str(folder / "pictures" / f"{position}.png")
        table.update(position, replace(state, image_path=path))
    return table


def embedded_pictures(page: Page) -> list[bytes]:
    head = "data:image/jpeg;base64,"
    found = [src for src in page.all("img", "src") if src and src.startswith(head)]
    return [base64.b64decode(src.removeprefix(head)) for src in found]


def test_one_file_holds_small_pictures_and_leads_to_the_web(tmp_path: Path) -> None:
    page = Page(
        contact_sheet(with_pictures(tmp_path, 2), str(tmp_path / "out.html"), "a", one_file=True)
    )
    for content in embedded_pictures(page):
        assert Image.open(io.BytesIO(content)).size == (480, 480)
    assert page.links == ["https://cdn/0.png", "https://cdn/1.png"]
    assert len(embedded_pictures(page)) == 2


@pytest.mark.parametrize("room", [60_000, 9_000])
def test_one_file_stays_small_enough_to_be_mailed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(picture_links, "EMBEDDED_BYTES", room)
    table = with_pictures(tmp_path, 4)
    page = Page(contact_sheet(table, str(tmp_path / "out.html"), "a", one_file=True))
    found = embedded_pictures(page)
    assert sum(map(len, found)) <= room
    assert {Image.open(io.BytesIO(content)).size[0] for content in found} <= {360, 270, 200, 150}
    # What does not fit is shown from the web, and that is told.
    rest = 4 - len(found)
    assert len([s for s in page.all("img", "src") if s and s.startswith("https:")]) == rest
    assert (f"{rest} of the pictures are not in this page" in page.text) is (rest > 0)
    assert bool(rest) is (room < 10_000)


def test_one_file_holds_no_file_that_is_no_picture(tmp_path: Path) -> None:
    table = with_pictures(tmp_path, 1)
    for name in ("0.png", "thumbnails/0.jpg"):
        (tmp_path / "pictures" / name).write_text("a secret")
    page = Page(contact_sheet(table, str(tmp_path / "out.html"), "a", one_file=True))
    assert embedded_pictures(page) == []
    assert page.all("img", "src") == ["https://cdn/0.png"]


def test_one_file_holds_no_picture_that_a_link_leads_to(tmp_path: Path) -> None:
    (tmp_path / "ads").mkdir()
    table = with_pictures(tmp_path / "ads", 1)
    secret = tmp_path / "secret.jpg"
    Image.new("RGB", (9, 9)).save(secret)
    small = tmp_path / "ads" / "pictures" / "thumbnails" / "0.jpg"
    small.unlink()
    small.symlink_to(secret)
    page = Page(contact_sheet(table, str(tmp_path / "ads" / "out.html"), "a", one_file=True))
    (content,) = embedded_pictures(page)
    assert Image.open(io.BytesIO(content)).size == (480, 480)
