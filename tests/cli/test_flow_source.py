"""What is read from a flow's source is what Prefect makes of the flow."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from prefect import Flow

from prefect_staticadslab.cli.flow_source import PACKAGE, Parameter, read_flow
from tests.conftest import ROOT

JSON_TYPES: Final = {str: "string", int: "integer", float: "number", bool: "boolean"}


def flows() -> dict[str, Flow[..., Any]]:
    """Every flow of the package, by its module and its function."""
    return {
        f"{file.stem}.{name}": value
        for file in sorted((ROOT / "prefect_staticadslab" / "flows").glob("[a-z]*.py"))
        for name, value in vars(importlib.import_module(f"{PACKAGE}.{file.stem}")).items()
        if isinstance(value, Flow)
    }


FLOWS: Final = flows()


def test_there_are_flows() -> None:
    assert len(FLOWS) >= 10


@pytest.mark.parametrize("name", FLOWS)
def test_a_flows_source_says_what_prefect_makes_of_it(name: str) -> None:
    made, read = FLOWS[name], read_flow(*name.split("."))
    assert read.description == made.description
    assert list(read.parameters) == list(made.parameters.properties)
    for parameter in read.parameters.values():
        schema = made.parameters.properties[parameter.name]
        shown = JSON_TYPES[parameter.type] if parameter.type else None
        assert shown == (schema.get("type") if schema.get("type") != "array" else None)
        assert parameter.is_required == (parameter.name in made.parameters.required)
        assert parameter.default == schema.get("default")
        assert parameter.description == " ".join(schema["description"].split())


MODULE = '''
from somewhere import flow
from sources.amounts import LIMIT, WORD as SAID
from sources import amounts

HERE: int = 3

@flow(name="sample", description=SAID)
async def sample(
    output: str, note: Note, here: int = HERE, limit: float = LIMIT, far: float = amounts.FAR,
    off: bool = False, some: list[str] = [],
) -> None:
    """Makes a sample.

    It is small.

    Args:
        output: A table: a .csv
            or a URL.
        note: What
        limit: What it may cost,
            at most.

    Returns:
        limit: nothing.
    """

@flow(description="Odd.")
def odd(computed: float = 2 * HERE) -> None: ...

@flow(description="Odd, too.")
def unknown(nowhere: float = NOWHERE) -> None: ...
'''

AMOUNTS = """
LIMIT = 7.5
NEAR: float = 2.0
FAR: float = NEAR
WORD = 'Makes a sample.'
raise SystemExit
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with two modules that cannot be imported."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "flows.py").write_text(MODULE)
    (folder / "amounts.py").write_text(AMOUNTS)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "sources"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("sources")
def test_a_default_is_found_where_it_is_said_and_nothing_is_imported() -> None:
    read = read_flow("flows", "sample", package="sources")
    assert read.description == "Makes a sample."
    assert list(read.parameters.values()) == [
        Parameter("output", str, None, True, "A table: a .csv or a URL."),
        Parameter("note", None, None, True, "What"),
        Parameter("here", int, 3, False, ""),
        Parameter("limit", float, 7.5, False, "What it may cost, at most."),
        Parameter("far", float, 2.0, False, ""),
        Parameter("off", bool, False, False, ""),
        Parameter("some", None, [], False, ""),
    ]
    assert "sources.flows" not in sys.modules


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize("function", ["odd", "unknown"])
def test_a_default_that_nobody_can_know_is_refused(function: str) -> None:
    with pytest.raises(ValueError, match=r"NOWHERE|malformed"):
        read_flow("flows", function, package="sources")
