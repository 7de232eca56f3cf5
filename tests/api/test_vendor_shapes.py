"""Answers as the vendor's pages and its cookbook have them, where they are not what one expects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from prefect_staticadslab import ImageAdRequest, StaticAdsLabClient
from prefect_staticadslab.api import errors
from prefect_staticadslab.api.errors import BILLING_URL, ErrorDetail, ImageAdFailedError
from prefect_staticadslab.api.models import Account, ImageAd
from prefect_staticadslab.api.rate_limit import RateLimiter
from prefect_staticadslab.api.resources import Brand, DesignTemplate, Image, ImageFile, Product
from prefect_staticadslab.api.waiting import wait_for_image_ad, watch_image_ad
from prefect_staticadslab.campaign.pipeline.job_outcome import stop_reason
from tests.support.scripted import DROP, HANG, answer, data, error, scripted, stream

pytestmark = pytest.mark.usefixtures("no_pauses_between_retries")

PNG = b"\x89PNG\r\n\x1a\n...."
REQUEST = ImageAdRequest(
    design_template_id="dt_1", brand_id="brand_1", product_id="prod_1", audience_id="aud_1"
)


def client_of(url: str) -> StaticAdsLabClient:
    return StaticAdsLabClient("sal_live_x", url, limiter=RateLimiter())


# The account


@pytest.mark.parametrize(
    ("said", "scopes"),
    [
        ({"organization": {"name": "Shop"}, "api_key": {"scopes": ["a:read"]}}, ("a:read",)),
        ({"organization": "Shop", "scopes": ["a:read"]}, ("a:read",)),
        ({"organization": {"name": "Shop"}, "api_key": {"scopes": []}, "scopes": ["x:read"]}, ()),
        ({"organization": {"name": "Shop"}, "api_key": {"scopes": None}}, None),
        ({"organization": {"name": "Shop"}, "api_key": None}, None),
        ({"organization": {"name": "Shop"}, "api_key": "sal_…", "scopes": ["a:read"]}, ("a:read",)),
        ({"organization": {"name": "Shop"}, "api_key": {"scopes": "all"}}, None),
    ],
)
def test_scopes_are_the_keys(said: dict[str, Any], scopes: tuple[str, ...] | None) -> None:
    account = Account.model_validate(said)
    assert (account.organization_name, account.scopes) == ("Shop", scopes)


# Deleting and restoring


@pytest.mark.parametrize(
    "reply", [answer({"deleted": True}), data({"deleted": True}), b"HTTP/1.1 204 No\r\n\r\n"]
)
async def test_a_deletion_is_one_request_without_an_envelope(reply: bytes) -> None:
    async with scripted([reply]) as server, client_of(server.url) as client:
        await client.delete_image_ad("ia_1")
        await client.delete_resource(DesignTemplate, "dt_1")
    assert [(r.method, r.path) for r in server.received] == [
        ("DELETE", "/v1/image-ads/ia_1"),
        ("DELETE", "/v1/design-templates/dt_1"),
    ]


async def test_a_deletion_that_was_not_answered_is_done_if_it_is_gone_then() -> None:
    async with (
        scripted([DROP, error(404, "NOT_FOUND")]) as server,
        client_of(server.url) as client,
    ):
        await client.delete_image_ad("ia_1")
        with pytest.raises(errors.NotFoundError):
            await client.delete_image_ad("ia_1")
    assert len(server.received) == 3


async def test_a_success_that_is_none_of_these_is_not_taken_for_one() -> None:
    script = [answer({"ok": True}), answer({"deleted": True})]
    async with scripted(script) as server, client_of(server.url) as client:
        await client.delete_image_ad("ia_1")
    assert len(server.received) == 2


async def test_a_template_can_be_restored_and_deleted_ones_listed() -> None:
    template = {"id": "dt_1", "status": "completed"}
    page = answer({"data": [template], "has_more": False, "meta": {}})
    async with scripted([data(template), page]) as server, client_of(server.url) as client:
        restored = await client.restore_design_template("dt_1")
        listed = [t async for t in client.list_resources(DesignTemplate, deleted=True)]
    assert (restored.id, [t.id for t in listed]) == ("dt_1", ["dt_1"])
    assert [(r.method, r.path) for r in server.received] == [
        ("POST", "/v1/design-templates/dt_1/restore"),
        ("GET", "/v1/design-templates?deleted=true&limit=100"),
    ]
    assert server.received[0].headers["idempotency-key"]


# What may be null or of another kind


@pytest.mark.parametrize("palettes", [{"primary": "#000"}, [{"name": "x"}], None, "odd"])
def test_a_palette_is_an_object_or_a_list(palettes: object) -> None:
    brand = Brand.model_validate({"id": "brand_1", "name": "B", "color_palettes": palettes})
    assert brand.color_palettes == (None if palettes == "odd" else palettes)


@pytest.mark.parametrize("kind", [Brand, Product, Image, DesignTemplate, ImageAd])
def test_every_field_but_the_id_may_be_null(kind: type[Any]) -> None:
    nulls = dict.fromkeys(kind.model_fields) | {"id": "x_1"}
    assert kind.model_validate(nulls).id == "x_1"


# What is refused


@pytest.mark.parametrize(
    "refused",
    [
        error(422, "VALIDATION_ERROR", "Wrong kind of id."),
        error(400, "VALIDATION_ERROR"),
        error(404, "NOT_FOUND"),
        error(413, "PAYLOAD_TOO_LARGE"),
        answer("<html>URI too long</html>", 414),
    ],
    ids=["422", "400", "404", "413", "414"],
)
async def test_one_bad_id_hides_no_other_ad(refused: bytes) -> None:
    good = {"id": "ia_2", "status": "processing"}
    async with (
        scripted([refused, refused, data([good])]) as server,
        client_of(server.url) as client,
    ):
        ads = await client.get_image_ads(["brand_1", "ia_2"])
    assert [ad.id for ad in ads] == ["ia_2"]
    assert len(server.received) == 3


@pytest.mark.parametrize(
    ("fields", "message", "url"),
    [
        ({"top_up_url": "https://pay.example/a?b=c"}, "Empty.", "https://pay.example/a?b=c"),
        (
            {},
            "You need 4.00 USD and have 1.25. Top up: https://pay.example/x.",
            "https://pay.example/x",
        ),
        ({}, "Empty.", BILLING_URL),
        ({"topUpUrl": "https://pay.example/b"}, "Empty.", "https://pay.example/b"),
        ({"details": {"top_up_url": "https://pay.example/c"}}, "Empty.", "https://pay.example/c"),
        ({"top_up_url": "javascript:alert(1)"}, "Empty.", BILLING_URL),
        ({"top_up_url": "http://pay.example"}, "Empty.", BILLING_URL),
        ({"top_up_url": 7}, "Empty.", BILLING_URL),
        ({"top_up_url": "https://x.example/\x1b[2J"}, "Empty.", "https://x.example/"),
    ],
)
async def test_an_empty_wallet_says_where_to_top_it_up(
    fields: dict[str, Any], message: str, url: str
) -> None:
    reply = error(402, "INSUFFICIENT_BALANCE", message, **fields)
    async with scripted([reply]) as server, client_of(server.url) as client:
        with pytest.raises(errors.InsufficientBalanceError, match="402") as raised:
            await client.create_image_ad(REQUEST)
    assert raised.value.top_up_url == url
    told = stop_reason(raised.value)
    assert message in told
    assert url in told


# Jobs


async def test_an_ad_that_failed_tells_its_job() -> None:
    failed = {
        "id": "ia_1",
        "status": "failed",
        "job_id": "job_7",
        "error": {"code": "PIPELINE_ERROR", "message": "No."},
    }
    async with scripted([data(failed)]) as server, client_of(server.url) as client:
        with pytest.raises(ImageAdFailedError) as raised:
            await wait_for_image_ad(client, "ia_1")
    assert str(raised.value) == "ia_1 failed: No. (PIPELINE_ERROR, job job_7)"
    assert raised.value.record_id == "job_7"


async def test_a_job_can_be_read() -> None:
    job = {"job_id": "job_7", "type": "image_ad", "status": "pending", "progress": 0.5, "x": 1}
    async with scripted([data(job)]) as server, client_of(server.url) as client:
        record = await client.get_job("job_7")
    assert (record.job_id, record.status, record.progress) == ("job_7", "pending", 0.5)
    assert server.received[0].path == "/v1/jobs/job_7"


# What is learned


async def test_how_many_ids_a_read_takes_is_learned_once() -> None:
    """A server that takes 30 at most."""
    script: list[bytes] = []

    async with scripted(script) as server, client_of(server.url) as client:
        ids = [f"ia_{i}" for i in range(100)]

        def ads(count: int) -> bytes:
            return data([{"id": i, "status": "processing"} for i in ids[:count]])

        no = error(400, "VALIDATION_ERROR", "Too many ids.")
        # 100, 50, 25, 25, 50, 25, 25; and then 25 at a time.
        script += [no, no, ads(25), ads(25), no, ads(25), ads(25), *[ads(25)] * 4]
        await client.get_image_ads(ids)
        assert len(server.received) == 7
        await client.get_image_ads(ids)
    counts = [r.path.count("ia_") for r in server.received]
    assert counts == [100, 50, 25, 25, 50, 25, 25, 25, 25, 25, 25]


async def test_one_bad_id_does_not_make_reads_smaller() -> None:
    script: list[bytes] = []
    async with scripted(script) as server, client_of(server.url) as client:
        no, one = error(422, "VALIDATION_ERROR"), data([{"id": "ia_1", "status": "processing"}])
        script += [no, one, no, one, no, one]
        await client.get_image_ads(["ia_1", "ia_2", "ia_3", "bad"])
        await client.get_image_ads([f"ia_{i}" for i in range(100)])
    assert [r.path.count("ia_") for r in server.received] == [3, 2, 1, 1, 0, 100]


@pytest.mark.parametrize(
    "refused",
    [
        error(
            400,
            "VALIDATION_ERROR",
            details=[{"field": "reference_image_url", "message": "is required"}],
        ),
        error(415, "UNSUPPORTED_MEDIA_TYPE"),
    ],
    ids=["400", "415"],
)
async def test_a_template_api_that_wants_an_address_gets_the_uploads(refused: bytes) -> None:
    image = data({"id": "img_1", "src": "https://cdn.example/1.png"}, 201)
    made = data({"id": "dt_1", "status": "processing"}, 202)
    script = [refused, image, made, image, made]
    async with scripted(script) as server, client_of(server.url) as client:
        for key in ("k", "l"):
            created = await client.create_design_template(
                ImageFile("a.png", PNG), idempotency_key=key
            )
            assert created.design_template.id == "dt_1"
    assert [(r.path, r.headers["idempotency-key"]) for r in server.received] == [
        ("/v1/design-templates", "k"),
        ("/v1/images", "k-image"),
        ("/v1/design-templates", "k-address"),
        ("/v1/images", "l-image"),
        ("/v1/design-templates", "l-address"),
    ]
    assert json.loads(server.received[2].body) == {
        "reference_image_url": "https://cdn.example/1.png"
    }


async def test_a_file_that_is_refused_for_another_reason_is_not_sent_otherwise() -> None:
    refused = error(400, "VALIDATION_ERROR", details=[{"field": "file", "message": "too small"}])
    async with scripted([refused]) as server, client_of(server.url) as client:
        with pytest.raises(errors.BadRequestError) as raised:
            await client.create_design_template(ImageFile("a.png", PNG))
    assert raised.value.details == (ErrorDetail("file", "too small"),)
    assert len(server.received) == 1


async def test_a_stream_of_a_finished_ad_that_says_nothing_is_left_for_good() -> None:
    beats = stream("event: heartbeat\n\n" * 3) + HANG
    done = data({"id": "ia_1", "status": "completed", "image_url": "https://cdn.example/1.png"})
    async with scripted([beats, done, done, done]) as server, client_of(server.url) as client:
        for _ in range(2):
            ad = await watch_image_ad(client, "ia_1")
            assert ad.is_completed
    accepts = [r.headers["accept"] for r in server.received]
    assert accepts == ["text/event-stream", *["application/json"] * 3]
