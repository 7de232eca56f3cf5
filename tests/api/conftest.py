"""What tests of the client share: retries that wait for nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture
def no_pauses_between_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=50):
        yield
