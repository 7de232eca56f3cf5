"""The flows for design templates and revisions, with their commands, on a real Prefect server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from prefect.client.schemas.objects import State

from prefect_staticadslab import StaticAdsLabCredentials
from prefect_staticadslab.cli.commands import design_templates as templates_command
from prefect_staticadslab.cli.commands import revise as revise_command
from prefect_staticadslab.flows.campaign import campaign
from prefect_staticadslab.flows.design_templates import design_templates
from prefect_staticadslab.flows.revise import revise
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import ROOT, set_key, simulated_ids

REFERENCES = str(ROOT / "examples" / "references")
REVISIONS = str(ROOT / "examples" / "revisions.csv")


@pytest.fixture
def simulator() -> Iterator[SimulatorServer]:
    """One that has earlier ads to revise."""
    with SimulatorServer(speed=60, rate_limit=10_000, earlier_ads=True) as server:
        yield server


@pytest.fixture
def environment(simulator: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_key(monkeypatch, simulator)


def table(place: Path) -> pd.DataFrame:
    return pd.read_csv(place, dtype=str, keep_default_na=False)


async def make(source: str, output: Path, credentials: Any, **options: Any) -> State[None]:
    state: Any = await design_templates(
        source, str(output), credentials, return_state=True, **options
    )
    return cast(State[None], state)


async def change(source: str, output: Path, credentials: Any, **options: Any) -> State[None]:
    state: Any = await revise(source, str(output), credentials, return_state=True, **options)
    return cast(State[None], state)


@pytest.mark.usefixtures("prefect_server")
async def test_reference_ads_become_templates_that_a_campaign_uses(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    output = tmp_path / "templates.csv"
    folder = str(tmp_path / "previews")
    state = await make(REFERENCES, output, credentials, download_images=folder)
    assert state.is_completed(), state.message
    assert "4 of 4 rows completed, 1.00 USD" in (state.message or "")
    made = table(output)
    assert set(made["status"]) == {"completed"}
    assert set(made["design_template_id"]) == set(simulator.api.templates)
    assert all(Path(path).is_file() for path in made["image_path"])
    page = (tmp_path / "templates.html").read_text()
    assert page.count(">Reference<") == page.count(">Preview<") == 4
    assert "examples/references/summer-sale.jpg" in page
    # Again, and nothing is made anew.
    assert (await make(REFERENCES, output, credentials)).is_completed()
    assert len(simulator.api.templates) == 4

    rows = made[["reference", "design_template_id", "status"]].copy()
    for name, value in simulated_ids().items():
        if name != "design_template_id":
            rows[name] = value
    rows.to_csv(tmp_path / "campaign.csv", index=False)
    spreadsheet, results = str(tmp_path / "campaign.csv"), str(tmp_path / "results.csv")
    run: Any = await campaign(spreadsheet, results, credentials, return_state=True)
    assert run.is_completed(), run.message
    assert list(table(tmp_path / "results.csv")["design_template_id"]) == list(
        made["design_template_id"]
    )


@pytest.mark.usefixtures("prefect_server")
async def test_ads_are_revised_one_change_after_the_other(
    tmp_path: Path, credentials: StaticAdsLabCredentials, simulator: SimulatorServer
) -> None:
    output = tmp_path / "revised.xlsx"
    state = await change(REVISIONS, output, credentials, dry_run=True)
    assert "all 4 changes fit their ads" in (state.message or "")
    assert "as new editable ads they would be 16.00 USD" in (state.message or "")
    assert (simulator.api.counts["re-renders"], output.exists()) == (0, False)
    state = await change(REVISIONS, output, credentials)
    assert state.is_completed(), state.message
    assert (state.message or "").startswith("4 of 4 rows completed, ")
    assert "USD" not in (state.message or "")
    assert simulator.api.counts["re-renders"] == 4
    revised = pd.read_excel(output, dtype=str, engine="openpyxl")
    first, _, _, second = revised.to_dict("records")
    assert first["image_ad_id"] == second["image_ad_id"]
    assert first["image_url"] == second["previous_image_url"]
    assert revised["image_ad_version_id"].is_unique
    page = (tmp_path / "revised.html").read_text()
    assert page.count(">Before<") == page.count(">After<") == 4
    assert (await change(REVISIONS, output, credentials)).is_completed()
    assert simulator.api.counts["re-renders"] == 4


@pytest.mark.usefixtures("prefect_server")
async def test_a_key_without_the_scope_makes_and_changes_nothing(
    tmp_path: Path, simulator: SimulatorServer
) -> None:
    weak = StaticAdsLabCredentials.model_validate(
        {"api_key": READ_ONLY_API_KEY, "base_url": simulator.url}
    )
    for run, source, scope in (
        (make, REFERENCES, "design_templates:write"),
        (change, REVISIONS, "image_ads:write"),
    ):
        state = await run(source, tmp_path / "out.csv", weak)
        assert state.name == "Refused"
        assert f"lacks the scope {scope}" in (state.message or "")
    assert not (tmp_path / "out.csv").exists()
    assert not simulator.api.templates


@pytest.mark.usefixtures("environment")
def test_a_dry_run_tells_what_templates_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [REFERENCES, str(tmp_path / "out.csv"), "--dry-run"]
    assert templates_command.main(arguments) == 0
    assert "4 × 0.25 USD = 1.00 USD" in capsys.readouterr().out
    assert templates_command.main([*arguments, "--max-spend-usd", "0.99"]) == 2
    assert "This costs up to 1.00 USD, and the limit is 0.99" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("environment")
def test_mistakes_are_told_before_prefect_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.png").write_text("Not a picture")
    output = str(tmp_path / "out.csv")
    assert templates_command.main([str(tmp_path), output]) == 2
    assert capsys.readouterr().err == (
        f"Nothing was created.\n{tmp_path}/notes.png is no PNG, JPEG, WebP or GIF.\n"
    )
    (tmp_path / "changes.csv").write_text("image_ad_id,json_patch\nia_1,\nprod_2,[]\n")
    assert revise_command.main([str(tmp_path / "changes.csv"), output]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Nothing was changed.",
        "Row 2: has no change. Fill one of current_json_tree, json_patch, node_overrides.",
        "Row 3, column image_ad_id: 'prod_2' is not the id of an image ad; that starts with ia_.",
    ]
