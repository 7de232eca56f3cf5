"""What cannot be asked is told in a sentence, before anything is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from prefect_staticadslab.contract.__main__ import main
from prefect_staticadslab.simulator import SimulatorServer
from tests.conftest import free_port, set_key
from tests.contract.command import Contract
from tests.support.scripted import answer, data, scripted


def test_a_key_is_needed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SAL_API_KEY", raising=False)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("Nothing was asked.\nNo API key: set the environment variable")


@pytest.mark.parametrize(
    ("key", "url", "told"),
    [
        ("Bearer sal_live_x", "https://api.staticadslab.com", "starts with 'Bearer'"),
        ("pk_live_x", "https://api.staticadslab.com", "does not start with"),
        ("sal_live_x", "http://api.staticadslab.com", "unencrypted"),
        ("sal_live_x", "api.staticadslab.com", "must look like"),
    ],
)
def test_what_cannot_be_right_is_told(key: str, url: str, told: str, contract: Contract) -> None:
    run = contract(url=url, key=key)
    assert run.status == 2
    assert told in run.err
    assert key not in run.err


def test_a_host_that_nobody_is_at_is_told(contract: Contract) -> None:
    run = contract(url=f"http://127.0.0.1:{free_port()}")
    assert run.status == 2
    assert "cannot be reached: GET /v1/account had no answer (ConnectError" in run.err
    assert run.report == {}
    assert "Traceback" not in run.err


def test_a_key_that_is_refused_is_told(contract: Contract, simulator: SimulatorServer) -> None:
    run = contract(url=simulator.url, key="sal_live_revoked")
    assert run.status == 2
    assert "does not accept the key (401 UNAUTHORIZED, request req_" in run.err
    assert "sal_live_revoked" not in run.err
    assert simulator.api.counts["401"] == 1


@pytest.mark.parametrize(
    "served",
    [
        answer("<html>Hello</html>"),
        answer("<html>Bad gateway</html>", 502),
        answer({"error": {"code": "NOT_FOUND", "message": "No."}}, 404),
        answer({"error": {"code": "INTERNAL_ERROR", "message": "No."}}, 500),
    ],
)
async def test_what_is_no_api_is_told(served: bytes, contract: Contract) -> None:
    async with scripted([served]) as server:
        run = await asyncio.to_thread(contract, url=server.url)
        assert len(server.received) == 1
    assert run.status == 2
    assert "is not the Static Ads Lab API, or it is in trouble" in run.err


async def test_an_api_that_stops_to_answer_is_left_alone(contract: Contract) -> None:
    account = data({"organization": {"name": "A"}, "api_key": {"scopes": ["brands:read"]}})
    async with scripted([account, account, b""]) as server:
        run = await asyncio.to_thread(contract, "--spend", "1", url=server.url)
        assert len(server.received) == 5
    assert "may have been created" not in run.err
    assert "had no answer" in run.seen("fields-image-ads")
    assert "the API no longer answered" in run.seen("unknown-id")


async def test_what_the_api_writes_moves_no_cursor(contract: Contract) -> None:
    account = data({"organization": "\x1b[2J", "api_key": {"scopes": ["\x1b[2J\ud800"]}})
    async with scripted([account]) as server:
        run = await asyncio.to_thread(contract, url=server.url)
    assert "\x1b" not in run.out
    assert "\\x1b[2J" in run.out
    assert run.status == 1


@pytest.mark.parametrize("amount", ["0", "0.99", "-1", "much", "nan", "inf"])
def test_less_than_an_ad_costs_is_refused(
    amount: str, capsys: pytest.CaptureFixture[str], simulator: SimulatorServer
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--spend", amount])
    assert exit_.value.code == 2
    assert "does not pay for a flat image ad, which costs 1.00 USD" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    simulator: SimulatorServer,
) -> None:
    set_key(monkeypatch, simulator)
    assert main(["--json", str(tmp_path / "no" / "such.json")]) == 2
    assert "There is no folder" in capsys.readouterr().err
    assert simulator.api.counts["requests"] == 0


def test_the_report_replaces_an_earlier_one(
    contract: Contract, simulator: SimulatorServer, tmp_path: Path
) -> None:
    (tmp_path / "contract.json").write_text("an earlier one")
    assert contract.against(simulator).report["base_url"] == simulator.url
    assert [file.name for file in tmp_path.iterdir()] == ["contract.json"]
