"""Watching one ad, and creating and watching one: the flows, and the command as people run it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.artifacts import Artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from prefect_staticadslab import ImageAd, Progress, StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.api import waiting
from prefect_staticadslab.cli.commands.watch import main
from prefect_staticadslab.flows.watch import create_and_watch, watch
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import MakeRequest, set_key
from tests.support.processes import ended, line_with, start

HARBOR = {
    "design_template": "ad_format=Sale",
    "brand": "Harbor Roast",
    "product": "Cold Brew Kit",
    "audience": "commuters",
}


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch, simulator)


@pytest.fixture
def slow() -> Iterator[SimulatorServer]:
    with SimulatorServer(speed=1, rate_limit=10_000) as server:
        yield server


def options(**changed: str) -> list[str]:
    """The command's options that name an ad."""
    named = {**HARBOR, **changed}
    pairs = [(f"--{name.replace('_', '-')}", value) for name, value in named.items()]
    return ["--create", *(part for pair in pairs for part in pair)]


async def progress_artifacts(image_ad_id: str) -> list[Any]:
    key = ArtifactFilterKey(any_=[f"image-ad-{image_ad_id.replace('_', '-')}"])
    async with get_client() as client:
        return list(await client.read_artifacts(artifact_filter=ArtifactFilter(key=key)))


# Refused before Prefect is even asked


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give the id of an image ad"),
        (["ia_1", "--create"], "give the id of an image ad"),
        (["--create", "--brand", "A"], "--design-template, --product, --audience"),
        (["ia_1", "--prompt", "Hi"], "go with --create"),
        (["ia_1", "--simulate"], "go with --create"),
        (["ia_1", "--timeout-seconds", "0"], "above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused_with_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        main(arguments)
    assert refused.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["prod_1"], "There is nothing to watch.\n'prod_1' is not the id of an image ad"),
        (options(brand="Harbour"), "Nothing was created.\nColumn brand: There is no brand"),
        (options(product="prod_1"), "of prod_1. It has none; is its id right?"),
        (options(audience="*"), "That is 3 image ads, and this makes one."),
        (options(audience="Commuters | Home baristas"), "That is 2 image ads"),
        (options(prompt="For {nobody}"), "Column prompt: "),
        ([*options(), "--max-spend-usd", "0.5"], "1.00 USD, more than the limit of 0.50 USD"),
        ([*options(), "--editable", "--max-spend-usd", "3"], "4.00 USD, more than"),
    ],
)
def test_what_is_wrong_is_refused_with_2_and_nothing_is_created(
    capsys: pytest.CaptureFixture[str],
    simulator: SimulatorServer,
    arguments: list[str],
    says: str,
) -> None:
    assert main(arguments) == 2
    assert says in capsys.readouterr().err
    assert not simulator.api.jobs


@pytest.mark.parametrize(
    ("key", "says"), [("", "SAL_API_KEY"), ("sal_live_x", "does not accept the key")]
)
def test_a_wrong_key_is_refused_with_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    simulator: SimulatorServer,
    key: str,
    says: str,
) -> None:
    monkeypatch.setenv("SAL_API_KEY", key)
    monkeypatch.setenv("SAL_BASE_URL", simulator.url)
    assert main(options()) == 2
    assert says in capsys.readouterr().err


# The flows


async def test_an_ad_is_watched_to_its_end_and_prefect_shows_its_progress(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    client: StaticAdsLabClient,
    make_request: MakeRequest,
) -> None:
    ad = (await client.create_image_ad(make_request())).image_ad
    state = await watch(ad.id, credentials, return_state=True)
    assert state.is_completed()
    assert f"/pictures/{ad.id}.png" in str(state.message)
    assert "Size:     1080 × 1080 pixels\nCost:     1.00 USD" in str(state.message)
    (artifact,) = await progress_artifacts(ad.id)
    assert float(artifact.data) == 100
    assert artifact.description == f"{ad.id}: Completed"
    # It is finished by now, and can be watched all the same.
    again = await watch(ad.id, credentials, return_state=True)
    assert again.message == state.message


async def test_a_failure_and_the_end_of_patience_are_told_apart(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    client: StaticAdsLabClient,
    make_request: MakeRequest,
    slow: SimulatorServer,
) -> None:
    ad = (await client.create_image_ad(make_request("SIMULATE_FAILURE"))).image_ad
    failed = await watch(ad.id, credentials, return_state=True)
    assert (failed.name, failed.is_failed()) == ("Failed", True)
    assert "PIPELINE_ERROR" in str(failed.message)
    assert "costs nothing" in str(failed.message)
    elsewhere = credentials.model_copy(update={"base_url": slow.url})
    async with elsewhere.get_client() as other:
        ad = (await other.create_image_ad(make_request())).image_ad
    late = await watch(ad.id, elsewhere, timeout_seconds=0.2, return_state=True)
    assert (late.name, late.is_failed()) == ("TimedOut", True)
    assert f"staticadslab watch {ad.id}" in str(late.message)


async def test_what_is_not_there_is_refused(
    prefect_server: dict[str, str], credentials: StaticAdsLabCredentials
) -> None:
    state = await watch("ia_none", credentials, return_state=True)
    assert state.name == "Refused"
    assert "ia_none" in str(state.message)


async def test_prefects_server_may_refuse_the_progress(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    client: StaticAdsLabClient,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def away(self: Artifact, client: object = None) -> None:
        raise ConnectionError("away")

    monkeypatch.setattr(Artifact, "acreate", away)
    ad = (await client.create_image_ad(make_request())).image_ad
    assert (await watch(ad.id, credentials, return_state=True)).is_completed()
    assert caplog.text.count("did not keep the progress") == 1


async def test_names_make_one_ad_and_a_retried_run_goes_on_with_it(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "watch_image_ad", breaking(times=2))
    retried = create_and_watch.with_options(retries=2, retry_delay_seconds=0)
    named = {**HARBOR, "prompt": "{product}"}
    state = await retried(credentials=credentials, **named, return_state=True)
    assert state.is_completed()
    (job,) = simulator.api.jobs.values()
    assert job.body["prompt"] == "Cold Brew Kit"
    assert simulator.api.counts["replayed"] == 2
    await create_and_watch(credentials=credentials, **named, return_state=True)
    assert len(simulator.api.jobs) == 2


async def test_a_retried_run_makes_a_new_ad_if_the_job_failed(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    simulator: SimulatorServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "watch_image_ad", breaking(times=1))
    retried = create_and_watch.with_options(retries=1, retry_delay_seconds=0)
    named = {**HARBOR, "prompt": "SIMULATE_ONE_FAILURE"}
    state = await retried(credentials=credentials, **named, return_state=True)
    assert state.is_completed()
    assert len(simulator.api.jobs) == 2


def breaking(*, times: int) -> Callable[..., Awaitable[ImageAd]]:
    """Watches an ad to its end, and breaks before it can say so, the first times."""
    original, calls = waiting.watch_image_ad, 0

    async def watched(*arguments: Any, **options: Any) -> ImageAd:
        nonlocal calls
        calls += 1
        try:
            return await original(*arguments, **options)
        finally:
            if calls <= times:
                raise RuntimeError("cut")

    return watched


async def test_a_run_that_would_make_several_ads_is_refused(
    prefect_server: dict[str, str], credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    several = {**HARBOR, "audience": "*"}
    state = await create_and_watch(credentials=credentials, **several, return_state=True)
    assert (state.name, len(simulator.api.jobs)) == ("Refused", 0)


# The command


def command(prefect_server: dict[str, str], url: str, *arguments: str) -> subprocess.Popen[str]:
    key = {"SAL_API_KEY": SIMULATOR_API_KEY, "SAL_BASE_URL": url}
    return start("flows/watch.py", *arguments, env=prefect_server | key)


def test_ctrl_c_leaves_the_ad_and_says_how_to_go_on(
    prefect_server: dict[str, str], slow: SimulatorServer
) -> None:
    process = command(prefect_server, slow.url, *options())
    line_with("Waiting", process.stderr)
    process.send_signal(signal.SIGINT)
    status, _, told = ended(process)
    (job,) = slow.api.jobs
    assert status == 130
    assert f"Watch it again: staticadslab watch {job}" in told
    assert "Traceback" not in told


def test_the_price_comes_first_then_the_id_then_the_steps(
    prefect_server: dict[str, str], simulator: SimulatorServer, tmp_path: Path
) -> None:
    # So that the job has steps to tell of.
    simulator.api.settings = replace(simulator.api.settings, speed=30)
    status, told, logged = ended(command(prefect_server, simulator.url, *options(), "--editable"))
    (job,) = simulator.api.jobs
    assert status == 0
    places = [logged.index(s) for s in ("4.00 USD", f"{job} is created", "%  Writing", "100 %")]
    assert places == sorted(places)
    assert told.splitlines()[0] == f"Image ad {job} is completed"
    assert told.splitlines()[-1] == "Cost:     4.00 USD"


@pytest.mark.usefixtures("prefect_server", "environment")
def test_the_command_tells_apart_what_failed_and_what_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(options(prompt="SIMULATE_FAILURE")) == 1
    assert "PIPELINE_ERROR" in capsys.readouterr().out
    assert main(["ia_none"]) == 2
    assert "There is nothing to watch.\n" in capsys.readouterr().err


async def test_the_terminal_shows_a_bar_with_the_step(
    prefect_server: dict[str, str],
    credentials: StaticAdsLabCredentials,
    client: StaticAdsLabClient,
    make_request: MakeRequest,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from prefect_staticadslab.campaign.reports.progress import terminal_progress
    from prefect_staticadslab.orchestration.reporting.live import show_image_ad

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(waiting, "SHORTEST_POLL_SECONDS", 0.1)
    ad = (await client.create_image_ad(make_request())).image_ad
    with terminal_progress():
        await watch(ad.id, credentials, return_state=True)
        told = capsys.readouterr().err
        # On a slow machine the ad may be finished before anybody watches it.
        async with show_image_ad("ia_1") as show:
            show(Progress("render", "Rendering", 0.4))
    assert "100%" in told
    assert "Completed" in told
    step = capsys.readouterr().err
    assert "Rendering" in step
    assert "40%" in step
