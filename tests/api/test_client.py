"""The client on good days, against the simulator; what the API refuses; and the client's key."""

from __future__ import annotations

import pickle

import pytest

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
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.model.admission.api_keys import READ_ONLY_API_KEY
from tests.conftest import MakeRequest
from tests.support.scripted import DROP, answer, data, error, scripted

pytestmark = pytest.mark.usefixtures("no_pauses_between_retries")

KEY = "sal_live_SECRET"
AD = {"id": "ia_1", "status": "processing", "something_new": {"deep": [1]}}


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
