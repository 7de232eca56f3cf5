"""What the client asks of the API, call by call, to hold the API's own description against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from prefect_staticadslab.api.models import ImageAd, ImageAdRequest, ImageAdVersion, Resource
from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.contract.kinds import (
    AUDIENCES,
    BRANDS,
    DESIGN_TEMPLATES,
    IMAGE_ADS,
    IMAGES,
    PRODUCT_VARIANTS,
    PRODUCTS,
    Kind,
    documented_fields,
)

DESCRIPTION: Final = "/openapi.json"
"""Where the API describes itself."""

PAGE_FILTERS: Final = frozenset(("limit", "starting_after"))

CATALOGUE_FIELDS: Final = {
    BRANDS: ("name", "description", "color_palettes", "fonts", "logo_image_ids", "details"),
    PRODUCTS: ("brand_id", "name", "description", "details"),
    PRODUCT_VARIANTS: ("product_id", "name", "sort_order", "image_ids"),
    AUDIENCES: ("product_id", "name", "description", "details"),
}
"""What is sent of the catalogue; tables of it may have each of these columns."""

PARENTS: Final = {PRODUCTS: "brand_id", PRODUCT_VARIANTS: "product_id", AUDIENCES: "product_id"}
"""The field that names what something belongs to. Lists are filtered by it."""


@dataclass(frozen=True)
class Call:
    """A call of the client.

    Attributes:
        method, path: What is asked; `{id}` stands for an id.
        model: What the answer is read as; None if nothing of it is read.
        fields: The fields of the answer that are read.
        is_list: Whether the answer lists them.
        sends: The fields of the JSON body.
        uploads: The fields of the multipart body.
        filters: What may stand in the query.
    """

    method: str
    path: str
    model: type[Resource] | None = None
    fields: frozenset[str] = frozenset()
    is_list: bool = False
    sends: frozenset[str] = frozenset()
    uploads: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Such as `GET /v1/brands`."""
        return f"{self.method} {self.path}"


def _call(
    method: str,
    path: str,
    model: type[Resource] | None = None,
    *,
    is_list: bool = False,
    sends: Iterable[str] = (),
    uploads: Iterable[str] = (),
    filters: Iterable[str] = (),
) -> Call:
    """A call of the API; see `Call`. What is read of its answer is what its model documents."""
    return Call(
        method,
        path,
        model,
        documented_fields(model) if model else frozenset(),
        is_list,
        frozenset(sends),
        frozenset(uploads),
        frozenset(filters) | (PAGE_FILTERS if is_list else frozenset()),
    )


def _catalogue_calls(kind: Kind, fields: tuple[str, ...]) -> Iterator[Call]:
    """The five calls for a kind of the catalogue, whose creates send these fields."""
    one, parent = f"{kind.path}/{{id}}", PARENTS.get(kind)
    filters = (parent,) if parent else ()
    yield _call("POST", kind.path, kind.model, sends=fields)
    yield _call("GET", kind.path, kind.model, is_list=True, filters=filters)
    yield _call("GET", one, kind.model)
    yield _call("PATCH", one, kind.model, sends=set(fields) - {parent})
    yield _call("DELETE", one)


_AD: Final = f"{IMAGE_ADS.path}/{{id}}"
_TEMPLATE: Final = f"{DESIGN_TEMPLATES.path}/{{id}}"
_IMAGE: Final = f"{IMAGES.path}/{{id}}"

CALLS: Final = (
    Call("GET", "/v1/account", fields=frozenset(("organization", "api_key"))),
    _call("POST", IMAGE_ADS.path, ImageAd, sends=ImageAdRequest.model_fields),
    _call(
        *("GET", IMAGE_ADS.path, ImageAd),
        is_list=True,
        filters=(
            "ids",
            "status",
            "brand_id",
            "product_id",
            "product_variant_id",
            "design_template_id",
            "batch_id",
            "editable",
            "sku_code",
        ),
    ),
    _call("POST", f"{IMAGE_ADS.path}/sync", sends=("items",)),
    _call("GET", _AD, ImageAd),
    _call("PATCH", _AD, ImageAd, sends=("current_json_tree",)),
    _call("DELETE", _AD),
    _call("GET", f"{_AD}/versions", ImageAdVersion, is_list=True),
    _call("GET", f"{_AD}/versions/{{id}}", ImageAdVersion),
    _call("POST", DESIGN_TEMPLATES.path, DesignTemplate),
    _call(
        *("GET", DESIGN_TEMPLATES.path, DesignTemplate),
        is_list=True,
        filters=("ids", "status", "industry", "ad_format", "deleted"),
    ),
    _call("GET", _TEMPLATE, DesignTemplate),
    _call("PATCH", _TEMPLATE, DesignTemplate, sends=("current_json_tree", "change_summary")),
    _call("DELETE", _TEMPLATE),
    _call("POST", f"{_TEMPLATE}/restore"),
    _call(
        *("POST", IMAGES.path, IMAGES.model),
        uploads=("file", "image_type", "product_id", "alt_text", "logo_theme"),
    ),
    _call("GET", IMAGES.path, IMAGES.model, is_list=True, filters=("product_id", "image_type")),
    _call("GET", _IMAGE, IMAGES.model),
    _call("DELETE", _IMAGE),
    *(call for kind, fields in CATALOGUE_FIELDS.items() for call in _catalogue_calls(kind, fields)),
)
"""All calls but `GET /v1/jobs/{id}`, which only the vendor's cookbook knows."""

TEMPLATE_UPLOAD: Final = frozenset(("file",))
TEMPLATE_ADDRESS: Final = frozenset(("reference_image_url",))
"""What the two ways to make a design template send: a form, or JSON."""
