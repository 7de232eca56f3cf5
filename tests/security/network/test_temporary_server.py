"""The server that Prefect starts for a command lets nobody else in: no account, no web page."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    get_current_settings,
    temporary_settings,
)
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from prefect_staticadslab.campaign.job_types.image_ads import Campaign
from prefect_staticadslab.cli.temporary_server import NO_ORIGIN, closed_temporary_server
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import (
    QUICK_SERVER,
    ROOT,
    key_of,
    running_prefect,
    without_settings,
    write_campaign,
)
from tests.support.processes import PATIENCE_SECONDS, run, running, until

EVIL = "https://evil.example"
SECRETS = {"include_secrets": True}


# What Prefect is told, before it starts anything


class Started(Exception):
    """Prefect was about to start its server, with these settings in its environment."""

    def __init__(self) -> None:
        self.environment = get_current_settings().to_environment_variables(exclude_unset=True)
        self.api_key = PREFECT_API_AUTH_STRING.value()
        super().__init__("no server in this test")


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Started]]:
    """Every attempt to start a temporary server, none of which starts one."""
    seen: list[Started] = []

    # Importing the server takes seconds, and is not for those who run other tests.
    from prefect.server.api.server import SubprocessASGIServer

    def start(_: SubprocessASGIServer, timeout: int | None = None) -> None:
        seen.append(Started())
        raise seen[-1]

    monkeypatch.setattr(SubprocessASGIServer, "start", start)
    monkeypatch.setenv("SAL_API_KEY", SIMULATOR_API_KEY)
    monkeypatch.setenv("SAL_BASE_URL", "http://127.0.0.1:9")
    with temporary_settings(restore_defaults={PREFECT_API_URL, PREFECT_API_AUTH_STRING}):
        yield seen


ENTRANCES = {
    "campaign": ["{in}", "{out}", "--credentials", "saved"],
    "catalog": ["{folder}/", "--credentials", "saved"],
    "design_templates": ["{folder}", "{out}", "--credentials", "saved"],
    "download": ["{table}", "{folder}", "--prefect"],
    "inbox": ["{folder}", "--credentials", "saved"],
    "revise": ["{revisions}", "{out}", "--credentials", "saved"],
    "watch": ["ia_1", "--credentials", "saved"],
    "create_ads": ["saved", "{out}", "--prompt", "Iced"],
    "blocks": [],
    "serve": [],
}


@pytest.mark.parametrize("command", ENTRANCES)
def test_whatever_starts_the_server_starts_it_closed(
    tmp_path: Path, attempts: list[Started], command: str
) -> None:
    """Also where a block is loaded long before a flow begins."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.png").write_bytes(picture())
    changes = 'image_ad_id,node_overrides\nia_1,"{""n"": {""characters"": ""Sale""}}"\n'
    (tmp_path / "revisions.csv").write_text(changes)
    spreadsheet = write_campaign(tmp_path, "a")
    Campaign.open(spreadsheet, str(tmp_path / "table.csv")).table.save_now()
    places = {
        "in": spreadsheet,
        "out": str(tmp_path / "out.csv"),
        **{name: str(tmp_path / f"{name}.csv") for name in ("revisions", "table")},
        "folder": str(tmp_path / "folder"),
    }
    arguments = [argument.format(**places) for argument in ENTRANCES[command]]
    with contextlib.suppress(Started, SystemExit):
        importlib.import_module(f"prefect_staticadslab.cli.commands.{command}").main(arguments)
    assert attempts, "it did not come to Prefect"
    for attempt in attempts:
        secret = attempt.environment["PREFECT_SERVER_API_AUTH_STRING"]
        assert len(secret) > 32
        assert secret == attempt.api_key
        assert attempt.environment["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == NO_ORIGIN


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return out.getvalue()


def test_a_process_has_one_secret_and_another_process_another() -> None:
    code = (
        "from prefect_staticadslab.cli.temporary_server import closed_temporary_server as c\n"
        "from prefect.settings import PREFECT_API_AUTH_STRING as s\n"
        "for _ in range(2):\n"
        "    with c(): print(s.value())\n"
    )
    # Forked from one process, they would share what was made when it imported this.
    told = [run("-c", code, env=without_settings()).out.split() for _ in range(2)]
    assert [len(set(secrets)) for secrets in told] == [1, 1]
    assert told[0] != told[1]


def test_a_server_of_ones_own_keeps_its_own_key() -> None:
    own = {PREFECT_API_URL: "http://127.0.0.1:9/api", PREFECT_API_AUTH_STRING: "admin:hers"}
    with temporary_settings(own), closed_temporary_server():
        assert PREFECT_API_AUTH_STRING.value() == "admin:hers"
        assert PREFECT_SERVER_API_AUTH_STRING.value() != "admin:hers"
        assert PREFECT_SERVER_CORS_ALLOWED_ORIGINS.value() != NO_ORIGIN


def test_a_server_that_the_active_profile_names_keeps_its_own_key(tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text(
        'active = "work"\n[profiles.work]\nPREFECT_API_URL = "http://127.0.0.1:9/api"\n'
        'PREFECT_API_AUTH_STRING = "admin:hers"\n'
    )
    code = (
        "from prefect_staticadslab.cli.temporary_server import closed_temporary_server as c\n"
        "from prefect.settings import PREFECT_API_AUTH_STRING as s\n"
        "with c(): print(s.value())\n"
    )
    done = run("-c", code, env={**without_settings(), "PREFECT_HOME": str(tmp_path)})
    assert done.out.split() == ["admin:hers"]


# The real server, while the real command runs


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_nobody_else_gets_into_the_server_while_a_command_runs(
    tmp_path: Path, prefect_database: Path
) -> None:
    """One run for all of it, since such a server takes ten seconds to start.

    What one of them saved is there once there is another.
    """
    shutil.copy(prefect_database, tmp_path / "prefect.db")
    alone = {**without_settings(), **QUICK_SERVER, "PREFECT_HOME": str(tmp_path)}
    place = write_campaign(tmp_path, "a", "b", "c")
    told = tmp_path / "told.txt"
    # Jobs take minutes, until the clock is put forward: the server is there while it is attacked.
    with SimulatorServer(speed=0.1, rate_limit=10_000) as simulator:
        key = key_of(simulator)
        saved = run("blocks/save.py", env=alone | key)
        assert saved.status == 0, saved.err
        assert saved.err.startswith("PREFECT_API_URL is not set")
        assert len(saved.err.splitlines()) == 1, saved.err
        assert "Block 'static-ads-lab' is saved." in saved.out
        command = ["flows/campaign.py", place, str(tmp_path / "out.csv"), "--prefect"]
        # A command that is killed leaves its server behind.
        with running(*command, "--credentials", "static-ads-lab", env=alone, log=told) as process:
            until(lambda: len(simulator.api.jobs) >= 3, process)
            address = told.read_text().partition("Starting temporary server on ")[2].split()[0]
            secret = secret_of(address.rpartition(":")[2])
            attack(address, secret)
            assert process.poll() is None
            assert secret.encode() not in command_lines()
            simulator.api.age(100_000)
            assert process.wait(timeout=PATIENCE_SECONDS) == 0, told.read_text()
    assert secret not in told.read_text() + saved.out + saved.err
    assert kept(tmp_path / "prefect.db") == {
        "log": True,
        "artifact": True,
        "block_document": True,
        "staticadslab.campaign.completed": True,
    }


def attack(address: str, secret: str) -> None:
    """Everything that somebody else of this machine, or a web page, may try."""
    wrong = {"Authorization": f"Basic {base64.b64encode(b'admin:guess').decode()}"}
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    # A busy machine takes a while to answer.
    with httpx.Client(base_url=address, timeout=120) as web:
        for headers in ({}, wrong, {"Origin": EVIL}, {"Origin": "null"}, rebound):
            asked = web.post("/api/block_documents/filter", json=SECRETS, headers=headers)
            assert asked.status_code == 401, headers
            assert "access-control-allow-origin" not in asked.headers
        preflight = {"Origin": EVIL, "Access-Control-Request-Method": "POST"}
        asked = web.options("/api/block_documents/filter", headers=preflight)
        assert "access-control-allow-origin" not in asked.headers
        for method, path in (
            ("GET", "/api/admin/settings"),
            ("POST", "/api/admin/database/clear"),
            ("POST", "/api/flow_runs/filter"),
            ("POST", "/api/variables/"),
            ("POST", "/api/logs/"),
            ("POST", "/api/events"),
            ("GET", "/api/metrics"),
            ("GET", "/api/openapi.json"),
        ):
            assert web.request(method, path, json={}).status_code == 401, path
        # What is left answers everybody, and knows nothing.
        assert web.get("/api/health").text == "true"
        for path in ("/", "/docs", "/openapi.json", "/ui-settings"):
            assert not any(s in web.get(path).text for s in (secret, SIMULATOR_API_KEY)), path
            assert web.post(path, json={}).status_code in (404, 405), path
        # The command itself gets in, so it was a server that has what they were after.
        own = {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}
        answer = web.post("/api/block_documents/filter", json=SECRETS, headers=own)
        assert SIMULATOR_API_KEY in answer.text
        assert "static-ads-lab" in {each["name"] for each in answer.json()}
    for path in ("events/in", "events/out", "logs/out", "task_runs/subscriptions/scheduled"):
        for protocols in ([], [Subprotocol("prefect")]):
            with pytest.raises(WebSocketException):
                listen(f"{address.replace('http', 'ws', 1)}/api/{path}", protocols)


def listen(url: str, protocols: list[Subprotocol]) -> None:
    """Gets into a stream with a wrong key, or is refused."""
    with connect(url, subprotocols=protocols, origin=None) as stream:
        stream.send('{"type": "auth", "token": "admin:guess"}')
        stream.recv(timeout=60)


def secret_of(port: str) -> str:
    """What the server on a port was given, as its own user may read it and nobody else."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            if words[-1:] == [""] and port in words and "uvicorn" in words:
                assert (process / "environ").stat().st_mode & 0o077 == 0
                given = (process / "environ").read_bytes().decode().split("\0")
                return dict(each.split("=", 1) for each in given if "=" in each)[
                    "PREFECT_SERVER_API_AUTH_STRING"
                ]
        except (OSError, KeyError):
            continue
    raise AssertionError("there is no such server, or it has no secret")


def command_lines() -> bytes:
    """What anybody on this machine sees of its processes."""
    seen = b""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            seen += (process / "cmdline").read_bytes()
        except OSError:
            continue
    return seen


def kept(database: Path) -> dict[str, bool]:
    """Whether Prefect kept what it keeps of a run."""
    opened = sqlite3.connect(database)
    try:
        tables = ("log", "artifact", "block_document")
        counts = {
            table: opened.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables
        }
        events = {name for (name,) in opened.execute("SELECT event FROM events")}
    finally:
        opened.close()
    completed = "staticadslab.campaign.completed"
    return {**{table: count > 0 for table, count in counts.items()}, completed: completed in events}


def test_a_server_of_ones_own_is_closed_as_the_documentation_says(
    tmp_path: Path, prefect_database: Path
) -> None:
    """With the settings of docs/deploy.md."""
    shutil.copy(prefect_database, tmp_path / "prefect.db")
    closed = {
        "PREFECT_SERVER_API_AUTH_STRING": "admin:a-long-random-text",
        "PREFECT_API_AUTH_STRING": "admin:a-long-random-text",
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "https://prefect.example.com",
    }
    page = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    assert all(name in page for name in closed)
    with running_prefect(tmp_path, "--no-ui", **QUICK_SERVER, **closed) as environment:
        with httpx.Client(base_url=environment["PREFECT_API_URL"]) as web:
            asked = web.post("/block_documents/filter", json=SECRETS, headers={"Origin": EVIL})
            assert asked.status_code == 401
            assert "access-control-allow-origin" not in asked.headers
        password = "PREFECT_API_AUTH_STRING"
        without = {k: v for k, v in environment.items() if k != password}
        assert [asks_prefect(each) for each in (environment, without)] == [True, False]


def asks_prefect(environment: dict[str, str]) -> bool:
    """Whether a command that asks the server is answered."""
    return run("-m", "prefect", "work-pool", "ls", env=environment).status == 0
