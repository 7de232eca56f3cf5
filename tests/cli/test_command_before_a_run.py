"""The campaign command before a run: what it refuses with 2, and what a dry run tells."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prefect_staticadslab import JobState, RowStatus
from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.cli.commands.campaign import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.cli.commands import EXAMPLE, command, finished
from tests.conftest import set_key, write_campaign


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and an API that nobody answers for: whatever is refused here was refused by us."""
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x")
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_network")
def test_all_problems_are_listed_with_row_and_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(
        "design_template_id,brand_id,product_id,audience_id,editable\n"
        "dt_1,brand_1,prod_1,aud_1,\n"
        "dt_1,,prod_1,aud_1,maybe\n"
        "brand_2,brand_1,prod_1,aud_1,yes\n"
    )
    assert main([str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "Nothing was created."
    assert [line.split(":")[0] for line in told[1:]] == [
        "Row 3, column brand_id",
        "Row 3, column editable",
        "Row 4, column design_template_id",
    ]
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("spreadsheet", "output", "options", "says"),
    [
        ("none.csv", "out.csv", [], "There is no file"),
        ("in.csv", "in.csv", [], "the spreadsheet itself"),
        ("in.csv", "out.doc", [], "must end in"),
        ("in.csv", "foreign.csv", [], "left alone"),
        ("in.csv", "out.csv", ["--max-spend-usd", "1"], "up to 2.00 USD"),
        ("in.csv", "out.csv", ["--sheet", "Two"], "Only a workbook"),
        ("in.csv", "out.csv", ["--visible-rows"], "Only a workbook"),
        ("in.csv", "none/out.csv", [], "There is no folder"),
        ("in.csv", "out.csv", ["--rows", "2-9"], "Rows 2-9 are not in the spreadsheet"),
        ("in.csv", "out.csv", ["--rows", "3-2"], "reversed; write 2-3"),
        ("in.csv", "out.csv", ["--rows", "b"], "neither a row nor a range of rows"),
        ("in.csv", "out.csv", ["--preview", "p.txt"], "must end in .html"),
        ("in.csv", "out.csv", ["--name-pictures-by", "sku"], "by 'sku': the table has no such"),
    ],
)
def test_what_is_wrong_is_refused_with_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spreadsheet: str,
    output: str,
    options: list[str],
    says: str,
) -> None:
    write_campaign(tmp_path, "a", "b")
    (tmp_path / "foreign.csv").write_text("my,own\n1,2\n")
    assert main([str(tmp_path / spreadsheet), str(tmp_path / output), *options]) == 2
    assert says in capsys.readouterr().err
    assert (tmp_path / "foreign.csv").read_text() == "my,own\n1,2\n"


@pytest.mark.usefixtures("no_network")
def test_a_file_that_is_not_there_is_told_with_the_folder_that_it_was_looked_for_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["none.csv", "out.csv"]) == 2
    assert f"There is no file none.csv in {tmp_path}." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "url", "says"),
    [
        ("", "", "SAL_API_KEY"),
        ("Bearer sal_live_SECRET", "", "Bearer"),
        ("sal_live_SECRET", "http://api.staticadslab.com", "unencrypted"),
    ],
)
def test_a_wrong_key_or_url_is_refused_with_2_and_not_quoted(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    url: str,
    says: str,
) -> None:
    monkeypatch.setenv("SAL_API_KEY", key)
    monkeypatch.setenv("SAL_BASE_URL", url)
    assert main([write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")]) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert "SECRET" not in told.err + told.out


@pytest.mark.parametrize(
    "options", [["--attempts", "0"], ["--first", "-1"], ["--max-spend-usd", "-1"], ["--what"]]
)
def test_options_that_make_no_sense_are_refused_with_2(tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main([write_campaign(tmp_path, "a"), str(tmp_path / "out.csv"), *options])
    assert refused.value.code == 2


def test_a_dry_run_needs_no_key_and_tells_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAL_API_KEY", raising=False)
    assert main([EXAMPLE, str(tmp_path / "out.csv"), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "To create:         25\n  flat:            25 × 1.00 USD = 25.00 USD\n" in told
    assert "up to 25.00 USD" in told
    assert "The first 5 ads:\n  Row 2  brand_" in told
    assert "and 20 more; --preview FILE.html shows them all\n" in told
    assert max(map(len, told.splitlines())) <= 80
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_some_rows_tells_of_these_and_that_the_others_wait(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SAL_API_KEY", raising=False)
    page = tmp_path / "plan.html"
    options = ["--dry-run", "--rows", "2-3,7", "--preview", str(page)]
    assert main([EXAMPLE, str(tmp_path / "out.csv"), *options]) == 0
    told = capsys.readouterr().out
    assert "Not now:           22, which wait for a run without --rows\n" in told
    assert "To create:         3\n" in told
    assert f"Preview:           {page}\n" in told
    assert "3 ads, up to 3.00 USD" in page.read_text(encoding="utf-8")


def test_ids_that_do_not_exist_are_told_before_prefect_starts(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    simulator: SimulatorServer,
) -> None:
    set_key(monkeypatch, simulator)
    place = Path(write_campaign(tmp_path, "a", "b"))
    place.write_text(place.read_text().replace("brand_", "brand_none_", 2).replace("_none", "", 1))
    assert main([str(place), str(tmp_path / "out.csv"), "--dry-run"]) == 2
    assert "Row 2, column brand_id: There is no brand" in capsys.readouterr().err
    assert main([str(place), str(tmp_path / "out.csv"), "--dry-run", "--no-preflight"]) == 0


def test_a_prefect_server_that_is_away_is_told_with_2(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    away = {
        **os.environ,
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "PREFECT_HOME": str(tmp_path),
    }
    arguments = [write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")]
    status, _, err = finished(command(arguments, away, simulator))
    assert (status, len(simulator.api.jobs)) == (2, 0)
    assert "Prefect could not start the run, with its server at http://127.0.0.1:9/api" in err


@pytest.mark.usefixtures("no_network")
def test_real_ads_and_simulated_ones_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_campaign(tmp_path, "a")
    made = Campaign.open(place, str(tmp_path / "out.csv"))
    real = JobState(RowStatus.COMPLETED, "ia_1", "https://cdn.example.com/1.png", attempts=1)
    made.table.update(0, real)
    made.table.save_now()
    assert main([place, str(tmp_path / "out.csv"), "--simulate"]) == 2
    assert "was made with the real API" in capsys.readouterr().err
