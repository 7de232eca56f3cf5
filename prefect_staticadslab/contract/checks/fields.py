"""Whether we can read what the API lists: types, ids, times, states and prices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pydantic

from prefect_staticadslab.api.models import (
    EDITABLE_IMAGE_AD,
    PRICE_USD,
    JobProgress,
    JobRecord,
    Resource,
)
from prefect_staticadslab.contract.checks.answers import is_time
from prefect_staticadslab.contract.checks.refusals import inconclusive
from prefect_staticadslab.contract.kinds import Kind, documented_fields
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, holds, holds_if, unseen

STATUSES: Final = frozenset(("processing", "completed", "failed"))
TIMES: Final = ("created_at", "updated_at", "completed_at")
PROGRESS_FIELDS: Final = ("step", "message", "percentage")
MOST_SHOWN: Final = 3

Lists = Mapping[Kind, Reply]
"""The first page of each kind that was read."""


def unreadable(model: type[pydantic.BaseModel], item: Mapping[str, Any]) -> list[str]:
    """The fields that are there and not null, and that a model cannot read.

    Example:
        ```python
        from prefect_staticadslab.api.resources import Brand
        from prefect_staticadslab.contract.checks.fields import unreadable

        assert unreadable(Brand, {"id": "brand_1", "details": None, "fonts": "Inter"}) == ["fonts"]
        ```
    """
    try:
        read = model.model_validate(item)
    except pydantic.ValidationError as error:
        return sorted({".".join(map(str, each["loc"])) for each in error.errors()})
    return [
        f"{name}{below}"
        for name, field in model.model_fields.items()
        if item.get(name) is not None
        for below in _unread_parts(field.annotation, getattr(read, name), item[name])
    ]


def _unread_parts(annotation: object, value: Any, sent: Any) -> Iterator[str]:
    """What of a value could not be read, as what follows its field's name.

    That is "" for the value itself, `.NAME` for a field of it, and nothing if all was read.
    """
    if value is None or (annotation is str and not isinstance(sent, str)):
        yield ""
    elif isinstance(value, pydantic.BaseModel) and isinstance(sent, Mapping):
        yield from (f".{name}" for name in unreadable(type(value), sent))


def readable(kind: Kind, reply: Reply) -> Seen:
    """Whether a list of resources can be read."""
    if other := inconclusive(reply):
        return other
    if not reply.is_success or not isinstance(reply.data, list):
        return differs(f"{reply}, with no list in data", reply)
    if not reply.items:
        return unseen("there is none", reply)
    return read_as(kind.model, reply.items, reply)


def read_as(model: type[Resource], items: Sequence[Mapping[str, Any]], reply: Reply) -> Seen:
    """Whether a model can read these resources; fields that none of them has are told, too."""
    odd = {
        name: f"{name} of {item.get('id')} is {_json_type(_value_at(item, name))}"
        for item in items
        for name in unreadable(model, item)
    }
    if odd:
        return differs(", ".join(odd.values()), reply)
    present = {name for item in items for name in item}
    missing = sorted(documented_fields(model) - present)
    told = f", without {', '.join(missing)}" if missing else ""
    return holds(f"{len(items)} of them{told}", reply)


def record(reply: Reply) -> Seen:
    """Whether a job's record can be read."""
    if other := inconclusive(reply):
        return other
    odd = unreadable(JobRecord, reply.resource) if reply.is_success else [reply.result]
    told = ", ".join(odd) or f"status {reply.resource.get('status')}"
    return holds_if(not odd, told, reply)


def id_prefixes(lists: Lists) -> Seen:
    """Whether ids begin as they should."""
    pairs = [(kind, item.get("id")) for kind, reply in lists.items() for item in reply.items]
    odd = [f"{kind.name}: {name}" for kind, name in pairs if not _has_prefix(kind, name)]
    return _seen_of_many(odd, [name for _, name in pairs], lists.values())


def times(lists: Lists) -> Seen:
    """Whether the times of resources have their zone."""
    told = [
        (f"{name} of {item.get('id')} is {item[name]!r}"[:100], item[name])
        for reply in lists.values()
        for item in reply.items
        for name in TIMES
        if item.get(name) is not None
    ]
    return _seen_of_many([text for text, value in told if not is_time(value)], told, lists.values())


def statuses(lists: Lists) -> Seen:
    """Whether jobs have no other states than three."""
    found = {
        str(item["status"]) or "an empty text"
        for reply in lists.values()
        for item in reply.items
        if item.get("status") is not None
    }
    others = sorted(found - STATUSES)
    return _seen_of_many(others, found, lists.values(), ", ".join(sorted(found)))


def sku_codes(ads: Sequence[Mapping[str, Any]]) -> Seen:
    """Whether each ad's SKU has a price here, and is that of a flat or an editable ad as it is."""
    odd = [f"{ad.get('id')} has {ad.get('sku_code')!r}" for ad in ads if not _has_right_sku(ad)]
    return _seen_of_many(odd, ads, (), ", ".join(sorted({str(ad.get("sku_code")) for ad in ads})))


def image_urls(ads: Sequence[Mapping[str, Any]]) -> Seen:
    """Whether completed ads, and no others, have a picture. Editable ads that are not completed are
    left out."""
    # An editable ad that is rendered again may keep its picture meanwhile.
    clear = [ad for ad in ads if ad.get("status") == "completed" or not ad.get("editable")]
    odd = [
        f"{ad.get('id')} is {ad.get('status')} and has {'an' if ad.get('image_url') else 'no'} "
        "image_url"
        for ad in clear
        if (ad.get("status") == "completed") != bool(ad.get("image_url"))
    ]
    return _seen_of_many(odd, clear, ())


def progress(ads: Sequence[Mapping[str, Any]]) -> Seen:
    """Whether running jobs tell how far they are as we read it."""
    told = [ad["progress"] for ad in ads if ad.get("progress") is not None]
    return progress_of(told)


def progress_of(told: Sequence[Any]) -> Seen:
    """Whether what jobs say of their progress is a step, a sentence and a share."""
    odd = [f"{each!r}"[:100] for each in told if not _is_progress(each)]
    return _seen_of_many(odd, told, ())


def _is_progress(value: Any) -> bool:
    """Whether it has all fields of a progress, and a share from 0 to 1."""
    if not isinstance(value, dict) or any(name not in value for name in PROGRESS_FIELDS):
        return False
    share = value["percentage"]
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    return is_number and 0 <= share <= 1 and not unreadable(JobProgress, value)


def _has_prefix(kind: Kind, name: object) -> bool:
    return isinstance(name, str) and name.startswith(kind.prefix)


def _has_right_sku(ad: Mapping[str, Any]) -> bool:
    """Whether its SKU has a price here, and is of the kind that the ad is."""
    sku = str(ad.get("sku_code"))
    return sku in PRICE_USD and (sku == EDITABLE_IMAGE_AD) == bool(ad.get("editable"))


def _seen_of_many(
    odd: Sequence[str],
    all_items: Iterable[object],
    replies: Iterable[Reply],
    text: str | None = None,
) -> Seen:
    """Differs if anything is odd, and names it; holds, or is unseen if there was nothing to check.

    Args:
        odd: What is wrong, a phrase each.
        all_items: All that was checked.
        replies: The answers that show it.
        text: What to say if it holds; by default how many items there are.
    """
    count = len(list(all_items))
    if not count:
        return unseen("there is none")
    if odd:
        more = f", and {len(odd) - MOST_SHOWN} more" if len(odd) > MOST_SHOWN else ""
        return differs("; ".join(odd[:MOST_SHOWN]) + more, *replies)
    return holds(text or f"{count} of them", *replies)


def _value_at(item: Mapping[str, Any], name: str) -> Any:
    """The value of a field whose name may be a path, such as `progress.step`; None if not there."""
    value: Any = item
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _json_type(value: object) -> str:
    """What JSON calls the type of a value, with its article."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
