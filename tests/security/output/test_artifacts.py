"""No cell, name or answer is markup in Prefect's UI, which renders Markdown and the HTML in it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from prefect import flow

from prefect_staticadslab import JobState, Progress, RowStatus
from prefect_staticadslab.api.events import Complete
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.campaign.pictures.preview.planned_ads import PlannedAd
from prefect_staticadslab.campaign.pipeline.batch import Batch
from prefect_staticadslab.campaign.reports.plan import Plan
from prefect_staticadslab.campaign.reports.summary import Summary, summarize
from prefect_staticadslab.orchestration.reporting import artifacts, assets, live
from prefect_staticadslab.orchestration.reporting import progress as progress_module
from prefect_staticadslab.orchestration.reporting.contents import without_markup
from prefect_staticadslab.orchestration.reporting.plan_artifact import plan_markdown
from prefect_staticadslab.orchestration.run_names import LONGEST_NAME, run_name
from tests.conftest import simulated_ids

PAYLOADS = {
    "an image that fails": "<img src=x onerror=alert(1)>",
    "a script": "<script>alert(1)</script>",
    "a closed tag": '"></a><svg onload=alert(1)>',
    "a link": "[the invoice](javascript:alert(1))",
    "a link in brackets": "[the invoice](<javascript:alert(1)>)",
    "an automatic link": "<javascript:alert(1)>",
    "a reference": "[x]\n\n[x]: javascript:alert(1)",
    "a tracker": "![](http://evil.example/seen.png)",
    "a tracker with its reference": "![x][y]\n\n[y]: http://evil.example/seen.png",
    "entities": "&lt;img src=x onerror=alert(1)&gt;&#60;script&#62;",
    "a table that goes on": "| a | <img src=x onerror=alert(1)> |\n|---|---|\n| [x](data:a,b) |",
    "an escaped backslash": "\\[x](javascript:alert(1)) \\<img src=x onerror=alert(1)>",
    "code that ends": "`` ` `` <img src=x onerror=alert(1)> ```",
    "a block of HTML": "\n\n<iframe src=javascript:alert(1)>\n\n",
    "a comment": "<!-- --><img src=x onerror=alert(1)><!--",
    "a form": "<form action=http://evil.example><input name=password>",
    "a very long text": "<img src=x onerror=alert(1)>" * 50_000,
}

ADDRESSES = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    'https://x.example/"onerror="alert(1)',
    "https://x.example/[a](javascript:alert(1))",
    "https://x.example/`|<img/src=x/onerror=alert(1)>",
    "https://x.example/)![](http://evil.example/seen.png)",
    "https://x.example/\x1b]52;c;aGk=\x07",
    " https://x.example/a.png",
    "//evil.example/seen.png",
]

OURS = "https://cdn.example.com/1.png"


@pytest.fixture(params=list(PAYLOADS.values()), ids=list(PAYLOADS))
def payload(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


class Elements(HTMLParser):
    """What a browser would make of a page: its elements with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


HARMLESS = {"table", "thead", "tbody", "tr", "th", "td", "p", "ul", "ol", "li", "strong", "em"}
HARMLESS |= {"h1", "h2", "h3", "hr", "blockquote", "code", "pre", "br", "a", "img"}


def dangers(markdown: str) -> list[Any]:
    """What of a text does or loads something, once it is rendered as the UI renders it."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    renderer.validateLink = lambda url: True  # type: ignore[method-assign]
    found = []
    for tag, attributes in Elements(renderer.render(markdown)).found:
        own = {"a": {"href"}, "img": {"src", "width"}}.get(tag, {"style", "class"})
        addresses = {attributes.get("href"), attributes.get("src")} - {None, OURS}
        if tag not in HARMLESS or not set(attributes) <= own or addresses:
            found.append((tag, attributes))
    return found


def test_the_judge_sees_what_is_dangerous() -> None:
    """Two are harmless as they are, and not if they are escaped once too often."""
    missed = {name for name, payload in PAYLOADS.items() if not dangers(payload)}
    assert missed == {"entities", "an escaped backslash"}


class Kept:
    """What would have been sent to Prefect."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def markdown(self, *, key: str, markdown: str, description: str) -> None:
        self.texts += [markdown, description]

    async def table(self, *, key: str, table: list[dict[str, str]], description: str) -> None:
        self.texts += [description, *(cell for row in table for cell in row.values())]

    async def progress(self, *_: object, description: str, key: str = "") -> int:
        self.texts.append(description)
        return 1


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept()
    monkeypatch.setattr(artifacts, "acreate_markdown_artifact", kept.markdown)
    monkeypatch.setattr(artifacts, "acreate_table_artifact", kept.table)
    monkeypatch.setattr(progress_module, "acreate_progress_artifact", kept.progress)
    monkeypatch.setattr(progress_module, "aupdate_progress_artifact", kept.progress)
    return kept


def batch_of(folder: Path, payload: str, urls: list[str]) -> tuple[Batch[Any], Summary]:
    """A batch whose names, cells, errors and places are what somebody else wrote."""
    cells = {**simulated_ids(), "prompt": payload[:90_000], "product_name": payload[:90_000]}
    escaped = ['"' + cell.replace('"', '""') + '"' for cell in cells.values()]
    lines = [",".join(cells), *[",".join(escaped)] * (2 + len(urls))]
    (folder / "in.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    # A path cannot hold everything, but a campaign's name can, and so can a bucket's.
    campaign = Campaign.open(str(folder / "in.csv"), str(folder / "out.csv"), name=payload)
    campaign.table.location = f"s3://ads/{payload}.csv"
    table = campaign.table
    table.update(0, JobState(RowStatus.FAILED, job_id=payload, error=payload, attempts=1))
    for position, url in enumerate([OURS, *urls], 1):
        state = JobState(RowStatus.COMPLETED, "ia_1", image_url=url, attempts=1)
        table.update(position, state)
    summary = summarize(
        campaign,
        [],
        already_completed=0,
        spent_before_usd=table.totals().cost_usd,
        seconds=1.0,
        contact_sheet=payload,
        pictures=payload,
    )
    return campaign, replace(summary, output=payload, stopped_by=payload)


async def test_no_artifact_holds_markup_of_somebody_else(
    tmp_path: Path, payload: str, kept: Kept
) -> None:
    batch, summary = batch_of(tmp_path, payload, [])
    await artifacts.create_artifacts(batch, summary)
    assert len(kept.texts) == 27
    for text in kept.texts:
        assert dangers(text) == [], text[:300]
    # Everything that is long in them is cut, so that Prefect's database keeps little of it.
    assert sum(map(len, kept.texts)) < 20_000


def plan_of(folder: Path, payload: str, url: str) -> str:
    """A dry run's plan in which everything is what somebody else wrote."""
    batch, _ = batch_of(folder, payload, [])
    name = payload[:2_000]
    ad = PlannedAd(2, name, name, name, name, name, name, url, name, "flat", Decimal(1))
    plan = replace(Plan.of(batch.table), notes=(name,), selected_by="--rows", postponed=1)
    return plan_markdown(plan, [ad] * 200, payload)


async def test_no_plan_holds_markup_of_somebody_else(tmp_path: Path, payload: str) -> None:
    text = plan_of(tmp_path, payload, OURS)
    assert dangers(text) == []
    assert len(text) < 250_000


@pytest.mark.parametrize("url", ADDRESSES)
async def test_no_templates_address_is_markup(tmp_path: Path, url: str) -> None:
    found = dangers(plan_of(tmp_path, "a", url))
    addresses = [str(each.get("href") or each.get("src")) for tag, each in found if tag != "p"]
    assert all(address.startswith("https://x.example/") for address in addresses)
    assert {tag for tag, _ in found} <= {"a", "img"}


async def test_no_inbox_holds_markup_of_somebody_else(payload: str, kept: Kept) -> None:
    @flow
    async def story() -> None:
        await artifacts.keep_inbox(payload, payload, {payload: payload, "a.csv": payload})

    await story.fn()
    assert len(kept.texts) == 2
    assert [dangers(text) for text in kept.texts] == [[], []]


@pytest.mark.parametrize("url", ADDRESSES)
async def test_no_pictures_address_is_markup(tmp_path: Path, url: str, kept: Kept) -> None:
    batch, summary = batch_of(tmp_path, "a", [url])
    await artifacts.create_artifacts(batch, summary)
    for text in kept.texts:
        found = [
            (tag, attributes)
            for tag, attributes in dangers(text)
            if tag not in ("a", "img")
            or not str(attributes.get("href") or attributes.get("src")).startswith(
                "https://x.example/"
            )
            or not set(attributes) <= {"href", "src", "width"}
        ]
        assert found == [], text


async def test_no_progress_holds_markup_of_somebody_else(
    payload: str, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id is typed, and the steps and sentences are the API's."""
    monkeypatch.setattr("prefect_staticadslab.campaign.reports.live._log_display", _silent)
    async with live.show_image_ad(payload) as show:
        show(Progress(payload, payload, 0.4))
        show(Complete(payload))
    assert kept.texts
    for text in kept.texts:
        assert dangers(text) == []
        assert len(text) <= 1300


def _silent(_: object) -> Any:
    from contextlib import nullcontext

    return nullcontext(lambda share, text: None)


async def test_no_asset_is_called_markup(
    tmp_path: Path, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, summary = batch_of(tmp_path, payload, [])
    named: list[Any] = []

    def asset(*, key: str, properties: Any) -> Any:
        named.append(properties)
        raise RuntimeError("no server in this test")

    monkeypatch.setattr(assets, "Asset", asset)
    with pytest.raises(RuntimeError, match="no server"):
        await assets._materialize_asset(batch, summary, str(tmp_path / "out.csv"), "")
    assert dangers(named[0].name) == dangers(named[0].description) == []


@pytest.mark.parametrize("place", [*PAYLOADS.values(), "a\x1b[2J\x07\u202egpj.csv", "x" * 100_000])
def test_a_run_has_a_short_name_on_one_line(place: str) -> None:
    name = run_name("campaign", place)
    assert name.startswith("campaign")
    assert len(name) <= LONGEST_NAME + 10 * len("\\u202e")
    assert name.isprintable()


@pytest.mark.parametrize("flow_file", ["campaign", "catalog", "design_templates", "download"])
def test_every_flow_that_is_called_by_a_place_has_such_a_name(flow_file: str) -> None:
    from importlib import import_module

    from prefect import Flow

    module = import_module(f"prefect_staticadslab.flows.{flow_file}")
    flows = [each for each in vars(module).values() if isinstance(each, Flow)]
    assert flows
    assert all(callable(each.flow_run_name) for each in flows)


def test_text_that_is_no_markup_stays_as_it_is() -> None:
    assert without_markup("Harbor Roast: 3 < 4, 2 * 3") == "Harbor Roast: 3 ‹ 4, 2 * 3"
