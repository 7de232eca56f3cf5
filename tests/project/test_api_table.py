"""The table of the API's calls is complete, and what it names exists."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from prefect_staticadslab import StaticAdsLabClient, tasks
from prefect_staticadslab.simulator.http.routes import api_routes
from prefect_staticadslab.simulator.model.simulated_api import SimulatedAPI
from tests.conftest import ROOT


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    method: str
    path: str
    client_methods: list[str]
    tasks: list[str]
    flows: list[str]


def table() -> list[Line]:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    lines = []
    for row in re.findall(r"^\| (`[A-Z]+ /v1.*) \|$", text, re.MULTILINE):
        call, client, task, flow = (re.findall(r"`([^`]+)`", cell) for cell in row.split("|"))
        method, path = call[0].split(" ")
        lines.append(Line(method, path.partition("?")[0], client, task, flow))
    return lines


def routes() -> set[tuple[str, str]]:
    """What the simulator answers to."""
    return {
        (method, route.path)
        for route in api_routes(SimulatedAPI())
        for method in (route.methods or set()) - {"HEAD"}
    }


def test_the_table_has_every_call_of_the_api_and_no_other() -> None:
    assert {(line.method, line.path) for line in table()} == routes()


@pytest.mark.parametrize("line", table(), ids=lambda line: f"{line.method} {line.path}")
def test_what_a_line_names_exists(line: Line) -> None:
    assert line.client_methods
    for name in line.client_methods:
        assert callable(getattr(StaticAdsLabClient, name))
    assert set(line.tasks) <= set(tasks.__all__)
    for flow in line.flows:
        assert (ROOT / "prefect_staticadslab" / "flows" / f"{flow}.py").is_file()


def test_every_task_is_in_the_table() -> None:
    assert {name for line in table() for name in line.tasks} == set(tasks.__all__)
