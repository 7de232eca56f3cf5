"""Deployments on a real Prefect server, asked as its UI asks: over HTTP, and through schedules."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from tests.conftest import ROOT, write_campaign
from tests.flows.ui.conftest import BUCKET, Serving
from tests.flows.ui.home import Answer, Home, eventually
from tests.support.gate import closed_gate

pytestmark = pytest.mark.ui

TABLE_COMPLETE = {"completed"}


def statuses(table: str) -> set[str]:
    return set(read_spreadsheet(table).frame["status"])


def runs_of(home: Home, deployment: str) -> list[Answer]:
    """The runs of a deployment whose start is not in the future."""
    asked = {"deployments": {"name": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_DESC"}
    found: list[Answer] = home.call("POST", "/flow_runs/filter", asked)
    return [run for run in found if run["start_time"]]


def test_a_worker_runs_what_was_deployed(home: Home, tmp_path: Path) -> None:
    home.command("work-pool", "create", "ads", "--type", "process")
    # Under a name of its own, as others are served here.
    written = (ROOT / "prefect.yaml").read_text()
    file = tmp_path / "prefect.yaml"
    file.write_text(written.replace("name: campaign\n", "name: on-a-pool\n"))
    home.command("--no-prompt", "deploy", "--name", "on-a-pool", "--prefect-file", str(file))
    output = str(tmp_path / "out.csv")
    with home.process("-m", "prefect", "worker", "start", "--pool", "ads"):
        run = home.start("on-a-pool", spreadsheet=write_campaign(tmp_path, "a"), output=output)
        assert home.ended(run)["state_name"] == "Completed"
    assert statuses(output) == TABLE_COMPLETE


@pytest.mark.usefixtures("served")
def test_a_run_leaves_its_table_its_artifacts_and_its_events(home: Home, tmp_path: Path) -> None:
    output = str(tmp_path / "out.csv")
    run_id = home.start("campaign", spreadsheet=write_campaign(tmp_path, "a", "b"), output=output)
    run = home.ended(run_id)
    assert run["state_name"] == "Completed"
    assert "2 of 2 rows completed" in run["state"]["message"]
    assert statuses(output) == TABLE_COMPLETE

    artifacts = home.artifacts(run_id)
    assert "| Rows | 2 |" in artifacts["summary"]["data"]
    assert artifacts["pictures"]["data"].count("<img") == 2
    assert artifacts["table"]["type"] == "table"

    def completed() -> Answer | None:
        asked = {"filter": {"event": {"name": ["staticadslab.campaign.completed"]}}}
        events = home.call("POST", "/events/filter", asked)["events"]
        return next((e for e in events if e["payload"]["table"] == output), None)

    event = eventually(completed, "the event")
    related = {r["prefect.resource.id"] for r in event["related"]}
    assert f"prefect.flow-run.{run_id}" in related


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"output": "out.csv"}, "'spreadsheet' is a required property"),
        (
            {"spreadsheet": "in.csv", "output": "out.csv", "max_spend_usd": "much"},
            "'much' is not of type 'number'",
        ),
    ],
)
def test_the_server_refuses_wrong_parameters_before_anything_starts(
    home: Home, parameters: dict[str, Any], says: str
) -> None:
    path = f"/deployments/{home.deployment('campaign')['id']}/create_flow_run"
    answer = home.api.post(path, json={"parameters": parameters})
    assert answer.status_code == 409
    assert says in answer.json()["detail"]


@pytest.mark.usefixtures("served")
def test_a_scheduled_campaign_starts_by_itself(home: Home, tmp_path: Path) -> None:
    output = str(tmp_path / "scheduled.csv")
    deployment = home.deployment("daily")
    [written] = deployment["schedules"]
    assert not written["active"]
    schedule = f"/deployments/{deployment['id']}/schedules/{written['id']}"
    parameters = {"spreadsheet": write_campaign(tmp_path, "a"), "output": output}
    soon = {"interval": 10, "anchor_date": datetime.now(UTC).isoformat()}
    home.call("PATCH", schedule, {"active": True, "schedule": soon, "parameters": parameters})

    def started() -> Answer | None:
        return next(iter(runs_of(home, "daily")), None)

    first = eventually(started, "the scheduled run")["id"]
    home.call("PATCH", schedule, {"active": False})
    run = home.ended(first)
    # On a busy machine the next one has begun by now; no later test is to meet it.
    for later in runs_of(home, "daily"):
        home.ended(later["id"])
    assert run["auto_scheduled"]
    assert run["state_name"] == "Completed"
    assert statuses(output) == TABLE_COMPLETE


@pytest.mark.usefixtures("served")
def test_a_campaign_that_completes_starts_the_download_of_its_pictures(
    home: Home, tmp_path: Path
) -> None:
    deployment = home.deployment("download-images")
    asked = {"automations": {"name": {"any_": ["pictures-of-completed-campaigns"]}}}
    [automation] = home.call("POST", "/automations/filter", asked)
    assert not automation["enabled"]
    [action] = automation["actions"]
    assert action["deployment_id"] == deployment["id"]
    # As `enabled: true` in the file; but the pictures go where this test may write.
    action["parameters"]["folder"] = str(tmp_path / "pictures")
    wanted = {key: automation[key] for key in ("name", "trigger")}
    changed = {**wanted, "enabled": True, "actions": [action]}
    home.call("PUT", f"/automations/{automation['id']}", changed)

    output = str(tmp_path / "out.csv")
    home.start("campaign", spreadsheet=write_campaign(tmp_path, "a", "b"), output=output)

    def started() -> Answer | None:
        runs = runs_of(home, "download-images")
        return next((run for run in runs if run["parameters"]["table"] == output), None)

    run = home.ended(eventually(started, "the download")["id"])
    home.call("PATCH", f"/automations/{automation['id']}", {"enabled": False})
    assert run["state_name"] == "Completed"
    pictures = " ".join(path.name for path in (tmp_path / "pictures").glob("*.png"))
    ids = list(read_spreadsheet(output).frame["image_ad_id"])
    assert len(ids) == 2
    assert all(each in pictures for each in ids), pictures


def test_a_run_that_lost_its_machine_goes_on_on_another_one(
    home: Home, served: Serving, tmp_path: Path
) -> None:
    """The table is in an object store; each ad is created once, and nothing is paid twice."""
    api = home.simulator.api
    before = set(api.jobs)
    rows = [f"ad {number}" for number in range(150)]
    spreadsheet = write_campaign(tmp_path, *rows)
    output = f"s3://{BUCKET}/out.csv"
    with closed_gate(home.simulator, after=len(before) + 10):
        run_id = home.start("campaign", spreadsheet=spreadsheet, output=output, max_spend_usd=150)
        eventually(lambda: {} if len(api.jobs) - len(before) >= 10 else None, "ten ads")
        served.restart_after_a_power_cut()
    created = len(api.jobs) - len(before)
    assert created < len(rows)
    assert home.run(run_id)["state_type"] == "RUNNING"  # nobody told the server

    again = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
    home.call("POST", f"/flow_runs/{run_id}/set_state", again)
    run = home.ended(run_id)
    assert run["state_name"] == "Completed", run["state"]
    assert run["run_count"] == 2
    table = read_spreadsheet(output).frame
    assert set(table["status"]) == TABLE_COMPLETE
    assert set(table["image_ad_id"]) == set(api.jobs) - before
    assert len(set(table["image_ad_id"])) == len(rows)
