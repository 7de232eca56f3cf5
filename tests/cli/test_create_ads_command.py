"""The command that makes ads for a saved brand kit: money first, and a table to go on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab import ImageAdJob, StaticAdsLabCredentials
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.campaign.rows.form_ads import TypedAd, read_typed_ads
from prefect_staticadslab.cli.commands.create_ads import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import simulated_ids

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def kit(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
) -> str:
    """The name of a saved kit."""
    credentials.save("typed-key", overwrite=True)
    fields: dict[str, Any] = {"credentials": credentials, **simulated_ids()}
    ImageAdJob(**fields).save("typed", overwrite=True)
    return "typed"


def test_prompts_become_ads_and_the_same_command_makes_no_more(
    kit: str, simulator: SimulatorServer, tmp_path: Path, capsys: Capture
) -> None:
    output = str(tmp_path / "out.csv")
    command = [kit, output, "--prompt", "Iced", "--prompt", "Hot"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "2 ads to create, up to 2.00 USD." in said.err
    assert "2 of 2 ads completed, 2.00 USD" in said.out
    assert list(read_spreadsheet(output).frame["prompt"]) == ["Iced", "Hot"]
    assert main(command) == 0
    assert len(simulator.api.jobs) == 2


def test_a_file_says_more_of_each_ad(
    kit: str, simulator: SimulatorServer, tmp_path: Path, capsys: Capture
) -> None:
    ads = tmp_path / "ads.json"
    ads.write_text(json.dumps([{"prompt": "Iced", "ad_type": "Editable, 4.00 USD"}]))
    command = [kit, str(tmp_path / "out.csv"), "--ads", str(ads), "--prompt", "Hot"]
    assert main([*command, "--dry-run"]) == 0
    assert "Dry run: nothing was created." in capsys.readouterr().out
    assert main([*command, "--max-spend-usd", "4.99"]) == 2
    assert "limit" in capsys.readouterr().err
    assert not simulator.api.jobs
    assert not (tmp_path / "out.csv").exists()
    assert main([*command, "--max-spend-usd", "5"]) == 0
    assert sorted(job.body["editable"] for job in simulator.api.jobs.values()) == [False, True]


def test_nobody_has_agreed_to_many_ads(
    kit: str, simulator: SimulatorServer, tmp_path: Path, capsys: Capture
) -> None:
    ads = tmp_path / "ads.json"
    ads.write_text(json.dumps([{"prompt": str(n)} for n in range(101)]))
    assert main([kit, str(tmp_path / "out.csv"), "--ads", str(ads)]) == 2
    assert "somebody has to agree" in capsys.readouterr().err
    assert not simulator.api.jobs


def test_what_is_wrong_with_an_ad_is_told_in_the_forms_words(
    kit: str, simulator: SimulatorServer, tmp_path: Path, capsys: Capture
) -> None:
    ads = tmp_path / "ads.json"
    ads.write_text(json.dumps([{"prompt": "Iced"}, {"brand": "Nobody"}]))
    assert main([kit, str(tmp_path / "out.csv"), "--ads", str(ads)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Nothing was created.\nAd 2, ")
    assert "row" not in said.casefold()
    assert not simulator.api.jobs


@pytest.mark.usefixtures("prefect_server")
def test_a_kit_that_is_not_saved_is_told(tmp_path: Path, capsys: Capture) -> None:
    assert main(["nowhere", str(tmp_path / "out.csv"), "--prompt", "Iced"]) == 2
    assert "The brand kit nowhere cannot be loaded" in capsys.readouterr().err


def test_it_has_to_be_said_what_to_create(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["kit", "out.csv"])
    assert "say what to create: --prompt TEXT, or --ads FILE.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "Invalid JSON"),
        ('{"prompt": "Iced"}', "valid array"),
        ('["Iced"]', "Ad 1: "),
        ('[{}, {"promt": "Iced"}]', "Ad 2, promt: Extra inputs are not permitted"),
        ('[{"prompt": 1}, {"ad_type": "Flat"}]', "Ad 2, ad_type: "),
    ],
)
def test_a_file_that_is_no_list_of_ads_is_refused(content: str, says: str, tmp_path: Path) -> None:
    place = tmp_path / "ads.json"
    place.write_text(content)
    with pytest.raises(CampaignError) as refused:
        read_typed_ads(str(place))
    assert str(refused.value).startswith(f"{place} is no list of ads, such as ")
    assert says in str(refused.value)


def test_a_file_of_ads_is_read(tmp_path: Path) -> None:
    place = tmp_path / "ads.json"
    place.write_text('[{"prompt": "Über", "audience": "*"}]', encoding="utf-8")
    assert read_typed_ads(str(place)) == [TypedAd(prompt="Über", audience="*")]
