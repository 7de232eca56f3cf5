"""Brand kits: their names are looked up, and what differs from a saved one is told."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from prefect_staticadslab import ImageAdOptions, StaticAdsLabClient, StaticAdsLabCredentials
from prefect_staticadslab.brand_kits.diff import (
    BlockStatus,
    SavedCredentials,
    compare_credentials,
    compare_kit,
)
from prefect_staticadslab.brand_kits.kit import BrandKit
from prefect_staticadslab.brand_kits.resolve import ResolvedKits, look_up_kits
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.simulator import SimulatorServer
from prefect_staticadslab.simulator.model.resources.ids import make_id
from tests.blocks.test_brand_kit_files import read, told
from tests.conftest import simulated_ids

HARBOR_ROAST = make_id("brand", "Harbor Roast")

# The names


async def look_up(client: StaticAdsLabClient, text: str) -> ResolvedKits:
    file = read(text)
    assert file.problems == ()
    return await look_up_kits(client, await client.get_account(), file.kits)


async def test_names_filters_and_ids_become_ids(client: StaticAdsLabClient) -> None:
    ids = simulated_ids()
    found = await look_up(
        client,
        '[names]\nbrand = "harbor  ROAST"\nproduct = "Cold Brew Kit"\naudience = "Commuters"\n'
        'design_template = "ad_format=Sale"\n'
        '[ids]\nbrand = "' + ids["brand_id"] + '"\nproduct = "' + ids["product_id"] + '"\n'
        'product_variant = "250 g"\nprompt = "Hi"\neditable = true\n'
        '[part]\naudience = "' + ids["audience_id"] + '"\ngenerate_ai_images = false\n',
    )
    assert found.problems == ()
    names, by_ids, part = found.kits
    assert names == BrandKit(
        "names",
        "static-ads-lab",
        AdDefaults(
            design_template_id=make_id("dt", "Seasonal sale"),
            brand_id=HARBOR_ROAST,
            product_id=make_id("prod", "Harbor Roast", "Cold Brew Kit"),
            audience_id=make_id("aud", "Harbor Roast", "Cold Brew Kit", "Commuters"),
        ),
    )
    assert (by_ids.ad.brand_id, by_ids.ad.product_id) == (ids["brand_id"], ids["product_id"])
    assert found.names[by_ids.ad.product_variant_id] == "250 g"
    options = ImageAdOptions(generate_ai_images=False)
    assert part == BrandKit(
        "part", "static-ads-lab", AdDefaults(audience_id=ids["audience_id"], options=options)
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'brand = "Harbour Roast"',
            "a, brand: There is no brand 'Harbour Roast'. Did you mean 'Har",
        ),
        (
            'brand = "Harbor Roast"\nproduct = "Gift Kard"',
            "a, product: There is no product 'Gift Kard' of Harbor Roast. Did you mean 'Gift ",
        ),
        (
            'brand = "Harbor Roast"\nproduct = "Gift Card"\nproduct_variant = "1 kg"',
            "a, product_variant: There is no product variant '1 kg' of Gift Card. It has none.",
        ),
        (
            'brand = "Harbor Roast"\nproduct = "Gift Card"\naudience = "Commuters | Home baristas"',
            "a, audience: fits 2 audiences, and a brand kit has one: aud_",
        ),
        (
            'design_template = "industry=ecommerce"',
            "a, design_template: fits 2 completed design templates, and a brand kit has one: dt_",
        ),
        ('design_template = "ad_format=Neon"', "No completed design template has ad_format=Neon."),
        (f'design_template = "{make_id("dt", "Still in the works")}"', "only a completed design"),
        ('brand_id = "brand_nope"', "a, brand_id: There is no brand brand_nope in this"),
        ('product = "prod_nope"', "a, product: There is no product prod_nope in this"),
        (
            f'brand_id = "{HARBOR_ROAST}"\nbrand = "Fernweh Outdoor"',
            "a, brand_id: is of Harbor Roast, but brand says 'Fernweh Outdoor'.",
        ),
        (
            f'brand = "Fernweh Outdoor"\nproduct_id = "{simulated_ids()["product_id"]}"',
            "a, product_id: ",
        ),
    ],
)
async def test_a_name_or_an_id_that_is_wrong_is_told_with_what_there_is(
    client: StaticAdsLabClient, text: str, message: str
) -> None:
    assert message in told(await look_up(client, f"[a]\n{text}\n"))


async def test_what_belongs_to_something_wrong_is_not_looked_for(
    client: StaticAdsLabClient,
) -> None:
    found = await look_up(client, '[a]\nbrand = "X"\nproduct = "Y"\naudience = "Z"\n')
    assert [problem.column for problem in found.problems] == ["brand"]


async def test_kits_of_the_same_brand_share_their_requests(
    client: StaticAdsLabClient, simulator: SimulatorServer
) -> None:
    kit = 'brand = "Harbor Roast"\nproduct = "Cold Brew Kit"\naudience = "Commuters"\n'
    assert (await look_up(client, "".join(f"[kit-{n}]\n{kit}" for n in range(50)))).problems == ()
    # The account, and a list each of brands, products and audiences.
    assert len(simulator.api.admitted) <= 4


# What differs

AD = AdDefaults(
    design_template_id="dt_1",
    brand_id="brand_1",
    product_id="prod_1",
    audience_id="aud_1",
    product_variant_id="pv_1",
    prompt="Hi",
)
KIT = BrandKit("a", "static-ads-lab", AD)


def test_every_field_that_differs_is_told() -> None:
    assert compare_kit(KIT, KIT, {}).status is BlockStatus.SAME
    other = BrandKit(
        "a",
        "other",
        AdDefaults(
            design_template_id="dt_2",
            brand_id="brand_2",
            product_id="prod_2",
            audience_id="aud_2",
            prompt="Ho",
            editable=True,
            options=ImageAdOptions(generate_ai_images=False, generate_copy=True),
        ),
    )
    finding = compare_kit(KIT, other, {"aud_1": "Commuters"})
    assert finding.status is BlockStatus.DIFFERS
    told = finding.lines_if_left()
    assert len(told) == len(KIT.fields) == 10
    assert told[0] == (
        "Brand kit 'a': credentials is the block 'static-ads-lab' in Prefect "
        "and the block 'other' in the file."
    )
    assert told[4].endswith("audience_id is aud_1 (Commuters) in Prefect and aud_2 in the file.")
    assert told[5].endswith("product_variant_id is pv_1 in Prefect and not set in the file.")
    assert told[6] == "Brand kit 'a': prompt is 'Hi' in Prefect and 'Ho' in the file."
    assert told[7].endswith("editable is false in Prefect and true in the file.")
    assert told[8].endswith("generate_ai_images is not set in Prefect and false in the file.")
    assert finding.lines_if_saved()[6].endswith("prompt was 'Hi' and is now 'Ho'.")


def test_long_prompts_are_shown_from_where_they_differ() -> None:
    long = "Steam over a harbour at dawn. " * 20
    blue, red = (BrandKit("a", "b", AdDefaults(prompt=long + end)) for end in ("Blue.", "Red."))
    (told,) = compare_kit(blue, red, {}).lines_if_left()
    assert "Blue.'" in told
    assert "Red.'" in told
    assert len(told) < 200


def test_another_key_is_told_and_neither_is_shown() -> None:
    saved = SavedCredentials(SecretStr("sal_live_OLD"), "http://127.0.0.1:1/")
    wanted = StaticAdsLabCredentials.model_validate({"api_key": "sal_live_NEW"})
    finding = compare_credentials("mine", saved, wanted)
    assert finding.lines_if_left()[0] == (
        "Block 'mine': api_key is another key in Prefect "
        "and that of SAL_API_KEY in the environment."
    )
    assert "base_url is 'http://127.0.0.1:1/' in Prefect" in finding.lines_if_left()[1]
    shown = (
        repr(saved) + repr(finding) + "".join(finding.lines_if_left() + finding.lines_if_saved())
    )
    assert "OLD" not in shown
    assert "NEW" not in shown
