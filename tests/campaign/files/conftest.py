"""S3 servers for the tests of files: one that can go away, and one of conditional writes."""

from __future__ import annotations

from collections.abc import Iterator

import fsspec
import pytest

from prefect_staticadslab.campaign.files import conditional_writes
from prefect_staticadslab.campaign.table import checkpoints
from tests.campaign.files.s3_bucket import store  # noqa: F401 - a fixture
from tests.support.s3_server import S3Server


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.close()


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    running.reset()
    for name, value in running.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(conditional_writes, "_keeps_conditions", {("s3", "ads"): True})
    monkeypatch.setattr(checkpoints, "FIRST_COLLISION_PAUSE", 0.0)
    monkeypatch.setattr("prefect_staticadslab.api.retries.tries.FIRST_BACKOFF_SECONDS", 0.01)
    return running
