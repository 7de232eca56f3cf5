"""Deployments as code, against a real Prefect server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.campaign.files.spreadsheet import read_spreadsheet
from prefect_staticadslab.cli.commands.blocks import main as save_command
from prefect_staticadslab.cli.commands.serve import deployments
from prefect_staticadslab.cli.deployments import deployments_file
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import ROOT, set_key, write_campaign
from tests.support.processes import PATIENCE_SECONDS, run, running

BLOCK = "static-ads-lab-credentials/static-ads-lab"
OTHER_BLOCK = "static-ads-lab-credentials/other"

Environment = dict[str, str]
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def environment(
    prefect_server: Environment, simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> Environment:
    set_key(monkeypatch, simulator)
    return prefect_server


def prefect(environment: Environment, *arguments: str, folder: Path = ROOT) -> str:
    """Prefect's command line, in a process that knows nothing of the key."""
    here = {**environment, "PWD": str(folder)}
    status, out, err = run("-m", "prefect", *arguments, env=here, cwd=folder)
    assert status == 0, out + err
    return out + err


def save_block(capsys: Capture, *arguments: str) -> tuple[int, str]:
    """Runs the command. Returns its status and all that it told."""
    status = save_command(list(arguments))
    told = capsys.readouterr()
    assert SIMULATOR_API_KEY not in told.out + told.err
    return status, told.out + told.err


def test_the_block_type_can_be_registered(environment: Environment) -> None:
    told = prefect(environment, "block", "register", "-m", "prefect_staticadslab")
    assert "Static Ads Lab Credentials" in told


def test_the_projects_file_and_the_packages_say_the_same() -> None:
    """Here by the files in `flows/`, which a worker finds in a clone; there by modules."""
    written = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    by_module = re.sub(
        r"entrypoint: flows/(\w+)\.py:(\w+)",
        r"entrypoint: prefect_staticadslab.flows.\1.\2",
        written,
    )
    assert by_module == deployments_file()
    assert "flows/" not in by_module


def forget_deployments() -> None:
    """Removes what an earlier test has served: its runs would name a block that may be deleted."""
    # Prefect's client asks again if the server is busy with what that has left.
    with get_client(sync_client=True) as client:
        for deployed in client.read_deployments():
            client.delete_deployment(deployed.id)


@pytest.fixture
def served(environment: Environment, tmp_path: Path, capsys: Capture) -> Iterator[None]:
    """`deployments/serve.py`, running; it gets the key from the saved block only."""
    assert save_block(capsys, "--overwrite")[0] == 0
    forget_deployments()
    with running("deployments/serve.py", env=environment, log=tmp_path / "serve.log"):
        yield


def triggered(timeout: float = PATIENCE_SECONDS, **parameters: object) -> FlowRun:
    """A run of the deployment, started as the UI does it and waited for."""
    for _ in range(2 * PATIENCE_SECONDS):
        try:
            run = run_deployment(
                "campaign/campaign", parameters=parameters, timeout=timeout, poll_interval=1
            )
        except ObjectNotFound:
            time.sleep(0.5)  # it is not served yet
        else:
            assert isinstance(run, FlowRun)
            return run
    raise AssertionError("the deployment was never served")


@pytest.mark.slow
@pytest.mark.usefixtures("served")
def test_a_served_campaign_runs_with_the_saved_block(tmp_path: Path) -> None:
    output = str(tmp_path / "out.csv")
    run = triggered(spreadsheet=str(ROOT / "examples" / "shop_export.csv"), output=output)
    assert run.state is not None
    assert run.state.is_completed(), run.state
    assert "5 of 5 rows completed" in (run.state.message or "")
    assert set(read_spreadsheet(output).frame["status"]) == {"completed"}


@pytest.mark.slow
@pytest.mark.usefixtures("served")
async def test_a_run_that_is_cancelled_in_the_ui_ends_cancelled_with_everything_recorded(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    api = simulator.api
    output = str(tmp_path / "out.csv")
    # Far more than can be created until the runner hears of it: sixteen each five seconds.
    spreadsheet = write_campaign(tmp_path, *map(str, range(600)))
    api.settings = replace(api.settings, answer_seconds=1)
    parameters = {"spreadsheet": spreadsheet, "output": output, "max_spend_usd": 600}
    async with get_client() as client:
        run = await asyncio.to_thread(triggered, timeout=0, **parameters)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(api.jobs) < 10:
                await asyncio.sleep(0.1)
                state = (await client.read_flow_run(run.id)).state
                assert not state or not state.is_final(), state
            api.settings = replace(api.settings, answer_seconds=5)
            await client.set_flow_run_state(run.id, Cancelling())
            while not (state := (await client.read_flow_run(run.id)).state) or not state.is_final():
                await asyncio.sleep(0.2)
    assert state.is_cancelled(), state
    rows = read_spreadsheet(output).frame.to_dict("records")
    recorded = {row["image_ad_id"] for row in rows} - {""}
    assert recorded <= set(api.jobs)
    # What was not answered within the grace is marked with the key that finds it again.
    marked = {row["idempotency_key"] for row in rows if row["status"] == "submitting"}
    assert {api.jobs[i].idempotency_key for i in set(api.jobs) - recorded} <= marked
    assert len(api.jobs) < 600


def reference(block: str) -> dict[str, dict[str, str]]:
    """What stands for a block in a deployment's parameters; with its id, if it is saved."""
    ids = {}
    with contextlib.suppress(ValueError):
        ids["block_document_id"] = str(
            StaticAdsLabCredentials.load_saved(block.split("/")[1])._block_document_id
        )
    return {"$ref": {"block_document_slug": block, **ids}}


async def test_every_flow_is_deployed_to_the_work_pool_with_the_saved_block(
    environment: Environment, capsys: Capture, tmp_path: Path
) -> None:
    """Typed in the project's folder, where Prefect looks for the file that says what there is."""
    for folder in ("flows", "prefect_staticadslab"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "prefect.yaml", tmp_path)
    assert (await asyncio.to_thread(save_block, capsys, "--overwrite"))[0] == 0
    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name="ads", type="process"), overwrite=True)
        told = prefect(environment, "deploy", "--all", "--no-prompt", folder=tmp_path)
        assert "There is no block" not in told
        deployed = {d.name: d for d in await client.read_deployments()}
    assert set(deployed) == {made.name for made in await asyncio.to_thread(deployments)}
    for deployment in deployed.values():
        assert deployment.work_pool_name == "ads"
        assert deployment.pull_steps == [
            {"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}
        ]
        assert "static-ads-lab" in deployment.tags
        assert deployment.enforce_parameter_schema
        assert not any(schedule.active for schedule in deployment.schedules)
        schema = deployment.parameter_openapi_schema or {}
        if "credentials" in schema["properties"]:
            assert deployment.parameters["credentials"] == await asyncio.to_thread(reference, BLOCK)
    flows = {file.stem for file in (ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py")}
    assert flows == {Path((d.entrypoint or "").split(":")[0]).stem for d in deployed.values()}


def test_who_deploys_before_saving_the_block_is_told_so(
    environment: Environment, tmp_path: Path
) -> None:
    prefect(environment, "work-pool", "create", "ads", "--type", "process", "--overwrite")
    written = (ROOT / "prefect.yaml").read_text()
    (tmp_path / "prefect.yaml").write_text(written.replace(BLOCK, OTHER_BLOCK))
    told = prefect(
        environment,
        *("--no-prompt", "deploy", "--name", "campaign", "--name", "daily"),
        *("--prefect-file", str(tmp_path / "prefect.yaml")),
    )
    assert told.count(f"There is no block {OTHER_BLOCK} yet") == 1
    assert "staticadslab blocks --name other" in told


@pytest.mark.usefixtures("environment")
def test_what_is_served_is_what_the_file_says() -> None:
    made = {deployment.name: deployment for deployment in deployments("mine")}
    daily = made["daily"]
    assert daily.parameters["credentials"] == reference("static-ads-lab-credentials/mine")
    assert [schedule.active for schedule in daily.schedules or []] == [False]
    assert daily.concurrency_limit == 1
    assert daily.concurrency_options is not None
    assert daily.concurrency_options.collision_strategy == "ENQUEUE"
    [trigger] = made["download-images"].triggers
    assert isinstance(trigger, DeploymentEventTrigger)
    assert not trigger.enabled
    assert all(deployment.enforce_parameter_schema for deployment in made.values())


async def test_the_automations_are_accepted(environment: Environment) -> None:
    prefect(environment, "automation", "create", "--from-file", "deployments/automations.yaml")
    async with get_client() as client:
        [made] = await client.read_automations_by_name(
            "Pause a scheduled campaign that fails three times"
        )
    assert [action.type for action in made.actions] == ["pause-deployment"]
