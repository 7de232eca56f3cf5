"""What tests of clusters share: nobody waits long before looking into a mailbox again."""

from __future__ import annotations

import pytest

from prefect_staticadslab.tasks.clusters import coordinator as run_side
from prefect_staticadslab.tasks.clusters import worker_journal


@pytest.fixture
def quick_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    for side in (run_side, worker_journal):
        monkeypatch.setattr(side, "PAUSE_SECONDS", 0.01)
