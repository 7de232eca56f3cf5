"""A bucket of a real S3 server that tests take away and give back."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from moto.server import ThreadedMotoServer


@dataclass
class Store:
    """A bucket of an S3 server that can be away for a while; what it holds, it keeps."""

    server: ThreadedMotoServer
    port: int
    bucket: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}"

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self.server.start()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Store]:
    monkeypatch.setattr(logging.getLogger("werkzeug"), "disabled", True)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    made = Store(server, port, f"bucket-{os.getpid()}-{abs(hash(tmp_path))}")
    filesystem: Any = fsspec.filesystem("s3", skip_instance_cache=True)
    filesystem.mkdir(made.bucket)
    yield made
    type(filesystem).clear_instance_cache()
    made.stop()
