"""The pages name what there is: links lead somewhere, options and make targets are all there."""

from __future__ import annotations

import argparse
import importlib
import re

import pytest
from prefect.flows import load_flow_from_entrypoint
from ruamel.yaml import YAML

from prefect_staticadslab.campaign.files.date_patterns import PLACEHOLDERS
from prefect_staticadslab.contract.__main__ import _parser as contract_parser
from prefect_staticadslab.orchestration.reporting import events
from prefect_staticadslab.simulator.__main__ import main as simulate
from tests.conftest import ROOT
from tests.project.pages import PAGE_AT, PAGES, Page

PAGE_OF = {"design_templates": "templates", "catalog": "catalogue", "download": "pictures"}
"""The page of a flow that is called otherwise."""

FLOWS = sorted(file.stem for file in (ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py"))


def options(text: str) -> set[str]:
    """The options that a text names."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))


def options_of_table(page: Page) -> set[str]:
    """The options that have a line in a page's tables."""
    return options("\n".join(re.findall(r"^\| (`--.*?`) \|", page.text, re.MULTILINE)))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_within_the_project_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = (page.path.parent / target).resolve() if target else page.path
        assert file.exists(), link
        if anchor:
            assert anchor in PAGE_AT[file].anchors, link


def test_every_page_is_linked_from_another_one() -> None:
    linked = {
        (page.path.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in page.links
    }
    assert [page.name for page in PAGES[1:] if page.path.resolve() not in linked] == []


@pytest.mark.parametrize("flow", FLOWS)
def test_a_page_names_every_option_of_its_command_and_no_other(flow: str) -> None:
    parser = importlib.import_module(f"prefect_staticadslab.cli.commands.{flow}")._parser()
    assert isinstance(parser, argparse.ArgumentParser)
    page = Page(f"docs/{PAGE_OF.get(flow, flow)}.md")
    assert options_of_table(page) == options(parser.format_help()) - {"--help"}


def test_the_simulators_page_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate(["--help"])
    named = options_of_table(Page("docs/simulator.md"))
    assert named == options(capsys.readouterr().out) - {"--help"}


def test_the_contracts_page_names_every_option() -> None:
    named = options_of_table(Page("docs/contract.md"))
    assert named == options(contract_parser().format_help()) - {"--help"}


def test_the_benchmarks_table_is_in_its_page() -> None:
    assert Page("docs/benchmark.md").text in Page("docs/performance.md").text


def test_the_page_of_deployments_has_all_of_them() -> None:
    written = YAML(typ="safe").load(ROOT / "prefect.yaml")
    flows = {
        entry["name"]: load_flow_from_entrypoint(str(ROOT / entry["entrypoint"])).name
        for entry in written["deployments"]
    }
    named = re.findall(r"^\| `([\w-]+/[\w-]+)` \|", Page("docs/deploy.md").text, re.MULTILINE)
    assert set(named) == {f"{flow}/{name}" for name, flow in flows.items()}


def test_the_page_of_automations_has_all_events_of_a_campaign() -> None:
    lines = re.findall(r"^\| `staticadslab.* \|$", events.__doc__ or "", re.MULTILINE)
    assert len(lines) >= 6
    assert [line for line in lines if line not in Page("docs/deploy.md").text] == []


def test_the_page_of_campaigns_has_every_placeholder_for_the_date() -> None:
    page = Page("docs/campaign.md")
    assert [name for name in PLACEHOLDERS if f"`{{{name}}}`" not in page.text] == []


def test_every_make_target_that_is_named_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    code = "\n".join(
        "\n".join([*re.findall(r"`([^`\n]+)`", page.text), *(f.code for f in page.fences)])
        for page in PAGES
    )
    named = set(re.findall(r"\bmake ([a-z-]+)", code))
    assert {"demo", "test"} <= named <= targets
