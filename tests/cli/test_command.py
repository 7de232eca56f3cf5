"""The campaign command as people run it: exit statuses, messages, Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from prefect_staticadslab.cli.commands.campaign import main
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.cli.commands import EXAMPLE, command, finished, killed_on_its_way, table
from tests.conftest import QUICK_SERVER, ROOT, key_of, set_key, without_settings, write_campaign
from tests.support.gate import closed_gate, creates_held
from tests.support.processes import can_make_small_disks, ended, start_program, until

QUICKLY_DONE = """\
from prefect_staticadslab.api.retries import key_lock
from prefect_staticadslab.campaign.pipeline import poll_schedule, session
from prefect_staticadslab.cli.commands.campaign import main

key_lock.WORK_SECONDS = 3.0
session.TIMING = poll_schedule.Timing(poll_seconds=0.3, work_seconds=3.0)
raise SystemExit(main())
"""
"""The same command, which takes an API for one that has done with a create after three seconds."""


@pytest.fixture(params=["prefect", "here"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Of a command that runs as a flow run on a server, and of one that runs by itself."""
    if request.param == "here":
        return {**without_settings(), "PREFECT_HOME": str(tmp_path / "no-profiles")}
    found: dict[str, str] = request.getfixturevalue("prefect_server")
    return found


def test_a_simulated_campaign_leaves_a_table_pictures_and_a_contact_sheet(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    archive = str(tmp_path / "all.zip")
    arguments = [EXAMPLE, str(tmp_path / "out.csv"), "--simulate", "--images-zip", archive]
    status, out, err = finished(command(arguments, environment, None))
    assert status == 0
    assert "SIMULATION" in err
    assert out.splitlines()[-4:] == [
        f"Table:         {tmp_path / 'out.csv'}",
        f"Contact sheet: {tmp_path / 'out.html'}",
        f"Pictures:      {tmp_path / 'out-pictures'}",
        f"In one file:   {archive}",
    ]
    rows = table(tmp_path)
    assert {row["status"] for row in rows} == {"completed"}
    for row in rows:
        picture = Path(row["image_path"])
        assert picture.read_bytes().startswith(b"\x89PNG")
        page = (tmp_path / "out.html").read_text(encoding="utf-8")
        assert f'href="out-pictures/{quote(picture.name)}"' in page
        assert f'src="out-pictures/thumbnails/{quote(picture.stem)}.jpg"' in page
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == [Path(row["image_path"]).name for row in rows]


@pytest.fixture
def real_key(
    simulator: SimulatorServer, prefect_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user has set for the real API, but for the base URL; and a Prefect server."""
    assert prefect_server
    set_key(monkeypatch, simulator)


@pytest.mark.usefixtures("real_key")
def test_rows_that_are_not_completed_end_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = write_campaign(tmp_path, "a", "SIMULATE_FAILURE")
    assert main([place, str(tmp_path / "out.csv"), "--attempts", "1"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("1 of 2 rows completed (1 failed), 1.00 USD")
    assert "PIPELINE_ERROR" in out


@pytest.mark.usefixtures("real_key")
def test_a_rejected_key_ends_with_2_and_nothing_is_created(
    tmp_path: Path, simulator: SimulatorServer, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.api.scopes.clear()
    assert main([write_campaign(tmp_path, "a"), str(tmp_path / "out.csv")]) == 2
    assert "does not accept the key" in capsys.readouterr().err
    assert simulator.api.counts["creates"] == 0


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_command_records_everything(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    with (
        SimulatorServer(speed=300, rate_limit=10_000, answer_seconds=0.2) as simulator,
        closed_gate(simulator, after=10) as gate,
    ):
        place = write_campaign(tmp_path, *map(str, range(130)))
        arguments = [place, str(tmp_path / "out.csv"), "--yes"]
        process = command(arguments, environment, simulator)
        until(lambda: len(simulator.api.jobs) >= 10, process)
        process.send_signal(number)
        gate.set()
        status, _, err = finished(process)
        assert status == 130
        assert "The same command goes on" in err
        created = set(simulator.api.jobs)
        assert {row["image_ad_id"] for row in table(tmp_path)} - {""} == created
        assert len(created) < 130


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_reaches_prefects_temporary_server_too_and_all_is_recorded(
    tmp_path: Path, prefect_database: Path
) -> None:
    """A terminal sends it to the whole process group."""
    (tmp_path / "prefect").mkdir()
    shutil.copy(prefect_database, tmp_path / "prefect" / "prefect.db")
    alone = {**without_settings(), **QUICK_SERVER, "PREFECT_HOME": str(tmp_path / "prefect")}
    with (
        SimulatorServer(speed=300, rate_limit=10_000, answer_seconds=0.2) as simulator,
        closed_gate(simulator, after=10) as gate,
    ):
        place = write_campaign(tmp_path, *map(str, range(130)))
        process = command(
            [place, str(tmp_path / "out.csv"), "--yes", "--prefect"], alone, simulator
        )
        until(lambda: len(simulator.api.jobs) >= 10, process)
        os.killpg(process.pid, signal.SIGINT)
        gate.set()
        status, out, err = ended(process)
        assert status == 130, out + err
        assert "The same command goes on" in err
        assert {row["image_ad_id"] for row in table(tmp_path)} - {""} == set(simulator.api.jobs)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_a_killed_command_goes_on_and_pays_for_each_row_once(
    tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [write_campaign(tmp_path, *["the same"] * 40), str(tmp_path / "out.csv")]
    with killed_on_its_way(arguments, environment, monkeypatch) as simulator:
        assert main(arguments) == 0
        assert {row["image_ad_id"] for row in table(tmp_path)} == set(simulator.api.jobs)
        assert len(simulator.api.jobs) == 40


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_some_rows_killed_on_their_way_and_then_all_are_paid_for_once(
    tmp_path: Path, prefect_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = [write_campaign(tmp_path, *["the same"] * 40), str(tmp_path / "out.csv")]
    selected = [*arguments, "--rows", "3-32"]
    with killed_on_its_way(selected, prefect_server, monkeypatch) as simulator:
        assert main(selected) == 0
        assert len(simulator.api.jobs) == 30
        done = [row["status"] == "completed" for row in table(tmp_path)]
        assert done == [False, *[True] * 30, *[False] * 9]
        assert main(arguments) == 0
        assert {row["image_ad_id"] for row in table(tmp_path)} == set(simulator.api.jobs)
        assert len(simulator.api.jobs) == 40


def test_a_command_here_and_one_in_prefect_at_once_create_each_ad_once(
    tmp_path: Path, prefect_server: dict[str, str]
) -> None:
    with SimulatorServer(speed=300, rate_limit=10_000) as simulator:
        arguments = [write_campaign(tmp_path, *["the same"] * 16), str(tmp_path / "out.csv")]
        alone = {**without_settings(), "PREFECT_HOME": str(tmp_path / "no-profiles")}
        places = [prefect_server, alone]
        with creates_held():
            both = [command(arguments, place, simulator, "-c", QUICKLY_DONE) for place in places]
            until(lambda: simulator.api.counts["409"])
        ended = [finished(process) for process in both]
        assert [status for status, _, _ in ended] == [0, 0]
        assert {row["image_ad_id"] for row in table(tmp_path)} == set(simulator.api.jobs)
        assert len(simulator.api.jobs) == 16
        assert simulator.api.counts["replayed"] > 0


@pytest.mark.usefixtures("prefect_server")
def test_an_empty_wallet_leaves_the_rest_for_the_next_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = write_campaign(tmp_path, *map(str, range(130)))
    arguments = [place, str(tmp_path / "out.csv"), "--yes"]
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    with SimulatorServer(speed=300, rate_limit=10_000, wallet_usd=30) as simulator:
        monkeypatch.setenv("SAL_BASE_URL", simulator.url)
        assert main(arguments) == 1
        out = capsys.readouterr().out
        assert out.startswith("30 of 130 rows completed (100 pending), 30.00 USD")
        assert out.count("up at https://") == 1, "the API's own message says where"
        assert "100 rows are left, which will cost up to 100.00 USD" in out

    with SimulatorServer(speed=300, rate_limit=10_000, wallet_usd=100) as simulator:
        monkeypatch.setenv("SAL_BASE_URL", simulator.url)
        assert main([*arguments, "--max-spend-usd", "129.99"]) == 2
        assert "costs up to 130.00 USD" in capsys.readouterr().err
        assert main(arguments) == 0
        assert capsys.readouterr().out.startswith(
            "130 of 130 rows completed, 130.00 USD in all, 100.00 of it in this run"
        )
        assert len(simulator.api.jobs) == 100


@pytest.mark.slow
@pytest.mark.skipif(not can_make_small_disks(), reason="needs Linux with user namespaces")
def test_a_full_disk_stops_the_run_and_what_it_knows_is_told(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """It fills up once the first ids are on it. What is not saved is printed; nothing is lost."""
    place = write_campaign(tmp_path, *map(str, range(330)))
    (tmp_path / "disk").mkdir()
    (tmp_path / "saved").mkdir()
    script = f"""
        cd {tmp_path}/disk && mount -t tmpfs -o size=1M tmpfs . && cd {ROOT}
        (until grep -q ia_ {tmp_path}/disk/out.csv; do sleep 0.05; done
         head -c 2M /dev/zero > {tmp_path}/disk/ballast; touch {tmp_path}/saved/full) 2>/dev/null &
        "$@"
        status=$?
        cp {tmp_path}/disk/out.csv {tmp_path}/saved/
        exit $status
    """
    in_a_hurry = (
        "from prefect_staticadslab.api.retries import tries; tries.LONGEST_BACKOFF_SECONDS = 0.1; "
        "from prefect_staticadslab.campaign.table import checkpoints; "
        "checkpoints.CHECKPOINT_SECONDS = 0.2; "
        "from prefect_staticadslab.cli.commands.campaign import main; raise SystemExit(main())"
    )
    with (
        SimulatorServer(speed=300, rate_limit=10_000, answer_seconds=0.1) as simulator,
        closed_gate(simulator, after=60) as gate,
    ):
        run = ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-c", in_a_hurry]
        key = key_of(simulator)
        run += [place, f"{tmp_path}/disk/out.csv", "--yes"]
        process = start_program(*run, env=environment | key)
        until((tmp_path / "saved" / "full").exists, process)
        gate.set()
        status, out, err = finished(process)
        assert status == 1
        assert "no space left on device" in err
        _, told = out.split("THE TABLE COULD NOT BE SAVED")
        unsaved = {line.split(",")[2] for line in told.splitlines() if ",ia_" in line}
        saved = {row["image_ad_id"] for row in table(tmp_path / "saved")} - {""}
        assert saved
        assert unsaved
        assert saved | unsaved == set(simulator.api.jobs)
        assert len(simulator.api.jobs) < 330
