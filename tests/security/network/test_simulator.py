"""The simulator answers this machine's own programs: no web page, and no body that is too large."""

from __future__ import annotations

import socket

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.http import request_body
from tests.conftest import simulated_ids
from tests.simulator.conftest import held

__all__ = ["held"]  # what is answered to nonsense is described as well

STATS, AGE = "/_simulator/stats", "/_simulator/age?seconds=90000"


# Web pages


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1/evil.example",
        "192.168.0.1:{port}",
        "0.0.0.0:{port}",
        "2130706433",
        "",
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", STATS), ("POST", AGE), ("GET", "/v1/brands")])
def test_a_name_that_leads_here_reads_and_changes_nothing(
    api: httpx.Client, host: str, method: str, path: str
) -> None:
    """DNS rebinding: for the browser it is the page's own site."""
    name = host.format(port=api.base_url.port)
    answer = api.request(method, path, headers={"Host": name, "Origin": f"http://{name}"})
    assert answer.status_code in (400, 421)
    assert "created" not in answer.text


def test_a_request_with_two_hosts_is_refused(api: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", api.base_url.port or 0)) as raw:
        raw.sendall(
            f"GET {STATS} HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n".encode()
        )
        assert raw.recv(100).split()[1] in (b"400", b"421")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", STATS), ("GET", "/_simulator/ads"), ("POST", AGE), ("POST", "/v1/brands")],
)
def test_another_site_reads_no_truth_and_changes_nothing(
    api: httpx.Client, simulator: SimulatorServer, origin: str, method: str, path: str
) -> None:
    brands = len(simulator.api.catalogue.brands)
    answer = api.request(method, path, json={"name": "Evil"}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert len(simulator.api.catalogue.brands) == brands
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "127.1.2.3"]
)
def test_this_machines_own_programs_are_answered(api: httpx.Client, host: str) -> None:
    name = host.format(port=api.base_url.port)
    assert api.get(STATS, headers={"Host": name}).status_code == 200
    own = {"Host": name, "Origin": f"http://{name}"}
    assert api.post(AGE, headers=own).status_code == 200


@pytest.mark.parametrize("seconds", ["", "nan", "inf", "-1e300", "many"])
def test_time_is_moved_by_numbers_only(api: httpx.Client, seconds: str) -> None:
    assert api.post(f"/_simulator/age?seconds={seconds}").status_code == 400
    assert api.get("/v1/image-ads").status_code == 200


# Bodies


@pytest.mark.parametrize("length", ["told", "not told"])
@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=b"])
def test_a_body_that_is_too_large_is_refused(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch, length: str, kind: str
) -> None:
    monkeypatch.setattr(request_body, "MOST_BODY_BYTES", 1000)
    body = b" " * 2000
    content = body if length == "told" else iter([body[:900], body[:900], body])
    answer = api.post("/v1/brands", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert api.post("/v1/brands", json={"name": "A small one"}).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"name": "A", "details": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"name": "A", "details": ' + b'{"a":' * 250 + b"1" + b"}" * 251,
        b'{"name": "A", "details": {"a": NaN}}',
        b'{"name": "A", "details": {"a": -Infinity}}',
        b'{"name": "A", "details": {"a": 1e999}}',
        b'{"name": "A", "details": {"a": ' + b"9" * 10_000 + b"}}",
        b'{"name": "A\\ud800"}',
        b'{"name": "\xff"}',
        b"",
        b"null",
    ],
    ids=lambda body: f"{body[:40]!r}",
)
def test_a_body_that_could_not_be_answered_as_json_is_refused(
    api: httpx.Client, body: bytes
) -> None:
    answer = api.post("/v1/brands", content=body)
    assert answer.status_code == 400, answer.text
    assert api.get("/v1/brands").status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"--b\r\n\r\nx", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n"],
)
@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=b"])
def test_a_broken_form_is_refused(api: httpx.Client, body: bytes, kind: str) -> None:
    answer = api.post("/v1/images", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NODES = st.fixed_dictionaries(
    {"type": st.sampled_from(["FRAME", "TEXT", "RECTANGLE"]) | VALUES, "id": VALUES},
    optional=dict.fromkeys(("name", "characters", "fills", "children"), VALUES),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=VALUES, children=st.lists(NODES | VALUES, max_size=4))
def test_no_body_whatever_breaks_the_simulator(
    api: httpx.Client, body: object, children: list[object]
) -> None:
    tree = {"type": "FRAME", "id": "1", "children": children}
    template = simulated_ids()["design_template_id"]
    ad = api.post("/v1/image-ads", json={**simulated_ids(), "editable": True, "prompt": "a"})
    path = f"/v1/image-ads/{ad.json()['data']['id']}"
    api.post(AGE)
    asked = [
        api.post("/v1/image-ads", json=body),
        api.post("/v1/image-ads", json={**simulated_ids(), "node_overrides": {"1": body}}),
        api.post("/v1/brands", json=body),
        api.post(
            "/v1/brands", json={"name": "A", "color_palettes": [body], "details": {"a": body}}
        ),
        api.post("/v1/image-ads/sync", json={"items": [body]}),
        api.post("/v1/design-templates", json={"reference_image_url": body}),
        api.patch(f"/v1/design-templates/{template}", json={"change_summary": body}),
        api.patch(path, json={"current_json_tree": tree}),
        api.get(path.replace("/v1/image-ads", "/pictures") + ".png"),
    ]
    api.post(AGE)
    asked += [api.get(path), api.get(f"{path}/versions")]
    for version in asked[-1].json()["data"]:
        asked.append(api.get(version["image_url"]))
    assert [answer.status_code for answer in asked if answer.is_server_error] == []
