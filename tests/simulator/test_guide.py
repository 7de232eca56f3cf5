"""The ways of waiting that the vendor's guide describes, with the clients that people use for them.

Nothing of ours is between them and the simulator: requests, sseclient, and fetch in Node.js.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from typing import Any

import pytest
import requests
import sseclient

from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import simulated_ids
from tests.support.processes import PATIENCE_SECONDS, ended, until

HEADERS = {"X-API-Key": SIMULATOR_API_KEY}


def create(server: SimulatorServer, prompt: str = "") -> str:
    answer = requests.post(
        f"{server.url}/v1/image-ads",
        json={**simulated_ids(), "prompt": prompt},
        headers=HEADERS,
        timeout=PATIENCE_SECONDS,
    )
    identifier: str = answer.json()["data"]["id"]
    return identifier


def test_polling_with_requests(simulator: SimulatorServer) -> None:
    url = f"{simulator.url}/v1/image-ads/{create(simulator)}"

    def read() -> dict[str, Any]:
        answer = requests.get(url, headers=HEADERS, timeout=PATIENCE_SECONDS)
        return dict(answer.json()["data"])

    while (ad := read())["status"] == "processing":
        assert ad["image_url"] is None
        time.sleep(0.1)
    assert ad["status"] == "completed"
    assert ad["image_url"].startswith(simulator.url)


@pytest.mark.parametrize(("prompt", "last"), [("", "complete"), ("SIMULATE_FAILURE", "error")])
def test_streaming_with_sseclient(simulator: SimulatorServer, prompt: str, last: str) -> None:
    with requests.get(
        f"{simulator.url}/v1/image-ads/{create(simulator, prompt)}",
        headers={**HEADERS, "Accept": "text/event-stream"},
        stream=True,
        timeout=PATIENCE_SECONDS,
    ) as answer:
        events = [(e.event, e.data) for e in sseclient.SSEClient(answer).events()]  # type: ignore[arg-type]
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("started", last)
    messages = [json.loads(data)["message"] for name, data in events if name == "progress"]
    assert "Rendering in 4K" in messages


JAVASCRIPT = """
const [base, key, id] = process.argv.slice(1);
const headers = { "X-API-Key": key };
const batch = await (await fetch(`${base}/v1/image-ads?ids=${id},ia_none`, { headers })).json();
const stream = await fetch(`${base}/v1/image-ads/${id}`,
  { headers: { ...headers, Accept: "text/event-stream" } });
let text = "";
for await (const piece of stream.body.pipeThrough(new TextDecoderStream())) text += piece;
const names = text.split("\\n\\n").filter(Boolean).map((block) => block.match(/^event: (.*)$/m)[1]);
const ad = (await (await fetch(`${base}/v1/image-ads/${id}`, { headers })).json()).data;
console.log(JSON.stringify({ polled: batch.data.map((d) => d.status), names, status: ad.status }));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_batch_polling_and_streaming_with_fetch() -> None:
    # Jobs take minutes, until Node.js has come up and listens to the stream.
    with SimulatorServer(speed=0.1, rate_limit=10_000) as simulator:
        script = [JAVASCRIPT, simulator.url, SIMULATOR_API_KEY, create(simulator)]
        before = simulator.api.counts["requests"]
        with subprocess.Popen(
            ["node", "--input-type=module", "-e", *script], stdout=subprocess.PIPE, text=True
        ) as node:
            until(lambda: simulator.api.counts["requests"] >= before + 2, node)
            simulator.api.age(100_000)
            status, told, _ = ended(node)
    assert status == 0
    answer = json.loads(told)
    assert (answer["polled"], answer["status"]) == (["processing"], "completed")
    assert answer["names"][0] == "started"
    assert answer["names"][-1] == "complete"
