"""Attacks by where things are: protocols that evaluate what they fetch, chains, other folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import folders, storage
from prefect_staticadslab.campaign.files.images import ImageFileError, read_image
from prefect_staticadslab.campaign.files.locations import Location, LocationError
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.inbox.scan import Inbox
from prefect_staticadslab.campaign.job_types.design_templates import TemplateBatch
from prefect_staticadslab.campaign.pictures.pictures import prepare_places
from prefect_staticadslab.cli.commands import design_templates
from tests.campaign.inbox.test_inbox import opened, shown, spreadsheet
from tests.campaign.job_types.test_templates import picture
from tests.security.stranger import Stranger

CHAINS = [
    "reference://a.png::{url}/refs.json",
    "reference://a.png::file:///etc/passwd",
    "simplecache::{url}/a.png",
    "filecache::reference://a.png::{url}/refs.json",
    "zip://a.png::{url}/a.zip",
    "s3://a.png::{url}/a",
    "dir::reference://a.png::{url}/refs.json",
]

PROTOCOLS = [
    "reference://a.png",
    "ftp://127.0.0.1/a.png",
    "smb://127.0.0.1/a.png",
    "github://org:repo@main/a.png",
    "data://text/csv,a",
    "memory://a.png",
    "localhost://a.png",
    "jar://a.png",
    "Reference://a.png",
    " reference://a.png",
    "http ://a.png",
    "://a.png",
]


def refs(stranger: Stranger) -> None:
    """What made a worker send its environment, and on older versions of fsspec run a command."""
    templates = {"u": f"{stranger.url}/stolen"}
    content = {"version": 1, "templates": templates, "refs": {"a.png": ["{{ u }}"]}}
    stranger.serve("/refs.json", json.dumps(content).encode())


@pytest.mark.parametrize("place", [*CHAINS, *PROTOCOLS])
def test_no_other_protocol_and_no_chain_is_followed_whoever_names_it(
    place: str, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAL_ALLOWED_PROTOCOLS")
    refs(stranger)
    place = place.format(url=stranger.url)
    asks: list[Callable[[str], object]] = [
        storage.read_bytes,
        storage.exists,
        storage.is_folder,
        storage.check_target,
        lambda location: storage.write_bytes(location, b"x"),
        folders.list_files,
        folders.make_folder,
        read_spreadsheet,
        prepare_places,
        Location.typed,
        lambda location: Location.named_by("refs.csv", location),
    ]
    for ask in asks:
        with pytest.raises(CampaignError):
            ask(place)
    with pytest.raises(ImageFileError):
        read_image(place)
    assert stranger.asked == []


@pytest.mark.parametrize("chain", CHAINS)
def test_a_setting_allows_a_protocol_and_never_a_chain(
    chain: str, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAL_ALLOWED_PROTOCOLS", "ftp, reference,simplecache ,zip,dir,filecache")
    assert Location.typed("FTP://host/a.csv").protocol == "ftp"
    with pytest.raises(LocationError):
        storage.read_bytes(chain.format(url=stranger.url))
    assert stranger.asked == []


@pytest.mark.parametrize("chain", CHAINS)
def test_a_cell_cannot_make_the_command_ask_for_a_chain(
    chain: str,
    stranger: Stranger,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_SECRET")
    refs(stranger)
    (tmp_path / "in.csv").write_text(f"reference\n{chain.format(url=stranger.url)}\n")
    output = tmp_path / "out.csv"
    assert design_templates.main([str(tmp_path / "in.csv"), str(output), "--dry-run"]) == 2
    assert "Row 2, column reference: " in capsys.readouterr().err
    assert stranger.asked == []
    assert not output.exists()


@pytest.mark.parametrize(
    "place",
    [
        "{file}",
        "file://{file}",
        "../secret.png",
        "a/../../secret.png",
        "link.png",
        "far/secret.png",
        "..\\secret.png",
        "C:\\secret.png",
        "\\\\host\\share\\secret.png",
        "~/secret.png",
        "FILE://{file}",
    ],
)
def test_a_table_names_no_file_outside_of_its_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture("red"))
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "link.png").symlink_to(secret)
    (folder / "far").symlink_to(tmp_path)
    (folder / "in.csv").write_text(f"reference\n{place.format(file=secret)}\n")
    with pytest.raises(CampaignError, match=r"^Row 2"):
        TemplateBatch.open(str(folder / "in.csv"), str(tmp_path / "out.csv"))


def test_a_folders_link_to_elsewhere_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(picture("red"))
    (tmp_path / "refs").mkdir()
    (tmp_path / "refs" / "a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(CampaignError, match="leads out of the folder"):
        TemplateBatch.open(str(tmp_path / "refs"), str(tmp_path / "out.csv"))


@pytest.mark.parametrize("place", ["{file}", "file://{file}", "../a.png", "s3://ads/a.png"])
def test_a_table_from_the_web_names_no_file_of_this_machine(
    place: str, stranger: Stranger, tmp_path: Path
) -> None:
    secret = tmp_path / "a.png"
    secret.write_bytes(picture("red"))
    stranger.serve("/in.csv", f"reference\n{place.format(file=secret)}\n".encode())
    with pytest.raises(CampaignError, match=r"^Row 2"):
        TemplateBatch.open(f"{stranger.url}/in.csv", str(tmp_path / "out.csv"))


def test_a_table_from_the_web_names_what_lies_beside_it(stranger: Stranger, tmp_path: Path) -> None:
    stranger.serve("/ads/in.csv", b"reference\na.png\n")
    stranger.serve("/ads/a.png", picture("red"))
    batch = TemplateBatch.open(f"{stranger.url}/ads/in.csv", str(tmp_path / "out.csv"))
    assert [row.request.reference.text for row in batch.table.rows] == [f"{stranger.url}/ads/a.png"]


def test_a_table_of_this_machine_makes_nobody_ask_this_machines_servers(
    stranger: Stranger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger.serve("/a.png", picture("red"))
    (tmp_path / "in.csv").write_text(f"reference\n{stranger.url}/a.png\n")
    with pytest.raises(CampaignError, match="SAL_ALLOWED_HOSTS"):
        TemplateBatch.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert stranger.asked == []
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", "127.0.0.1")
    TemplateBatch.open(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"))
    assert stranger.asked == ["/a.png"]


# An inbox


@pytest.mark.parametrize(
    "campaign",
    [
        "reference://a.csv::{url}/refs.json",
        "{url}/a.csv",
        "ftp://127.0.0.1/a.csv",
        "s3://other/a.csv",
    ],
)
def test_a_note_makes_nobody_ask(campaign: str, stranger: Stranger, tmp_path: Path) -> None:
    spreadsheet(tmp_path, "a.csv", "x")
    (tmp_path / ".inbox").mkdir()
    note = {
        "campaign": campaign.format(url=stranger.url),
        "table": "a-results.csv",
        "api": "api.example.com",
    }
    (tmp_path / ".inbox" / "a.csv.json").write_text(json.dumps(note))
    opened(tmp_path).scan()
    assert stranger.asked == []


def test_a_link_in_an_inbox_is_no_spreadsheet_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("SAL_API_KEY=sal_live_SECRET\n")
    box = tmp_path / "box"
    box.mkdir()
    (box / "a.csv").symlink_to(tmp_path / "secret.csv")
    found = opened(box).scan()
    assert shown(found) == {"refused": ["a.csv"]}
    assert "SECRET" not in str(found)


def test_notes_behind_a_link_are_neither_read_nor_written(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    spreadsheet(tmp_path / "box", "a.csv", "x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "box" / ".inbox").symlink_to(tmp_path / "elsewhere")
    inbox: Inbox = opened(tmp_path / "box")
    with pytest.raises(CampaignError, match="is a link to somewhere else"):
        inbox.scan()
    assert list((tmp_path / "elsewhere").iterdir()) == []
