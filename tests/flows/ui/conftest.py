"""One server, one serving process and one browser for all that is seen in the UI."""

from __future__ import annotations

import contextlib
import logging
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from tests.flows.ui.home import Home, prefect_at_home
from tests.support.processes import kill

BUCKET = "campaigns"


@dataclass
class Serving:
    """`deployments/serve.py`, running."""

    home: Home
    stack: contextlib.ExitStack
    process: subprocess.Popen[str]

    def restart_after_a_power_cut(self) -> None:
        """Kills the process and all runs in it, and starts it anew, as on another machine."""
        kill(self.process)
        self.process = self.stack.enter_context(self.home.serving())


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A server with its UI, and an S3 server that the runs and this process find."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.get_host_and_port()[1]}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        fsspec.filesystem("s3", skip_instance_cache=True).mkdir(BUCKET)
        with prefect_at_home(tmp_path_factory.mktemp("home"), **environment) as made:
            yield made
    store.stop()


@pytest.fixture(scope="session")
def served(home: Home) -> Iterator[Serving]:
    """The deployments, served."""
    with contextlib.ExitStack() as stack:
        yield Serving(home, stack, stack.enter_context(home.serving()))
