"""What attacks share: a stranger on the network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.security.stranger import Stranger


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with Stranger() as server:
        yield server
