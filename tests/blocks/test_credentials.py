"""The credentials block: Prefect's own standards, and a key that never shows."""

from __future__ import annotations

import ast
import contextlib
import os
import threading
import tomllib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cloudpickle
import pydantic
import pytest
from prefect.blocks.core import Block
from prefect.testing.standard_test_suites.blocks import BlockStandardTestSuite

from prefect_staticadslab import StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.api.errors import InvalidAPIKeyError
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.cli.options import load_saved_credentials
from tests.conftest import ROOT
from tests.support.processes import run


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def logo_url() -> Iterator[str]:
    """A logo that is served from this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(ROOT / "docs")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/logo.png"
    server.shutdown()
    thread.join()
    server.server_close()


class TestStaticAdsLabCredentials(BlockStandardTestSuite):
    @pytest.fixture
    def block(self, logo_url: str, monkeypatch: pytest.MonkeyPatch) -> type[Block]:
        # Prefect's own logos are not reached from here.
        monkeypatch.setattr(StaticAdsLabCredentials, "_logo_url", logo_url)
        return StaticAdsLabCredentials


def make(**fields: object) -> StaticAdsLabCredentials:
    return StaticAdsLabCredentials.model_validate(fields)


def test_what_prefect_imports_by_the_entry_point_registers_the_blocks() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (module,) = project["entry-points"]["prefect.collections"].values()
    code = (
        f"import {module}\n"
        "from prefect.blocks.core import Block\n"
        "from prefect.utilities.dispatch import get_registry_for_type\n"
        "print({block.__name__ for block in get_registry_for_type(Block).values()})"
    )
    status, out, err = run("-c", code, env=os.environ, cold=True)
    assert status == 0, err
    assert {"ImageAdJob", "StaticAdsLabCredentials"} <= ast.literal_eval(out)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("Bearer sal_live_SECRET", "Bearer"),
        ("sal_live_SECRET ", "space"),
        ("live_SECRET", "sal_"),
        ("", "empty"),
    ],
)
def test_a_wrong_key_is_refused_with_a_hint_and_never_quoted(key: str, hint: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=hint) as refused:
        make(api_key=key)
    error = refused.value
    assert "SECRET" not in str(error) + repr(error) + repr(error.errors()) + error.json()


def test_a_base_url_that_would_leak_the_key_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="unencrypted") as refused:
        make(api_key="sal_live_SECRET", base_url="http://ads.example.com")
    assert "SECRET" not in repr(refused.value.errors())


def test_the_key_does_not_show() -> None:
    credentials = make(api_key="sal_live_SECRET")
    shown = repr(credentials) + str(credentials) + repr(credentials.get_client())
    shown += repr(credentials.model_dump()) + credentials.model_dump_json()
    assert "SECRET" not in shown


def test_the_environment_gives_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_API_KEY", "sal_live_x\n")
    monkeypatch.delenv("SAL_BASE_URL", raising=False)
    credentials = StaticAdsLabCredentials.from_environment()
    assert credentials.api_key.get_secret_value() == "sal_live_x"
    assert credentials.base_url == "https://api.staticadslab.com"
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:8321/")
    assert StaticAdsLabCredentials.from_environment().base_url == "http://127.0.0.1:8321"
    monkeypatch.delenv("SAL_API_KEY")
    with pytest.raises(InvalidAPIKeyError, match="SAL_API_KEY"):
        StaticAdsLabCredentials.from_environment()


async def test_the_client_goes_where_the_block_says(credentials: StaticAdsLabCredentials) -> None:
    client = credentials.get_client()
    assert isinstance(client, StaticAdsLabClient)
    async with client:
        assert (await client.get_account()).organization_name == "Simulated Shops"


def test_the_block_travels_to_other_processes() -> None:
    credentials = make(api_key="sal_live_x")
    assert cloudpickle.loads(cloudpickle.dumps(credentials)) == credentials


def test_a_key_that_is_given_for_a_blocks_name_is_not_told() -> None:
    with pytest.raises(CampaignError, match="is an API key") as caught:
        load_saved_credentials("sal_live_secret", contextlib.ExitStack())
    assert "secret" not in str(caught.value)
