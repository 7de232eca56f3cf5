"""The catalogue as tables: a workbook with a sheet for each type, or a folder with a .csv each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from prefect_staticadslab.api.errors import PermissionDeniedError
from prefect_staticadslab.api.models import Account
from prefect_staticadslab.api.resources import CatalogueResource, Image
from prefect_staticadslab.bounds import PAGE_START_BYTES
from prefect_staticadslab.campaign.errors import CampaignError
from prefect_staticadslab.campaign.files import locations, storage
from prefect_staticadslab.campaign.files.cells import Dialect, cell_text, frame_of
from prefect_staticadslab.campaign.files.formats.text import encode_text
from prefect_staticadslab.campaign.files.formats.workbooks.workbook import workbook_creator
from prefect_staticadslab.campaign.files.formats.xlsx_writer import encode_workbook
from prefect_staticadslab.campaign.files.formulas import CatalogueText
from prefect_staticadslab.campaign.names.listings import Listing
from prefect_staticadslab.campaign.names.preflight import translate_api_errors
from prefect_staticadslab.campaign.rows.resource_types import (
    AUDIENCE,
    BRAND,
    PRODUCT,
    TEMPLATE,
    VARIANT,
    ResourceType,
)

if TYPE_CHECKING:
    import pandas as pd

    from prefect_staticadslab.api.client import StaticAdsLabClient

IMAGE: Final = ResourceType("image", Image, "images:read", "product")
"""The type of the catalogue's images, which a row of a campaign cannot name."""

CREATOR: Final = "prefect-staticadslab catalogue"
"""The program that our workbooks name as their creator: only such a workbook is overwritten."""

_DATES: Final = ("created_at", "updated_at")

COLUMNS: Final[Mapping[ResourceType, tuple[str, ...]]] = {
    BRAND: ("id", "name", "description", "color_palettes", "fonts", "logo_image_ids", "details"),
    PRODUCT: ("id", "name", "brand_id", "brand_name", "description", "details"),
    VARIANT: (
        "id", "name", "product_id", "product_name", "brand_id", "brand_name", "sort_order",
        "image_ids",
    ),
    AUDIENCE: (
        "id", "name", "product_id", "product_name", "brand_id", "brand_name", "description",
        "details",
    ),
    TEMPLATE: (
        "id", "status", "ad_format", "industry", "aspect_ratio", "width", "height", "preview_url",
        "reference_image_url", "json_tree_version",
    ),
    IMAGE: (
        "id", "image_type", "product_id", "product_name", "alt_text", "logo_theme", "width",
        "height", "format", "size_bytes", "is_ai_generated", "src", "thumbnail_medium_src",
    ),
}  # fmt: skip
"""Each table's columns, before the dates that all have."""


class ReportError(CampaignError):
    """The report cannot be written there."""


@dataclass(frozen=True)
class CatalogueContent:
    """All resources of some types, as far as the key may read them.

    Attributes:
        resources: All resources of each type, in the API's order.
        unreadable: Types that the key may not read.
    """

    resources: Mapping[ResourceType, tuple[CatalogueResource, ...]]
    unreadable: tuple[ResourceType, ...] = ()


def table_name(resource_type: ResourceType) -> str:
    """The name of a type's table: of its sheet, and of its .csv without the ending."""
    return f"{resource_type.name}s"


async def read_catalogue(
    client: StaticAdsLabClient,
    account: Account,
    resource_types: Iterable[ResourceType] = tuple(COLUMNS),
) -> CatalogueContent:
    """Reads all resources of these types, and which of the types the key may not read.

    Args:
        client: Whom to ask.
        account: The key's scopes: types that they leave out are not asked for.
        resource_types: The types; all that have tables by default.

    Raises:
        KeyRefusedError: The key is not accepted, or the API is out of reach.
    """
    resources: dict[ResourceType, tuple[CatalogueResource, ...]] = {}
    unreadable = []
    for resource_type in resource_types:
        if account.scopes and resource_type.scope not in account.scopes:
            unreadable.append(resource_type)
            continue
        with translate_api_errors(client):
            try:
                listed = [r async for r in client.list_resources(resource_type.resource)]
                resources[resource_type] = Listing.without_repeats(listed).resources
            except PermissionDeniedError:
                unreadable.append(resource_type)
    return CatalogueContent(resources, tuple(unreadable))


def tables(content: CatalogueContent) -> dict[str, pd.DataFrame]:
    """A table for each type, by its `table_name`: ids first, the names of parents beside their ids,
    the rest as text.

    Example:
        ```python
        from prefect_staticadslab import Brand, Product
        from prefect_staticadslab.campaign.rows.resource_types import BRAND, PRODUCT
        from prefect_staticadslab.campaign.catalogue_tables.report import CatalogueContent, tables

        made = tables(CatalogueContent({
            BRAND: (Brand(id="brand_1", name="Harbor Roast", fonts=[{"name": "Inter"}]),),
            PRODUCT: (Product(id="prod_1", name="Cold Brew Kit", brand_id="brand_1"),),
        }))
        assert made["products"]["brand_name"].tolist() == ["Harbor Roast"]
        assert made["brands"]["fonts"].tolist() == ['[{"name": "Inter"}]']
        ```
    """
    by_id = {
        resource.id: resource
        for resource_type in (BRAND, PRODUCT)
        for resource in content.resources.get(resource_type, ())
    }
    return {
        table_name(resource_type): frame_of(
            _header(resource_type),
            [_resource_cells(resource, _header(resource_type), by_id) for resource in resources],
        )
        for resource_type, resources in content.resources.items()
    }


def _header(resource_type: ResourceType) -> list[str]:
    """The columns of a type's table."""
    return [*COLUMNS[resource_type], *_DATES]


def _resource_cells(
    resource: CatalogueResource, header: Sequence[str], by_id: Mapping[str, CatalogueResource]
) -> list[Any]:
    """A resource's cells under a header, with the names of the brand and the product that it is
    of."""
    product = by_id.get(getattr(resource, "product_id", None) or "")
    brand_id = getattr(product or resource, "brand_id", None)
    brand = by_id.get(brand_id or "")
    parent_cells = {
        "product_name": product.name if product else None,
        "brand_id": brand_id,
        "brand_name": brand.name if brand else None,
    }
    return [
        _cell_value(parent_cells[name] if name in parent_cells else getattr(resource, name, None))
        for name in header
    ]


def _cell_value(value: Any) -> Any:
    """A resource's value as a cell: an integer or a text; "" for None and empty values."""
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) and not isinstance(value, bool) else cell_text(value)


def check_report(output: str) -> None:
    """Raises if the report cannot be written there: only an earlier report is overwritten.

    Args:
        output: The path or URL of an .xlsx, or of a folder for .csv files.

    Raises:
        ReportError: It is neither, or there is a file that is no report.
        StorageError: It cannot be read or written to.
    """
    ending = storage.suffix(output)
    if _names_folder(output):
        for resource_type in COLUMNS:
            location = storage.join(output, f"{table_name(resource_type)}.csv")
            if storage.exists(location):
                storage.check_target(location)
                start = storage.read_start(location, PAGE_START_BYTES)
                if _csv_header(start) != _header(resource_type):
                    raise _not_ours_error(location)
        return
    if ending != ".xlsx":
        raise ReportError(
            f"{storage.name(output)} must end in .xlsx, or be a folder for .csv files: "
            "end it with /."
        )
    storage.check_target(output)
    if storage.exists(output) and workbook_creator(storage.read_bytes(output)) != CREATOR:
        raise _not_ours_error(output)


def write_report(output: str, frames: Mapping[str, pd.DataFrame]) -> None:
    """Writes the tables: one .xlsx with a sheet each, or a folder with a .csv each.

    A local folder that does not exist is made.

    Args:
        output: Where to; see `check_report`.
        frames: The tables by their names, as `tables` gives them.

    Raises:
        ReportError, StorageError: It cannot be written there.
        SpreadsheetError: A cell is longer than an .xlsx holds.
    """
    check_report(output)
    if not _names_folder(output):
        storage.write_bytes(output, encode_workbook(frames, creator=CREATOR))
        return
    if not storage.is_url(output):
        folder = locations.local_path(output)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ReportError(f"There can be no folder {output}: {error.strerror}.") from None
    for name, frame in frames.items():
        # With the mark that tells Excel that it is UTF-8.
        content = encode_text(_mark_catalogue_text(frame), Dialect(byte_order_mark=True))
        storage.write_bytes(storage.join(output, f"{name}.csv"), content)


def _mark_catalogue_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy in which all texts are `CatalogueText`, so that none is written as a formula."""
    lines = [
        [CatalogueText(value) if isinstance(value, str) else value for value in line]
        for line in frame.itertuples(index=False, name=None)
    ]
    return frame_of(list(frame.columns), lines)


def _names_folder(output: str) -> bool:
    """Whether an output is a folder by its name: it ends with / or has no ending. No I/O."""
    return output.endswith("/") or not storage.suffix(output)


def _csv_header(content: bytes) -> list[str]:
    """The cells of the first line of a .csv; [] if it is empty."""
    text = content.decode("utf-8-sig", errors="replace")
    return next(csv.reader(io.StringIO(text, newline="")), [])


def _not_ours_error(location: str) -> ReportError:
    """The error for a file that this program did not write, and so does not overwrite."""
    return ReportError(
        f"There is a {locations.redacted(location)} already, and it is no catalogue that this "
        "program wrote. It is left alone; choose another name."
    )
