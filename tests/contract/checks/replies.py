"""Answers for checks to look at, without anything being asked, and what checks say of them."""

from __future__ import annotations

from typing import Any

from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, Verdict

HOLDS, DIFFERS, UNSEEN = Verdict.HOLDS, Verdict.DIFFERS, Verdict.UNSEEN
META = {"request_id": "req_1", "timestamp": "2026-01-05T09:00:00.000Z"}
LIMIT = {"ratelimit-limit": "100", "ratelimit-remaining": "90", "ratelimit-reset": "42"}


def yes(data: Any, status: int = 200, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    """An answer that says yes."""
    body = {"data": data, "meta": META, **more}
    return Reply("GET", "/v1/image-ads", status, {**LIMIT, **(headers or {})}, body)


def no(status: int, code: str = "VALIDATION_ERROR", **error: Any) -> Reply:
    """An answer that says no."""
    body = {"error": {"code": code, "message": "No.", **error}, "meta": META}
    return Reply("POST", "/v1/image-ads", status, LIMIT, body)


def page(status: int = 502) -> Reply:
    """A proxy's."""
    return Reply("GET", "/v1/image-ads", status, {"content-type": "text/html"})


def verdict(seen: Seen) -> Verdict:
    return seen.verdict


def items(*ids: str, **more: Any) -> Reply:
    return yes([{"id": each} for each in ids], **more)
