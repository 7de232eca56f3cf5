"""The download command and flow, on earlier result tables, with a real Prefect server."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from prefect_staticadslab import JobState, RowStatus, StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.job_types.image_ads import Campaign, ImageAdTable
from prefect_staticadslab.campaign.table.job_state import RESULT_COLUMNS
from prefect_staticadslab.cli.commands.download import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import run_campaign, set_key, write_campaign
from tests.support.processes import ended, start, until


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key, short pauses; and pictures may be on this machine."""
    monkeypatch.delenv("SAL_API_KEY", raising=False)
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", "127.0.0.1")
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.FIRST_BACKOFF_SECONDS", 0.05)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.LONGEST_BACKOFF_SECONDS", 0.1)


def campaign_of(folder: Path, simulator: SimulatorServer, *prompts: str) -> ImageAdTable:
    """A finished campaign whose table is `out.csv`, without pictures."""
    place = write_campaign(folder, *prompts)
    made, _ = asyncio.run(run_campaign(place, str(folder / "out.csv"), simulator.url, attempts=1))
    return made.table


def with_dead_url(table: ImageAdTable, position: int, simulator: SimulatorServer) -> None:
    state = table.states[position]
    table.update(position, replace(state, image_url=f"{simulator.url}/pictures/ia_none.png"))
    table.save_now()


def run(folder: Path, *options: str) -> int:
    return main([str(folder / "out.csv"), str(folder / "pictures"), *options])


@pytest.mark.usefixtures("prefect_server")
def test_an_earlier_table_gets_its_pictures_without_a_key(
    tmp_path: Path,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    campaign_of(tmp_path, simulator, "a", "SIMULATE_FAILURE", "c")
    before = read_spreadsheet(str(tmp_path / "out.csv")).frame
    monkeypatch.delenv("SAL_ALLOWED_HOSTS")
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
    requests = simulator.api.counts["requests"]
    archive = tmp_path / "all.zip"
    assert run(tmp_path, "--images-zip", str(archive)) == 0
    assert simulator.api.counts["requests"] == requests
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("2 of 2 pictures are there, 2 of them downloaded now")
    assert out[1:] == [
        "Rows without a picture: 1 failed.",
        f"Table:         {tmp_path / 'out.csv'}",
        f"Contact sheet: {tmp_path / 'out.html'}",
        f"Pictures:      {tmp_path / 'pictures'}",
        f"In one file:   {archive}",
    ]
    after = read_spreadsheet(str(tmp_path / "out.csv")).frame
    untouched = [c for c in before.columns if c != "image_path"]
    assert after[untouched].equals(before[untouched])
    places = [Path(p) for p in after["image_path"] if p]
    assert [p.read_bytes()[:4] for p in places] == [b"\x89PNG"] * 2
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == [p.name for p in places]
    sheet = (tmp_path / "out.html").read_text()
    for place in places:
        assert f'src="pictures/thumbnails/{place.stem}.jpg"' in sheet
        assert f'href="pictures/{place.name}"' in sheet
    assert run(tmp_path) == 0
    assert capsys.readouterr().out.splitlines()[0] == "2 of 2 pictures are there"
    # The same pictures under other names, in a page that can be mailed.
    assert run(tmp_path, "--name-pictures-by", "prompt", "--one-file") == 0
    assert capsys.readouterr().out.splitlines()[0] == "2 of 2 pictures are there"
    assert {"a.png", "c.png"} < {place.name for place in (tmp_path / "pictures").iterdir()}
    assert (tmp_path / "out.html").read_text().count('src="data:image/jpeg;base64,') == 2


@pytest.mark.usefixtures("prefect_server")
def test_dead_urls_end_with_1_and_with_a_key_they_are_looked_up(
    tmp_path: Path,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = campaign_of(tmp_path, simulator, "a", "b")
    urls = [state.image_url for state in table.states]
    with_dead_url(table, 1, simulator)
    assert run(tmp_path) == 1
    out = capsys.readouterr().out
    assert "1 of 2 pictures are there" in out
    assert "No picture could be had for row 3; the next run tries again." in out
    set_key(monkeypatch, simulator)
    assert run(tmp_path) == 0
    assert [s.image_url for s in ImageAdTable.reopen(str(tmp_path / "out.csv")).states] == urls
    assert simulator.api.counts["creates"] == 2


@pytest.mark.usefixtures("prefect_server")
def test_a_saved_block_is_used_by_its_name(
    tmp_path: Path,
    simulator: SimulatorServer,
    credentials: StaticAdsLabCredentials,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_dead_url(campaign_of(tmp_path, simulator, "a"), 0, simulator)
    credentials.save("for-downloads", overwrite=True)
    assert run(tmp_path, "--credentials", "for-downloads") == 0
    assert run(tmp_path, "--credentials", "no-such-block") == 2
    err = capsys.readouterr().err
    assert "Nothing was downloaded." in err
    assert "no-such-block" in err


@pytest.mark.parametrize(
    ("table", "folder", "options", "says"),
    [
        ("none.csv", "pictures", [], "There is no result table"),
        ("in.csv", "pictures", [], "is no result table"),
        ("out.csv", "in.csv/pictures", [], "There can be no folder"),
        ("out.csv", "pictures", ["--images-zip", "all.tar"], "must end in .zip"),
        ("out.csv", "pictures", ["--name-pictures-by", "sku"], "no such column. Its columns are"),
    ],
)
def test_what_is_wrong_is_refused_with_2_before_prefect_starts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    table: str,
    folder: str,
    options: list[str],
    says: str,
) -> None:
    Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table.save_now()
    assert main([str(tmp_path / table), str(tmp_path / folder), *options]) == 2
    told = capsys.readouterr().err
    assert told.startswith("Nothing was downloaded.\n")
    assert says in told


def test_a_key_that_cannot_be_one_is_refused_and_not_quoted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAL_API_KEY", "Bearer sal_live_SECRET")
    Campaign.open(write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")).table.save_now()
    assert run(tmp_path) == 2
    told = capsys.readouterr().err
    assert "Bearer" in told
    assert "SECRET" not in told


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_an_interrupted_download_goes_on_with_the_same_command(
    tmp_path: Path, prefect_server: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    count = 60
    table = Campaign.open(
        write_campaign(tmp_path, *map(str, range(count))), str(tmp_path / "out.csv")
    ).table
    with SlowPictures() as server:
        for position in range(count):
            url = f"{server.url}/{position}.png"
            table.update(position, JobState(RowStatus.COMPLETED, f"ia_{position}", url))
        table.save_now()
        allowed = prefect_server | {"SAL_ALLOWED_HOSTS": "127.0.0.1"}
        places = [str(tmp_path / "out.csv"), str(tmp_path / "pictures")]
        process = start("flows/download.py", *places, env=allowed)
        until(lambda: len(list((tmp_path / "pictures").glob("*.png"))) >= 10, process)
        process.send_signal(signal.SIGINT)
        status, _, err = ended(process)
        assert status == 130, err
        assert "The same command goes on" in err
        assert "Traceback" not in err
        there = len(list((tmp_path / "pictures").glob("*.png")))
        noted = [s for s in ImageAdTable.reopen(str(tmp_path / "out.csv")).states if s.image_path]
        assert there - 8 <= len(noted) <= there < count
        served = server.served
        assert run(tmp_path) == 0
        assert capsys.readouterr().out.startswith(f"{count} of {count} pictures are there")
        assert server.served - served == count - there
    columns = read_spreadsheet(str(tmp_path / "out.csv")).frame.columns
    assert tuple(columns[-len(RESULT_COLUMNS) :]) == RESULT_COLUMNS


class SlowPictures:
    """A server of one small picture under every URL, that takes a moment for each."""

    def __init__(self) -> None:
        out = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(out, "PNG")
        png, self.served = out.getvalue(), 0
        pictures = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(0.1)
                pictures.served += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(png)))
                self.end_headers()
                self.wfile.write(png)

            def log_message(self, format: str, *args: object) -> None:
                """Not on the console."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> SlowPictures:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
