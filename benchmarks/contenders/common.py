"""What the contenders that a user would write have in common: files, and one request."""

from __future__ import annotations

import csv
import os
import sys
import time
from typing import Any

import requests

SPEED = float(os.environ.get("BENCHMARK_SPEED", "1"))
POLL_SECONDS = 4 / SPEED
"""The vendor's advice."""

SECONDS = 60
"""For one answer."""

ID_COLUMNS = ("design_template_id", "brand_id", "product_id", "audience_id")

Ad = dict[str, Any]


class RefusedError(Exception):
    """An answer that is none of the expected."""


def read_requests() -> list[dict[str, str]]:
    """The bodies that the spreadsheet's rows ask for."""
    with open(sys.argv[1], encoding="utf-8", newline="") as file:  # noqa: PTH123
        return [{c: row[c] for c in (*ID_COLUMNS, "prompt")} for row in csv.DictReader(file)]


def write_results(ads: list[Ad | None]) -> None:
    """Writes the output: a line for each row, blank where there is no ad."""
    with open(sys.argv[2], "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
        writer = csv.writer(file)
        writer.writerow(["image_ad_id", "image_url"])
        writer.writerows([ad["id"], ad["image_url"]] if ad else ["", ""] for ad in ads)


def ask(
    method: str, path: str, body: Any = None, key: str | None = None, *, patient: bool = True
) -> Any:
    """One request's `data`.

    Args:
        method, path, body: Which request.
        key: Its idempotency key.
        patient: Whether a 429 is waited for, and not an error.
    """
    headers = {"X-API-Key": os.environ["SAL_API_KEY"]}
    if key is not None:
        headers["Idempotency-Key"] = key
    while True:
        url = os.environ["SAL_BASE_URL"] + path
        answer = requests.request(method, url, json=body, headers=headers, timeout=SECONDS)
        if answer.status_code == requests.codes.too_many_requests and patient:
            time.sleep(float(answer.headers["Retry-After"]))
            continue
        if not answer.ok:
            raise RefusedError(f"{answer.status_code}: {answer.text[:200]}")
        return answer.json()["data"]


def wait_for(image_ad_id: str, *, patient: bool = True) -> Ad:
    """Polls one ad until it has ended."""
    while True:
        ad: Ad = ask("GET", f"/v1/image-ads/{image_ad_id}", patient=patient)
        if ad["status"] == "completed":
            return ad
        if ad["status"] == "failed":
            raise RefusedError(ad["error"]["message"])
        time.sleep(POLL_SECONDS)
