"""Handing in what was changed in Figma: the items, their batches, and what became of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prefect_staticadslab.api.models.fields import Identifier, JsonTree, Maybe, Resource
from prefect_staticadslab.api.models.image_ads import ImageAd
from prefect_staticadslab.api.models.jobs import JobError

MAX_FIGMA_ITEMS: Final = 10
MAX_FIGMA_BYTES: Final = 15_000_000
"""Ads in one Figma sync, and bytes of its body. From the vendor's documentation, which does not say
which megabytes it means: these are the smaller ones."""


class FigmaRender(BaseModel):
    """An editable ad as it was changed in Figma: an item of `POST /v1/image-ads/sync`.

    Attributes:
        id: The ad.
        current_json_tree: Its entire tree.
        figma_render_base64: Its picture, a PNG, as Base64.

    Example:
        ```python
        import base64
        from prefect_staticadslab.api.models import FigmaRender

        render = FigmaRender(
            id="ia_91c0", current_json_tree={"type": "FRAME", "children": []},
            figma_render_base64=base64.b64encode(b"a PNG").decode(),
        )
        assert render.id == "ia_91c0"
        ```
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern="^ia_.+")
    current_json_tree: JsonTree
    figma_render_base64: str = Field(min_length=1)

    @cached_property
    def size(self) -> int:
        """The bytes that it takes in a request's body, at most."""
        return len(json.dumps(self.model_dump()).encode()) + 2


class FigmaSyncResult(Resource):
    """What became of one item of a Figma sync.

    Attributes:
        id: The ad.
        error: Why it was not taken; None if it was.
        image_ad: The ad as it is now, where the API says so.
        version_id: The version that it became, where the API says so.
    """

    id: Identifier
    error: Maybe[JobError] = None
    image_ad: Maybe[ImageAd] = None
    version_id: Maybe[str] = None

    @property
    def is_synced(self) -> bool:
        """Whether it was taken."""
        return self.error is None

    @model_validator(mode="before")
    @classmethod
    def _from_any_shape(cls, data: Any) -> Any:
        """Brings an item into the shape of the fields. What the API sends is documented nowhere: an
        error may be a text, or only a status, and an ad may be the item itself."""
        if not isinstance(data, dict):
            return data
        ad = data.get("image_ad") or data.get("data")
        item_as_ad = data if {"status", "sku_code", "design_template_id"} & data.keys() else None
        ad = ad if isinstance(ad, dict) else item_as_ad
        error = data.get("error")
        is_refused = data.get("success") is False or data.get("status") in ("error", "failed")
        if isinstance(error, str):
            error = {"code": "", "message": error}
        if error is None and is_refused:
            error = {"code": "", "message": str(data.get("message") or "no reason given")}
        ad_id = data.get("id") or data.get("image_ad_id") or (ad or {}).get("id")
        is_ad = ad is not None and "status" in ad and error is None
        return {**data, "id": ad_id, "error": error, "image_ad": ad if is_ad else None}


def figma_batches(renders: Sequence[FigmaRender]) -> Iterator[list[FigmaRender]]:
    """Cuts ads into what one Figma sync takes, in their order.

    Raises:
        ValueError: One of them is too large for a request of its own.

    Example:
        ```python
        from prefect_staticadslab.api.models import FigmaRender, figma_batches

        render = FigmaRender(id="ia_1", current_json_tree={}, figma_render_base64="eA==")
        assert [len(batch) for batch in figma_batches([render] * 23)] == [10, 10, 3]
        ```
    """
    batch: list[FigmaRender] = []
    size = room = MAX_FIGMA_BYTES - len('{"items":[]}')
    for render in renders:
        if render.size > room:
            raise ValueError(
                f"{render.id} has {render.size / 1e6:.1f} MB with its picture and its tree; "
                f"a Figma sync takes {MAX_FIGMA_BYTES / 1e6:.0f} MB."
            )
        if batch and (len(batch) == MAX_FIGMA_ITEMS or size < render.size):
            yield batch
            batch, size = [], room
        batch.append(render)
        size -= render.size
    if batch:
        yield batch
