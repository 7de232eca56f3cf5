"""Ways in which an API may be another one than we take it for, each against one assumption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.contract.deviating import Answer, Deviation

META = {"meta": {"request_id": "req_0", "timestamp": "2026-01-05T09:00:00.000Z"}}


def deviation(
    finds: str, where: Callable[[Answer], object]
) -> Callable[[Callable[[Answer], object]], Deviation]:
    """Makes what changes an answer a deviation."""
    return lambda change: Deviation(finds, where, change)


def is_list(path: str) -> Callable[[Answer], object]:
    """Whether an answer is a list of these, and no error."""
    return lambda answer: answer.path == path and answer.method == "GET" and answer.status == 200


def each_item(path: str, finds: str, change: Callable[[dict[str, Any]], object]) -> Deviation:
    """Changes all items of a list."""

    def of(answer: Answer) -> None:
        for item in answer.body["data"]:
            change(item)

    return Deviation(finds, is_list(path), of)


@deviation("key-scopes", is_list("/v1/account"))
def scopes_beside_the_organization(answer: Answer) -> None:
    answer.body["data"]["scopes"] = answer.body["data"].pop("api_key")["scopes"]


@deviation("organization-name", is_list("/v1/account"))
def organization_by_its_name(answer: Answer) -> None:
    answer.body["data"]["organization"] = answer.body["data"]["organization"]["name"]


@deviation("no-key", lambda answer: not answer.has_key)
def forbidden_without_a_key(answer: Answer) -> None:
    answer.refuse(403, "FORBIDDEN")
    answer.status = 400


@deviation("envelope", lambda answer: answer.status == 404 and answer.path.startswith("/v1/prod"))
def errors_as_texts(answer: Answer) -> None:
    answer.body["error"]["message"] = None


@deviation("request-id", lambda answer: answer.status == 404)
def no_request_id_on_404(answer: Answer) -> None:
    answer.body["meta"].pop("request_id")


@deviation("meta-timestamp", is_list("/v1/images"))
def timestamps_as_numbers(answer: Answer) -> None:
    answer.body["meta"]["timestamp"] = 1767603600


@deviation("rate-limit-headers", lambda answer: answer.has_key and answer.status == 400)
def no_headers_on_400(answer: Answer) -> None:
    for name in [name for name in answer.headers if name.lower() == "ratelimit-remaining"]:
        del answer.headers[name]


@deviation("rate-limit-window", lambda answer: answer.has_key)
def reset_as_a_date(answer: Answer) -> None:
    for name in [name for name in answer.headers if name.lower() == "ratelimit-reset"]:
        answer.headers[name] = "1767603600"


@deviation("rate-limit-counts", lambda answer: answer.has_key)
def nothing_counts(answer: Answer) -> None:
    for name in [name for name in answer.headers if name.lower() == "ratelimit-remaining"]:
        answer.headers[name] = "9999"


@deviation("has-more", is_list("/v1/audiences"))
def a_total_and_no_has_more(answer: Answer) -> None:
    answer.body.pop("has_more")
    answer.body["total"] = 3


@deviation("limit-bounds", lambda answer: answer.query.get("limit") == "101")
def larger_pages(answer: Answer) -> None:
    answer.accept([], has_more=False)


@deviation("cursors", lambda answer: "starting_after" in answer.query and not answer.ids)
def a_cursor_that_ends_the_list(answer: Answer) -> None:
    answer.body["data"] = []


@deviation("filter-values", lambda answer: answer.query.get("image_type") == "no-such-value")
def filters_that_find_nothing(answer: Answer) -> None:
    answer.accept([], has_more=False)


@deviation("image-ads-100-ids", lambda a: a.path == "/v1/image-ads" and len(a.ids) == 100)
def at_most_eighty_ids(answer: Answer) -> None:
    answer.refuse(400, "VALIDATION_ERROR")


@deviation(
    "design-templates-101-ids", lambda a: a.path == "/v1/design-templates" and len(a.ids) == 101
)
def any_number_of_ids(answer: Answer) -> None:
    answer.accept([], has_more=False)


@deviation("ids-without-cursors", lambda answer: answer.ids and "limit" in answer.query)
def ids_in_pages(answer: Answer) -> None:
    del answer.body["data"][1:]


@deviation(
    "unknown-ids-left-out", lambda answer: len(answer.ids) == 2 and not answer.query.get("limit")
)
def nulls_for_unknown_ids(answer: Answer) -> None:
    answer.body["data"] = [{"id": name} for name in answer.ids]


@deviation("unknown-id", lambda answer: answer.status == 404 and answer.path.startswith("/v1/aud"))
def gone(answer: Answer) -> None:
    answer.status = 410


@deviation("wrong-kind-of-id", lambda a: a.status == 422 and a.path.startswith("/v1/image-ads/"))
def not_found_for_a_wrong_kind(answer: Answer) -> None:
    answer.refuse(404, "NOT_FOUND")


@deviation("delete-unknown", lambda answer: answer.method == "DELETE")
def nothing_to_delete(answer: Answer) -> None:
    answer.accept({"deleted": True})


@deviation("empty-creates", lambda a: a.method == "POST" and a.path == "/v1/audiences")
def an_audience_of_nobody(answer: Answer) -> None:
    answer.accept({"id": "aud_0123456789abcdef"}, 201)


@deviation("error-details", lambda a: a.method == "POST" and "details" in a.body.get("error", {}))
def details_by_field(answer: Answer) -> None:
    listed = answer.body["error"]["details"]
    answer.body["error"]["details"] = {each["field"]: each["message"] for each in listed}


@deviation("finished-stream", lambda answer: answer.wants_stream)
def a_stream_that_says_nothing(answer: Answer) -> None:
    answer.text = b""


@deviation("versions", lambda answer: answer.path.endswith("/versions"))
def versions_by_number(answer: Answer) -> None:
    for number, version in enumerate(answer.body["data"]):
        version["id"] = number


@deviation("job-record", lambda answer: answer.path.startswith("/v1/jobs/"))
def no_jobs(answer: Answer) -> None:
    answer.refuse(404, "NOT_FOUND")


palette_as_text = each_item(
    "/v1/brands", "fields-brands", lambda brand: brand.update(color_palettes="#ff0000")
)
name_as_object = each_item(
    "/v1/products", "fields-products", lambda product: product.update(name={"en": "Tea"})
)
times_without_zone = each_item(
    "/v1/audiences", "times", lambda audience: audience.update(created_at="2026-01-05T09:00:00")
)
done_for_completed = each_item(
    "/v1/design-templates", "statuses", lambda template: template.update(status="done")
)
another_sku = each_item("/v1/image-ads", "sku-codes", lambda ad: ad.update(sku_code="static_ad"))
url_of_another_name = each_item(
    "/v1/image-ads", "image-url", lambda ad: ad.update(url=ad.pop("image_url"))
)
percent = each_item(
    "/v1/image-ads",
    "job-progress",
    lambda ad: ad["progress"] and ad["progress"].update(percentage=40),
)
ids_with_a_dash = each_item(
    "/v1/product-variants", "id-prefixes", lambda variant: variant.update(id="variant-1")
)

TEN = (
    scopes_beside_the_organization,
    no_request_id_on_404,
    no_headers_on_400,
    palette_as_text,
    larger_pages,
    at_most_eighty_ids,
    ids_in_pages,
    not_found_for_a_wrong_kind,
    details_by_field,
    a_stream_that_says_nothing,
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Deviation))
