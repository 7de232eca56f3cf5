"""Where a store refuses no write, runs that have one Prefect API write one table in turn."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import pytest
from httpx import ConnectError, Response
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from prefect_staticadslab.tasks import _table_lock
from prefect_staticadslab.tasks._table_lock import lock_name, table_lock
from tests.conftest import free_port
from tests.support.processes import until


@pytest.fixture
def location(tmp_path: Path) -> str:
    """A table that no other test locks."""
    return f"sftp://host/{tmp_path.name}/out.csv"


@pytest.mark.usefixtures("prefect_server")
def test_one_writes_after_the_other(location: str) -> None:
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        waits.set()
        with table_lock(location):
            order.append("second")

    with table_lock(location):
        # The settings that name the server are this context's.
        thread = threading.Thread(target=copy_context().run, args=(second,))
        thread.start()
        waits.wait()
        thread.join(timeout=0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.usefixtures("prefect_server")
def test_another_table_is_not_locked(location: str) -> None:
    with table_lock(location), table_lock(f"{location}x"), get_client(sync_client=True) as client:
        for name in (lock_name(location), lock_name(f"{location}x")):
            assert client.read_global_concurrency_limit_by_name(name).active_slots == 1
    with get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name(lock_name(location)).active_slots == 0


@pytest.mark.usefixtures("prefect_server")
def test_it_is_free_after_an_error(location: str) -> None:
    with pytest.raises(ValueError, match="full"), table_lock(location):
        raise ValueError("full")
    with get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name(lock_name(location)).active_slots == 0


@pytest.mark.usefixtures("prefect_server")
def test_it_is_kept_however_long_a_write_takes(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table_lock, "RENEWAL_SECONDS", 0.01)
    renewals: list[int] = []
    renew = SyncPrefectClient.renew_concurrency_lease

    def noted(client: SyncPrefectClient, lease_id: UUID, lease_duration: float) -> Response:
        response = renew(client, lease_id, lease_duration)
        renewals.append(response.status_code)
        return response

    monkeypatch.setattr(SyncPrefectClient, "renew_concurrency_lease", noted)
    with table_lock(location):
        until(lambda: len(renewals) >= 2)
    told = len(renewals)
    with get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name(lock_name(location)).active_slots == 0
    assert renewals == [HTTPStatus.NO_CONTENT] * told


@pytest.mark.usefixtures("prefect_server")
def test_a_lock_that_cannot_be_renewed_is_told(
    location: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_table_lock, "RENEWAL_SECONDS", 0.01)

    def refuses(*_: object) -> None:
        raise ConnectError("the server has gone")

    monkeypatch.setattr(SyncPrefectClient, "renew_concurrency_lease", refuses)
    with table_lock(location):
        until(lambda: f"The lock of {location} cannot be renewed: the server" in caplog.text)


@pytest.mark.usefixtures("prefect_server")
def test_whoever_keeps_it_is_not_waited_for_and_it_is_said_once(
    location: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_table_lock, "LOCK_SECONDS", 0.1)
    with table_lock(location):
        for _ in range(2):
            with table_lock(location):
                pass
    assert [r.getMessage() for r in caplog.records if r.name == _table_lock.__name__] == [
        f"The lock of {location} cannot be had from Prefect, and is not waited for: another run "
        "has kept it for too long"
    ]
    with table_lock(location):
        assert lock_name(location) not in _table_lock._unavailable_locks


def test_a_server_that_is_away_is_not_waited_for(
    location: str, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{free_port()}/api"}),
        table_lock(location),
    ):
        pass
    assert "cannot be had from Prefect" in caplog.text


def test_without_a_server_there_is_none(
    location: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def started(**_: object) -> None:
        raise AssertionError("a temporary server was started")

    monkeypatch.setattr(_table_lock, "get_client", started)
    with temporary_settings(restore_defaults={PREFECT_API_URL}), table_lock(location):
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
