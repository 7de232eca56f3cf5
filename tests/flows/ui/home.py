"""A Prefect server with its UI, saved blocks that lead to a simulator, and processes beside it."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from prefect_staticadslab import ImageAdJob, StaticAdsLabCredentials
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import running_prefect, simulated_ids
from tests.support.prefect_api import ask_prefect, prefect_client
from tests.support.processes import PATIENCE_SECONDS, run, running

CREDENTIALS: Final = "static-ads-lab"
KIT: Final = "harbor-roast"
LAST_SERVED: Final = "download-images"

OFTEN: Final = {
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
}
"""How often who looks for work, in seconds; else these tests would wait most of the time."""

Answer = dict[str, Any]


@dataclass
class Home:
    """A Prefect server as it is found by browsers, by HTTP, and by the processes beside it.

    Attributes:
        url: Where the UI is.
        environment: In which processes find the server. The API key is in no process but this one.
        simulator: What the saved credentials lead to.
        folder: For whatever files.
    """

    url: str
    environment: dict[str, str]
    simulator: SimulatorServer
    folder: Path

    @property
    def api(self) -> httpx.Client:
        """A client of Prefect's API, for answers that are no success."""
        return prefect_client(f"{self.url}/api")

    def call(self, method: str, path: str, body: object = None) -> Any:
        """See `ask_prefect`."""
        return ask_prefect(f"{self.url}/api", method, path, body)

    def deployment(self, name: str) -> Answer:
        """The deployment of this name, once it is there."""

        def found() -> Answer | None:
            asked = {"deployments": {"name": {"any_": [name]}}}
            return next(iter(self.call("POST", "/deployments/filter", asked)), None)

        return eventually(found, f"the deployment {name}")

    def start(self, name: str, **parameters: object) -> str:
        """Starts a run as the UI does it. Returns its id."""
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        run: str = self.call("POST", path, {"parameters": parameters})["id"]
        return run

    def run(self, run_id: str) -> Answer:
        read: Answer = self.call("GET", f"/flow_runs/{run_id}")
        return read

    def ended(self, run_id: str) -> Answer:
        """The run, once it is at its end."""

        def end() -> Answer | None:
            run = self.run(run_id)
            ends = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
            return run if run["state_type"] in ends else None

        return eventually(end, f"the end of run {run_id}")

    def artifacts(self, run_id: str) -> dict[str, Answer]:
        """What a run left in Prefect, by the last word of its key."""
        asked = {"flow_runs": {"id": {"any_": [run_id]}}}
        found = self.call("POST", "/artifacts/filter", asked)
        return {a["key"].split("-")[-1]: a for a in found if a["key"]}

    def command(self, *arguments: str) -> str:
        """Prefect's command line. Returns what it told."""
        status, out, err = run("-m", "prefect", *arguments, env=self.environment)
        assert status == 0, out + err
        return out

    @contextlib.contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """`deployments/serve.py`, once all is served."""
        with self.process("deployments/serve.py") as process:
            self.deployment(LAST_SERVED)
            yield process

    def process(self, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
        """A Python process with all of its children; it is stopped in the end."""
        log = self.folder / "processes.log"
        return running(*arguments, env=self.environment, log=log, cold=True)


def eventually(read: Callable[[], Answer | None], what: str) -> Answer:
    """What `read` gives, once it gives something."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if (found := read()) is not None:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come within {PATIENCE_SECONDS} s")


@contextlib.contextmanager
def prefect_at_home(folder: Path, **environment: str) -> Iterator[Home]:
    """A server with its UI, with credentials and a brand kit saved that lead to a simulator."""
    (folder / "prefect").mkdir()
    with (
        SimulatorServer(speed=300, rate_limit=10_000) as simulator,
        running_prefect(folder / "prefect", **OFTEN) as found,
    ):
        credentials = StaticAdsLabCredentials.model_validate(
            {"api_key": SIMULATOR_API_KEY, "base_url": simulator.url}
        )
        credentials.save(CREDENTIALS)
        kit = ImageAdJob.model_validate({"credentials": credentials, **simulated_ids()})
        kit.save(KIT)
        url = found["PREFECT_API_URL"].removesuffix("/api")
        # The simulator's pictures are on this machine, and a download has no key that says so.
        found["SAL_ALLOWED_HOSTS"] = "127.0.0.1"
        yield Home(url, {**found, **environment}, simulator, folder)
