"""What somebody without a terminal sees and does: Prefect's UI in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from scripts.screenshots import OLD_UI, UI, Browser, browser
from tests.conftest import write_campaign
from tests.flows.ui.home import CREDENTIALS, KIT, Home

pytestmark = [pytest.mark.ui, pytest.mark.usefixtures("served")]


@pytest.fixture(scope="module")
def ui(home: Home) -> Iterator[Browser]:
    with browser(home.url) as opened:
        yield opened


def test_the_servers_root_leads_to_the_ui_that_is_tested_here(ui: Browser) -> None:
    ui.open("/", "Deployments")
    assert f"{UI}/" in ui.page.url


@pytest.mark.parametrize("which", [UI, OLD_UI], ids=["new", "old"])
def test_the_form_says_what_is_wanted_and_knows_the_credentials(
    home: Home, ui: Browser, which: str
) -> None:
    ui.open_form(home.deployment("campaign")["id"], ui=which)
    ui.sees(
        "The campaign: a .csv",
        "max_spend_usd (Optional)",
        "Create nothing if the whole campaign",
        CREDENTIALS,  # the saved block, in the drop-down
    )


def test_a_form_that_is_filled_starts_a_campaign(home: Home, ui: Browser, tmp_path: Path) -> None:
    ui.open_form(home.deployment("campaign")["id"])
    output = tmp_path / "out.csv"
    ui.fill(spreadsheet=write_campaign(tmp_path, "a", "b"), output=str(output))
    run = ui.submit()
    assert home.ended(run)["state_name"] == "Completed"
    assert output.exists()

    ui.open(f"{UI}/runs/flow-run/{run}?tab=Artifacts", "Completed", "-summary", "-pictures")
    ui.open(f"{UI}/artifacts", "-summary")
    artifacts = home.artifacts(run)
    ui.open(f"{UI}/artifacts/artifact/{artifacts['summary']['id']}", "Rows", "Cost", "2.00 USD")
    for which in (UI, OLD_UI):
        ui.open(f"{which}/artifacts/artifact/{artifacts['pictures']['id']}", "Row 2", "Row 3")
        assert len(ui.pictures()) == 2


def test_a_form_that_is_wrong_says_so_at_the_field_and_starts_nothing(
    home: Home, ui: Browser
) -> None:
    ui.open_form(home.deployment("campaign")["id"])
    ui.fill(spreadsheet="in.csv")
    ui.click("Submit")
    ui.sees("'output' is a required property")


def test_ads_are_typed_into_the_form_with_a_brand_kit(home: Home, ui: Browser) -> None:
    ui.open_form(home.deployment("create-ads")["id"])
    prompts = ("Iced, at dawn", "Hot, at dusk")
    ui.sees("Whose ads these are", "No items in this list")
    ui.choose(KIT)
    for number, prompt in enumerate(prompts):
        ui.click("Add item")
        ui.page.get_by_label("Prompt (Optional)", exact=True).nth(number).fill(prompt)
    ui.choose("Editable, 4.00 USD", instead_of="As in the brand kit")
    run = ui.submit()
    ended = home.ended(run)
    assert ended["state_name"] == "Completed", ended["state"]
    bodies = [job.body for job in home.simulator.api.jobs.values()]
    made = {b.get("prompt"): b.get("editable") for b in bodies if b.get("prompt") in prompts}
    assert made == {prompts[0]: True, prompts[1]: False}
    ui.open(f"{UI}/artifacts/artifact/{home.artifacts(run)['pictures']['id']}")
    assert len(ui.pictures()) == 2


def test_the_blocks_are_in_the_catalogue_with_their_logo(ui: Browser) -> None:
    ui.open(f"{UI}/blocks/catalog", "Details")
    ui.page.get_by_placeholder("Search blocks").fill("static ads")
    ui.sees("Static Ads Lab Credentials", "Static Ads Lab Image Ad Job")
    logos = ui.pictures()
    assert len(logos) == 2
    assert all("/PrefectHQ/prefect/" in logo for logo in logos)
