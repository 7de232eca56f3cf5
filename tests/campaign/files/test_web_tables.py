"""Tables behind web addresses: Google Sheets, no ending, redirects, and pages that are none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import storage
from prefect_staticadslab.campaign.files.cells import Dialect, Spreadsheet
from prefect_staticadslab.campaign.files.google_sheets import (
    is_web_page,
    table_address,
    table_ending,
    web_page_hint,
)
from prefect_staticadslab.campaign.files.spreadsheet import (
    ReadOptions,
    encode_spreadsheet,
    read_spreadsheet,
)
from tests.support.scripted import Scripted, answer, scripted

DOCS = "https://docs.google.com/spreadsheets"
FRAME = pd.DataFrame([["007", "a"], ["008", "b"]], columns=["sku", "note"], dtype=object)


@pytest.mark.parametrize(
    ("shown", "table"),
    [
        ("/d/1a_B-c/edit?gid=0#gid=0", "/d/1a_B-c/export?format=csv&gid=0"),
        ("/d/1a_B-c/edit#gid=12", "/d/1a_B-c/export?format=csv&gid=12"),
        ("/d/1a_B-c/edit?gid=3#gid=12", "/d/1a_B-c/export?format=csv&gid=12"),
        ("/d/1a_B-c/edit?usp=sharing", "/d/1a_B-c/export?format=csv"),
        ("/d/1a_B-c/edit", "/d/1a_B-c/export?format=csv"),
        ("/d/1a_B-c/", "/d/1a_B-c/export?format=csv"),
        ("/d/1a_B-c", "/d/1a_B-c/export?format=csv"),
        ("/d/1a_B-c/view?gid=5&range=A1", "/d/1a_B-c/export?format=csv&gid=5"),
        ("/u/0/d/1a_B-c/edit?gid=0#gid=0", "/u/0/d/1a_B-c/export?format=csv&gid=0"),
        (
            "/d/1a_B-c/edit?resourcekey=0-x&gid=0",
            "/d/1a_B-c/export?format=csv&gid=0&resourcekey=0-x",
        ),
        ("/d/e/2PACX-1v/pubhtml", "/d/e/2PACX-1v/pub?output=csv"),
        (
            "/d/e/2PACX-1v/pubhtml?gid=7&single=true",
            "/d/e/2PACX-1v/pub?output=csv&gid=7&single=true",
        ),
        ("/d/e/2PACX-1v/pub", "/d/e/2PACX-1v/pub?output=csv"),
    ],
)
def test_what_a_browser_shows_of_a_google_sheet_is_read_as_its_table(
    shown: str, table: str
) -> None:
    assert table_address(DOCS + shown) == DOCS + table
    assert table_address(f"http{DOCS.removeprefix('https')}{shown}") == DOCS + table
    assert table_address(DOCS + table) == DOCS + table


def test_a_sheet_that_is_named_is_read_from_the_whole_workbook() -> None:
    address = f"{DOCS}/d/1a_B-c/edit?gid=0#gid=0"
    assert table_address(address, sheet="Herbst") == f"{DOCS}/d/1a_B-c/export?format=xlsx"


@pytest.mark.parametrize(
    "location",
    [
        "summer.csv",
        "s3://ads/summer.csv",
        "https://example.com/spreadsheets/d/1a_B-c/edit",
        "https://docs.google.com.example.com/spreadsheets/d/1a_B-c/edit",
        "https://docs.google.com/document/d/1a_B-c/edit",
        "https://docs.google.com/forms/d/e/x/viewform",
        f"{DOCS}/d/1a_B-c/export?format=tsv&gid=3",
        f"{DOCS}/d/1a_B-c/gviz/tq?tqx=out:csv&sheet=Two",
        f"{DOCS}/d/e/2PACX-1v/pub?gid=0&output=tsv",
        "https://[bad/spreadsheets/d/1/edit",
        "docs.google.com/spreadsheets/d/1a_B-c/edit",
    ],
)
def test_any_other_address_stays_as_it_is(location: str) -> None:
    assert table_address(location) == location


@pytest.mark.parametrize(
    ("location", "ending"),
    [
        ("summer.CSV", ".csv"),
        ("summer.txt", ".txt"),
        ("https://x.example/a.tsv?format=csv", ".tsv"),
        ("https://x.example/export?format=csv&gid=0", ".csv"),
        ("https://x.example/export?Format=XLSX", ".xlsx"),
        ("https://x.example/pub?gid=0&single=true&output=tsv", ".tsv"),
        ("https://x.example/export.php?output=html&format=csv", ".csv"),
        ("https://x.example/export.aspx?format=pdf", ""),
        ("https://x.example/export", ""),
        ("s3://bucket/export?format=csv", ""),
        ("https://[bad?format=csv", ""),
    ],
)
def test_the_format_is_told_by_the_ending_or_else_by_the_query(location: str, ending: str) -> None:
    assert table_ending(location) == ending


@pytest.mark.parametrize(
    ("content", "is_page"),
    [
        (b"<!DOCTYPE html><html>", True),
        (b"\xef\xbb\xbf\r\n <html lang='en'>", True),
        (b"<!-- saved from url -->\n<HTML>", True),
        (b"design_template_id,brand_id\n", False),
        (b"<htmlish>,b\n", False),
        (b"<b>bold</b>,x\n1,2\n", False),
        (b"", False),
    ],
)
def test_a_web_page_is_known_by_how_it_begins(content: bytes, is_page: bool) -> None:
    assert is_web_page(content) is is_page


async def read(
    script: Sequence[bytes], path: str, sheet: str | None = None
) -> tuple[Spreadsheet, Scripted]:
    async with scripted(script) as server:
        options = ReadOptions(sheet or "")
        read = await asyncio.to_thread(read_spreadsheet, f"{server.url}{path}", options=options)
    return read, server


def file(content: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def encoded(ending: str, delimiter: str = ",") -> bytes:
    return encode_spreadsheet(ending, FRAME, Dialect(delimiter))


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/export?format=csv&gid=0", encoded(".csv"), "text/csv"),
        ("/export?format=tsv", encoded(".tsv"), "text/tab-separated-values"),
        ("/export?format=xlsx", encoded(".xlsx"), "application/octet-stream"),
        ("/pub?output=csv", encoded(".csv", ";"), "text/csv"),
        ("/export", encoded(".csv"), "text/csv"),
        ("/export", encoded(".tsv"), "text/tab-separated-values"),
        ("/export", encoded(".xlsx"), "application/vnd.ms-excel"),
        ("/export", encoded(".parquet"), "application/octet-stream"),
    ],
)
async def test_a_table_without_an_ending_is_read(path: str, content: bytes, kind: str) -> None:
    table, server = await read([file(content, kind)], path)
    assert table.frame.astype(str).to_numpy().tolist() == FRAME.to_numpy().tolist()
    assert [(r.method, r.path) for r in server.received] == [("GET", path)]


async def test_a_redirect_is_followed() -> None:
    onward = answer("", 307, location="/elsewhere?token=x")
    table, server = await read([onward, file(encoded(".csv"), "text/csv")], "/export?format=csv")
    assert table.frame["sku"].tolist() == ["007", "008"]
    assert [r.path for r in server.received] == ["/export?format=csv", "/elsewhere?token=x"]


async def test_a_sheet_is_chosen_of_what_turns_out_to_be_an_xlsx() -> None:
    workbook = file(encoded(".xlsx"), "application/octet-stream")
    table, _ = await read([workbook], "/export", sheet="results")
    assert table.frame["note"].tolist() == ["a", "b"]
    with pytest.raises(CampaignError, match="Only a workbook"):
        await read([file(encoded(".csv"), "text/csv")], "/export", sheet="results")


@pytest.mark.parametrize(
    ("location", "ending", "advice"),
    [
        (f"{DOCS}/d/1a_B-c/edit?gid=7#gid=7", ".csv", "with --sheet NAME"),
        (f"{DOCS}/d/1a_B-c/edit", ".csv", "with --sheet NAME"),
        ("https://example.com/table.csv", ".csv", "use the workbook itself"),
        ("https://example.com/table", ".parquet", "use the workbook itself"),
        ("table.tsv", ".tsv", "use the workbook itself"),
    ],
)
def test_hidden_rows_are_not_left_out_where_nobody_can_say_which(
    monkeypatch: pytest.MonkeyPatch, location: str, ending: str, advice: str
) -> None:
    monkeypatch.setattr(storage, "read_bytes", lambda _: encoded(ending))
    options = ReadOptions(visible_rows=True)
    with pytest.raises(CampaignError, match=f"^Only a workbook.* --visible-rows.*{advice}"):
        read_spreadsheet(location, options=options)
    in_folder = options.in_folder(location)
    assert in_folder.visible_rows is not (storage.suffix(location) in (".csv", ".tsv"))


@pytest.mark.parametrize(
    "script",
    [
        [answer("<!doctype html><title>Sign in</title>")],
        [
            answer("", 302, location="/login?continue=SECRET"),
            answer("<html><body>Sign in</body></html>"),
        ],
        [answer("<html>No.</html>", 401)],
        [answer("No.", 403)],
    ],
)
async def test_a_login_page_is_no_table_and_the_message_says_what_to_do(
    script: list[bytes],
) -> None:
    with pytest.raises(CampaignError) as refused:
        await read(script, "/export?format=csv&key=SECRET")
    said = str(refused.value)
    assert "Perhaps it asks for a login" in said
    assert "/export " in said
    assert "SECRET" not in said


@pytest.mark.parametrize("status", [404, 410, 500])
async def test_no_message_about_a_server_shows_what_is_secret_in_an_address(status: int) -> None:
    with pytest.raises(CampaignError) as refused:
        await read([answer("No.", status)], "/export?key=SECRET")
    assert "SECRET" not in str(refused.value)


def test_of_a_google_sheet_that_is_not_shared_it_is_said_how_to_share_it() -> None:
    assert '"Anyone with the link"' in web_page_hint(f"{DOCS}/d/1a_B-c/export?format=csv")


def test_a_page_that_was_saved_as_a_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("<!DOCTYPE html><p>Hello</p>")
    with pytest.raises(CampaignError, match="is a web page, not a table"):
        read_spreadsheet(str(tmp_path / "in.csv"))
