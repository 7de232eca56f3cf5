"""The client on good days, against the simulator, and on bad ones, against a script."""

from __future__ import annotations

import pickle
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina

from prefect_staticadslab import ImageAdRequest, StaticAdsLabClient, StaticAdsLabError
from prefect_staticadslab.api import errors
from prefect_staticadslab.api.errors import ErrorDetail
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.api.resources import (
    Audience,
    Brand,
    DesignTemplate,
    Product,
    ProductVariant,
)
from prefect_staticadslab.api.retries.policy import RetryPolicy
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, HANG, answer, data, error, scripted

KEY = "sal_live_SECRET"
AD = {"id": "ia_1", "status": "processing", "something_new": {"deep": [1]}}


@pytest.fixture(autouse=True)
def no_pauses_between_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=50):
        yield


def client_of(url: str, **options: object) -> StaticAdsLabClient:
    return StaticAdsLabClient(KEY, url, limiter=RateLimiter(), **options)  # type: ignore[arg-type]


# On good days


async def test_the_account_has_a_name_and_scopes(client: StaticAdsLabClient) -> None:
    account = await client.get_account()
    assert account.organization_name == "Simulated Shops"
    assert account.scopes is not None
    assert "image_ads:write" in account.scopes


async def test_create_and_read(client: StaticAdsLabClient, make_request: MakeRequest) -> None:
    created = await client.create_image_ad(make_request("Hello"))
    assert not created.replayed
    read = await client.get_image_ad(created.image_ad.id)
    assert (read.status, read.prompt) == ("processing", "Hello")


async def test_the_same_key_gives_the_same_ad(
    client: StaticAdsLabClient, simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    first = await client.create_image_ad(make_request(), idempotency_key="k")
    again = await client.create_image_ad(make_request(), idempotency_key="k")
    assert again.replayed
    assert again.image_ad.id == first.image_ad.id
    assert len(simulator.api.jobs) == 1


async def test_without_a_key_two_calls_are_two_ads_and_both_have_one(
    client: StaticAdsLabClient, simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    for _ in range(2):
        await client.create_image_ad(make_request())
    assert len(simulator.api.jobs) == 2
    assert simulator.api.counts["creates without a key"] == 0


async def test_a_batch_read_of_250_takes_three_requests(
    client: StaticAdsLabClient, simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    ids = [(await client.create_image_ad(make_request(str(i)))).image_ad.id for i in range(250)]
    ads = await client.get_image_ads([*ids, ids[0], "ia_unknown"])
    assert [ad.id for ad in ads] == ids
    assert simulator.api.counts["batch reads"] == 3


async def test_lists_are_read_to_their_end(
    client: StaticAdsLabClient, make_request: MakeRequest
) -> None:
    for i in range(101):
        await client.create_image_ad(make_request(str(i)))
    assert len({ad.id async for ad in client.list_image_ads(editable=False)}) == 101
    assert [ad async for ad in client.list_image_ads(status="failed")] == []


async def test_the_catalogue_can_be_listed(client: StaticAdsLabClient) -> None:
    brands = [brand async for brand in client.list_resources(Brand)]
    assert {"Harbor Roast", "Lumière Skincare"} <= {brand.name for brand in brands}
    products = [p async for p in client.list_resources(Product, brand_id=brands[0].id)]
    assert {p.brand_id for p in products} == {brands[0].id}
    assert [a.product_id async for a in client.list_resources(Audience, product_id=products[0].id)]
    assert [
        v.product_id
        async for v in client.list_resources(
            ProductVariant,
        )
    ]
    statuses = {t.status async for t in client.list_resources(DesignTemplate)}
    assert statuses == {"completed", "processing"}


# What the API refuses


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "VALIDATION_ERROR", errors.BadRequestError),
        (401, "UNAUTHORIZED", errors.AuthenticationError),
        (402, "INSUFFICIENT_BALANCE", errors.InsufficientBalanceError),
        (403, "FORBIDDEN", errors.PermissionDeniedError),
        (404, "NOT_FOUND", errors.NotFoundError),
        (413, "PAYLOAD_TOO_LARGE", errors.PayloadTooLargeError),
        (422, "RELATIONSHIP_ERROR", errors.UnprocessableError),
        (418, "TEAPOT", errors.APIStatusError),
    ],
)
async def test_an_error_has_its_type_and_is_not_tried_again(
    status: int, code: str, kind: type[errors.APIStatusError], make_request: MakeRequest
) -> None:
    details = [{"field": "prompt", "message": "too long"}]
    async with (
        scripted([error(status, code, "Not so.", details=details)]) as server,
        client_of(server.url) as client,
    ):
        with pytest.raises(kind) as raised:
            await client.create_image_ad(make_request())
    failure = raised.value
    assert type(failure) is kind
    assert (failure.status, failure.code, failure.request_id) == (status, code, "req_9")
    assert failure.details == (ErrorDetail("prompt", "too long"),)
    assert "Not so." in str(failure)
    assert "req_9" in str(failure)
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"brand_id": "brand_unknown"}, errors.NotFoundError),
        ({"product_id": "prod_9ed5d6b6f0e9"}, errors.NotFoundError),
    ],
)
async def test_the_simulator_refuses_what_does_not_exist(
    client: StaticAdsLabClient,
    make_request: MakeRequest,
    fields: dict[str, str],
    kind: type[StaticAdsLabError],
) -> None:
    with pytest.raises(kind):
        await client.create_image_ad(make_request(**fields))


async def test_a_read_only_key_is_told_which_scope_it_lacks(
    simulator: SimulatorServer, make_request: MakeRequest
) -> None:
    async with StaticAdsLabClient(READ_ONLY_API_KEY, simulator.url) as client:
        with pytest.raises(errors.PermissionDeniedError, match="image_ads:write"):
            await client.create_image_ad(make_request())


# On bad days


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(error(500, "INTERNAL"), id="500"),
        pytest.param(error(503, "UNAVAILABLE"), id="503"),
        pytest.param(answer("<html>Bad gateway</html>", 502), id="HTML 502"),
        pytest.param(answer("<html>Welcome</html>", 200), id="HTML 200"),
        pytest.param(answer("<html>Not here</html>", 404), id="HTML 404"),
        pytest.param(answer({"data": None}, 500), id="500 without an error"),
        pytest.param(answer({"meta": {}}, 200), id="no data"),
        pytest.param(answer([1, 2], 200), id="a list"),
        pytest.param(answer("", 200), id="nothing"),
        pytest.param(DROP, id="dropped"),
        pytest.param(data(AD, 202)[:-20], id="cut"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{", id="cut chunk"
        ),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
    ],
)
async def test_trouble_is_tried_again_with_the_same_key_and_body(
    trouble: bytes, make_request: MakeRequest
) -> None:
    async with (
        scripted([trouble, trouble, data(AD, 202, idempotent_replayed="true")]) as server,
        client_of(server.url) as client,
    ):
        created = await client.create_image_ad(make_request("Once"), idempotency_key="k-1")
    assert created.image_ad.id == "ia_1"
    assert created.replayed
    assert [r.headers["idempotency-key"] for r in server.received] == ["k-1"] * 3
    assert len({r.body for r in server.received}) == 1


async def test_a_silent_server_is_given_up_and_asked_again(make_request: MakeRequest) -> None:
    async with (
        scripted([HANG, data(AD, 202)]) as server,
        client_of(server.url, create_read_seconds=0.2) as client,
    ):
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 2


async def test_an_answer_that_trickles_in_is_given_up(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prefect_staticadslab.bounds.REQUEST_SECONDS", 0.2)
    begun = data(AD, 202)[:-5] + HANG
    async with scripted([begun, data(AD, 202)]) as server, client_of(server.url) as client:
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("timestamp", "hours"),
    [("2100-01-01T00:00:00Z", 0), ("soon", 0), (None, 0), ("in 5 hours", 5)],
)
async def test_the_time_is_the_apis(timestamp: str | None, hours: int) -> None:
    if timestamp == "in 5 hours":
        timestamp = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    reply = answer({"data": {"organization": "O"}, "meta": {"timestamp": timestamp}})
    async with scripted([reply]) as server, client_of(server.url) as client:
        await client.get_account()
        ahead = client.now() - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=hours)) < timedelta(minutes=1)


def test_a_proxy_that_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:1")
    with pytest.raises(errors.APIConnectionError, match="No HTTP client can be set up"):
        client_of("https://api.example")
    client_of("http://127.0.0.1:9")  # which no proxy is asked for


async def test_attempts_end(make_request: MakeRequest) -> None:
    async with (
        scripted([error(503, "UNAVAILABLE")]) as server,
        client_of(server.url, max_tries=3) as client,
    ):
        with pytest.raises(errors.ServerError):
            await client.create_image_ad(make_request())
    assert len(server.received) == 3


async def test_429_is_a_wait_and_takes_no_attempt(make_request: MakeRequest) -> None:
    busy = answer({"error": {"code": "RATE_LIMIT_EXCEEDED"}}, 429, retry_after="0.05")
    async with (
        scripted([busy, busy, busy, data(AD, 202)]) as server,
        client_of(server.url, max_tries=1) as client,
    ):
        assert (await client.create_image_ad(make_request())).image_ad.id == "ia_1"
    assert len(server.received) == 4


def test_what_the_server_asks_to_wait_is_waited() -> None:
    policy = RetryPolicy(max_tries=2)
    busy = errors.ServerError("Busy.", status=503, retry_after=7)
    assert policy(busy) == 7
    assert policy(busy) is False


async def test_a_refused_connection_is_an_error_of_its_own() -> None:
    async with scripted([DROP]) as server:
        pass
    async with client_of(server.url, max_tries=2) as client:
        with pytest.raises(errors.APIConnectionError, match="GET /v1/account"):
            await client.get_account()


async def test_what_on_send_raises_keeps_the_request_from_being_sent(
    make_request: MakeRequest,
) -> None:
    def no() -> None:
        raise RuntimeError("not now")

    async with scripted([data(AD)]) as server, client_of(server.url) as client:
        with pytest.raises(RuntimeError, match="not now"):
            await client.create_image_ad(make_request(), on_send=no)
    assert server.received == []


async def test_what_on_send_returns_is_awaited_off_turn_and_takes_no_try(
    make_request: MakeRequest,
) -> None:
    seen: list[str] = []
    turns: list[int] = []

    def on_send() -> Awaitable[None] | None:
        seen.append("asked")
        return look() if seen.count("looked") < seen.count("asked") / 2 else None

    async def look() -> None:
        seen.append("looked")
        turns.append(client.limiter._state.in_flight)

    async with scripted([DROP] * 4) as server, client_of(server.url, max_tries=3) as client:
        with pytest.raises(errors.APIConnectionError):
            await client.create_image_ad(make_request(), on_send=on_send)
    assert seen == ["asked", "looked", "asked"] * 3
    assert turns == [0, 0, 0]
    assert len(server.received) == 3


# Answers that are strange, and good enough


async def test_a_create_may_answer_200(make_request: MakeRequest) -> None:
    async with scripted([data(AD, 200)]) as server, client_of(server.url) as client:
        assert (await client.create_image_ad(make_request())).image_ad.status == "processing"


async def test_fields_that_make_no_sense_are_left_out() -> None:
    odd = {
        "id": "ia_1",
        "status": "completed",
        "image_url": "https://cdn/1.png",
        "width": "wide",
        "created_at": "yesterday",
        "error": "none",
        "progress": [],
    }
    async with scripted([data(odd)]) as server, client_of(server.url) as client:
        ad = await client.get_image_ad("ia_1")
    assert ad.is_completed
    assert (ad.width, ad.created_at, ad.error, ad.progress) == (None, None, None, None)


async def test_completed_without_a_url_is_not_finished_and_neither_is_an_unknown_status() -> None:
    for odd in ({"status": "completed", "image_url": None}, {"status": "rendering"}):
        async with scripted([data({"id": "ia_1", **odd})]) as server, client_of(server.url) as c:
            assert not (await c.get_image_ad("ia_1")).is_finished


async def test_one_garbled_item_does_not_hide_the_others() -> None:
    items = [{"id": "ia_1"}, "what", {"status": "completed"}, {"id": "ia_2"}]
    async with scripted([data(items)]) as server, client_of(server.url) as client:
        assert [ad.id for ad in await client.get_image_ads(["ia_1", "ia_2", "ia_3"])] == [
            "ia_1",
            "ia_2",
        ]


@pytest.mark.parametrize(("status", "code"), [(400, "VALIDATION_ERROR"), (404, "NOT_FOUND")])
async def test_a_batch_that_is_refused_is_read_in_halves(status: int, code: str) -> None:
    refused = error(status, code)
    script = [refused, data([{"id": "ia_1"}, {"id": "ia_2"}]), data([{"id": "ia_3"}])]
    async with scripted(script) as server, client_of(server.url) as client:
        ads = await client.get_image_ads(["ia_1", "ia_2", "ia_3"])
    assert [ad.id for ad in ads] == ["ia_1", "ia_2", "ia_3"]
    assert server.received[0].path == "/v1/image-ads?ids=ia_1,ia_2,ia_3"


@pytest.mark.parametrize("where", ["top", "meta"])
async def test_more_pages_may_be_announced_in_either_place(where: str) -> None:
    def page(identifier: str, more: bool) -> bytes:
        body: dict[str, Any] = {"data": [{"id": identifier}], "meta": {}}
        body |= {"has_more": more} if where == "top" else {"meta": {"has_more": more}}
        return answer(body)

    async with (
        scripted([page("brand_1", True), page("brand_2", False)]) as server,
        client_of(server.url) as client,
    ):
        assert [b.id async for b in client.list_resources(Brand)] == ["brand_1", "brand_2"]
    assert "starting_after=brand_1" in server.received[1].path


async def test_a_page_that_repeats_itself_ends_the_list() -> None:
    page = answer({"data": [{"id": "brand_1"}], "has_more": True})
    async with scripted([page]) as server, client_of(server.url) as client:
        assert [b.id async for b in client.list_resources(Brand)] == ["brand_1", "brand_1"]


# The key


@pytest.mark.parametrize(
    "reply", [DROP, error(401, "UNAUTHORIZED"), error(400, "X"), answer("<html>", 502)]
)
async def test_the_key_is_sent_and_never_shown(reply: bytes) -> None:
    async with scripted([reply]) as server, client_of(server.url, max_tries=1) as client:
        with pytest.raises(StaticAdsLabError) as raised:
            await client.get_account()
        seen = repr(client) + str(client)
    assert server.received[0].headers["x-api-key"] == KEY
    error_ = raised.value
    seen += str(error_) + repr(error_) + repr(vars(error_)) + repr(error_.__cause__)
    assert "SECRET" not in seen
    assert error_.__suppress_context__ or error_.__context__ is None


async def test_a_key_that_the_server_quotes_is_blotted_out() -> None:
    reply = error(403, "FORBIDDEN", f"{KEY} may not")
    async with scripted([reply]) as server, client_of(server.url) as client:
        with pytest.raises(errors.PermissionDeniedError, match="sal_… may not") as raised:
            await client.get_account()
    assert "SECRET" not in repr(vars(raised.value))


def test_errors_survive_a_trip_to_another_process() -> None:
    for original in (
        errors.NotFoundError("No.", status=404, code="NOT_FOUND", request_id="req_1"),
        errors.ImageAdFailedError("ia_1", "PIPELINE_ERROR", "no"),
        errors.WaitTimeoutError(("ia_1",), 300),
        errors.UnreadableAnswerError("What?", status=502),
    ):
        copy = pickle.loads(pickle.dumps(original))
        assert (type(copy), str(copy), vars(copy)) == (
            type(original),
            str(original),
            vars(original),
        )


def test_a_request_with_a_wrong_prefix_is_refused() -> None:
    with pytest.raises(ValueError, match="brand_id"):
        ImageAdRequest(
            design_template_id="dt_1", brand_id="prod_1", product_id="prod_1", audience_id="aud_1"
        )


def test_the_simulators_key_is_the_documented_one() -> None:
    assert SIMULATOR_API_KEY == "sal_live_simulator"


async def test_many_design_templates_are_read_with_one_request() -> None:
    reply = data([{"id": "dt_1", "status": "completed"}, {"id": "dt_2", "status": "processing"}])
    async with scripted([reply]) as server, client_of(server.url) as client:
        found = await client.get_design_templates(["dt_2", "dt_1"])
    assert [template.id for template in found] == ["dt_2", "dt_1"]
    assert [r.path for r in server.received] == ["/v1/design-templates?ids=dt_2,dt_1"]
