"""An S3 server for the tests of pictures, and leave to load pictures from this machine."""

from __future__ import annotations

import pytest

from tests.campaign.files.s3_bucket import store  # noqa: F401 - a fixture


@pytest.fixture
def pictures_may_be_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAL_ALLOWED_HOSTS", "127.0.0.1")
