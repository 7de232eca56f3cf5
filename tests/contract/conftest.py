"""The command, and simulators that have something of each kind."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import simulated_ids
from tests.contract.command import Contract

PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Contract:
    """The command."""
    return Contract(tmp_path, monkeypatch, capsys)


def fill(server: SimulatorServer) -> None:
    """Adds what a simulator lacks at first: an image, and an ad that is rendered."""
    key = {"X-API-Key": SIMULATOR_API_KEY}
    with httpx.Client(base_url=server.url, headers=key) as http:
        image = http.post(
            "/v1/images", files={"file": ("pixel.png", PIXEL)}, data={"image_type": "other"}
        )
        assert image.status_code == 201, image.text
        ad = http.post("/v1/image-ads", json=simulated_ids(), headers={"Idempotency-Key": "filled"})
        assert ad.status_code == 202, ad.text
