"""Every call of the API, by the real client, over a socket, to the simulator."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator

import httpx
import PIL.Image
import pytest

from prefect_staticadslab import (
    Audience,
    Brand,
    DesignTemplate,
    FigmaRender,
    Image,
    ImageType,
    Product,
    ProductVariant,
    StaticAdsLabClient,
)
from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import NotFoundError, StaticAdsLabError
from prefect_staticadslab.api.events import Complete, Started
from prefect_staticadslab.api.resources import CatalogueResource, ImageFile
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from prefect_staticadslab.simulator.http.routes import api_routes
from tests.conftest import MakeRequest


class Recording(httpx.AsyncHTTPTransport):
    """Notes what is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, request.url.path))
        return await super().handle_async_request(request)


@pytest.fixture
def recording() -> Recording:
    return Recording()


@pytest.fixture
async def client(
    simulator: SimulatorServer, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[StaticAdsLabClient]:
    monkeypatch.setattr(waiting, "SHORTEST_POLL_SECONDS", 0.1)
    async with StaticAdsLabClient(SIMULATOR_API_KEY, simulator.url, transport=recording) as made:
        yield made


def picture(color: str = "teal") -> ImageFile:
    out = io.BytesIO()
    PIL.Image.new("RGB", (8, 10), color).save(out, "PNG")
    return ImageFile("picture.png", out.getvalue())


async def the_catalogue(client: StaticAdsLabClient) -> None:
    brand = await client.create_resource(Brand, name="Tidewater Tea", fonts=[{"name": "Lora"}])
    product = await client.create_resource(Product, brand_id=brand.id, name="Infusion")
    below = {"product_id": product.id, "name": "Below"}
    variant = await client.create_resource(ProductVariant, **below, sort_order=1)
    audience = await client.create_resource(Audience, **below, details={"tone": "dry"})
    # Children first: nothing is deleted that something hangs on.
    made: list[CatalogueResource] = [variant, audience, product, brand]
    for each in made:
        kind = type(each)
        assert await client.get_resource(kind, each.id) == each
        assert each.id in [found.id async for found in client.list_resources(kind)]
        changed = await client.update_resource(kind, each.id, name="Renamed")
        assert (changed.id, changed.name) == (each.id, "Renamed")
    for each in made:
        await client.delete_resource(type(each), each.id)
        with pytest.raises(NotFoundError):
            await client.get_resource(type(each), each.id)


async def images(client: StaticAdsLabClient) -> None:
    image = await client.upload_image(
        picture(), ImageType.LOGO, alt_text="A leaf", logo_theme="light"
    )
    assert (image.width, image.height, image.format) == (8, 10, "png")
    assert (image.image_type, image.alt_text, image.logo_theme) == ("logo", "A leaf", "light")
    assert await client.get_resource(Image, image.id) == image
    listed = [found.id async for found in client.list_resources(Image, image_type="logo")]
    assert listed == [image.id]
    assert [f async for f in client.list_resources(Image, image_type="product")] == []
    await client.delete_resource(Image, image.id)
    with pytest.raises(NotFoundError):
        await client.get_resource(Image, image.id)


async def design_templates(client: StaticAdsLabClient) -> None:
    made = (await client.create_design_template(picture("red"))).design_template
    assert made.status == "processing"
    done = await waiting.wait_for_design_template(client, made.id, poll_seconds=0.1)
    assert done.current_json_tree is not None
    assert [t.id for t in await client.get_design_templates([made.id])] == [made.id]
    same = client.list_resources(DesignTemplate, status="completed", deleted=False)
    assert made.id in [template.id async for template in same]
    tree = {**done.current_json_tree, "name": "Renamed"}
    changed = await client.update_design_template(made.id, tree, change_summary="A name")
    assert changed.current_json_tree == tree
    assert changed.json_tree_version != done.json_tree_version
    await client.delete_resource(DesignTemplate, made.id)
    deleted = client.list_resources(DesignTemplate, deleted=True)
    assert [template.id async for template in deleted] == [made.id]
    assert (await client.restore_design_template(made.id)).current_json_tree == tree


async def image_ads(client: StaticAdsLabClient, make_request: MakeRequest) -> None:
    request = make_request("Hi", editable=True)
    ad = (await client.create_image_ad(request)).image_ad
    events = [event async for event in client.stream_image_ad(ad.id)]
    assert (events[0], events[-1]) == (Started(ad.id), Complete(ad.id))
    done = await client.get_image_ad(ad.id)
    assert done.is_completed
    assert done.job_id is not None
    assert (await client.get_job(done.job_id)).status == "completed"
    assert [found.id for found in await client.get_image_ads([ad.id, "ia_none"])] == [ad.id]
    listed = client.list_image_ads(status="completed", brand_id=request.brand_id, editable=True)
    assert [found.id async for found in listed] == [ad.id]

    assert done.current_json_tree is not None
    revised = (await client.update_image_ad(ad.id, done.current_json_tree)).image_ad
    assert revised.status == "processing"
    await waiting.wait_for_image_ad(client, ad.id, poll_seconds=0.1)
    versions = [version async for version in client.list_image_ad_versions(ad.id)]
    assert len(versions) == 2
    for version in versions:
        assert await client.get_image_ad_version(ad.id, version.id) == version

    render = base64.b64encode(picture("navy").content).decode()
    item = FigmaRender(
        id=ad.id, current_json_tree=done.current_json_tree, figma_render_base64=render
    )
    (synced,) = await client.sync_image_ads([item])
    assert (synced.id, synced.is_synced) == (ad.id, True)
    await client.delete_image_ad(ad.id)
    with pytest.raises(NotFoundError):
        await client.get_image_ad(ad.id)


async def test_every_call_of_the_api_does_what_its_method_says(
    client: StaticAdsLabClient,
    recording: Recording,
    simulator: SimulatorServer,
    make_request: MakeRequest,
) -> None:
    assert (await client.get_account()).organization_name
    await the_catalogue(client)
    await images(client)
    await design_templates(client)
    await image_ads(client, make_request)
    unasked = [
        (method, route.path)
        for route in api_routes(simulator.api)
        for method in (route.methods or set()) - {"HEAD"}
        if not any(m == method and route.path_regex.match(path) for m, path in recording.asked)
    ]
    assert unasked == []


@pytest.mark.parametrize(
    ("kind", "identifier"),
    [
        (Brand, "brand_none"),
        (Product, "prod_none"),
        (ProductVariant, "pv_none"),
        (Audience, "aud_none"),
        (Image, "img_none"),
        (DesignTemplate, "dt_none"),
    ],
)
async def test_what_is_not_there_is_not_found(
    client: StaticAdsLabClient, kind: type[CatalogueResource], identifier: str
) -> None:
    with pytest.raises(NotFoundError):
        await client.get_resource(kind, identifier)
    if kind is not DesignTemplate:  # the API has no call to delete one
        with pytest.raises(NotFoundError):
            await client.delete_resource(kind, identifier)


async def test_a_file_that_is_no_image_is_refused(client: StaticAdsLabClient) -> None:
    with pytest.raises(StaticAdsLabError):
        await client.upload_image(ImageFile("a.png", b"Hello"), ImageType.OTHER)
