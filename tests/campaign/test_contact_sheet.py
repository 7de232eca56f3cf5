"""The contact sheet: complete, self-contained, and no place for markup from a cell."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ResultTable
from prefect_staticadslab.campaign.pictures.contact_sheet import contact_sheet, write_contact_sheet


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]

    @property
    def links(self) -> list[str | None]:
        """What the page leads to, besides to its own parts."""
        return [place for place in self.all("a", "href") if not (place or "").startswith("#")]


def opened(folder: Path, *prompts: str, title: str = "Shirt") -> ResultTable:
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
