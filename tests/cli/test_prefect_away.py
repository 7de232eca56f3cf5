"""Commands whose Prefect server does not answer: refused in a few words, with exit status 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_staticadslab.__main__ import main
from tests.conftest import write_campaign

Capture = pytest.CaptureFixture[str]
NOBODY = "http://127.0.0.1:9/api"


@pytest.fixture(autouse=True)
def away() -> Iterator[None]:
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        yield


@pytest.mark.parametrize(
    "arguments",
    [
        ["campaign", "in.csv", "out.csv", "--credentials", "static-ads-lab"],
        ["create-ads", "harbor-roast", "out.csv", "--prompt", "Iced"],
        ["serve"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_server_that_is_away_is_told(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_campaign(tmp_path, "Iced")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert f"Prefect's server at {NOBODY} does not answer" in said
    assert "Start it with `prefect server start`" in said
    assert not Path("out.csv").exists()


def test_what_cannot_be_a_blocks_name_is_told(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["serve", "--block", "static/ads"])
    assert ended.value.code == 2
    assert "Call it static-ads." in capsys.readouterr().err
