"""What the simulator knows and decides: keys, limits, jobs, bills. No HTTP in here."""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.catalog import Catalog, seeded_catalog

SIMULATOR_API_KEY: Final = "sal_live_simulator"
SECOND_API_KEY: Final = "sal_live_simulator_2"
"""Of the same organization, with a rate limit of its own."""
READ_ONLY_API_KEY: Final = "sal_live_read_only"

RESOURCES: Final = (
    "brands",
    "products",
    "audiences",
    "images",
    "design_templates",
    "image_ads",
)
FAILURE_WORD: Final = "SIMULATE_FAILURE"
"""In a prompt: the job fails."""
ONE_FAILURE_WORD: Final = "SIMULATE_ONE_FAILURE"
"""In a prompt: the first job with this very body fails, and the next one succeeds."""

JOB_SECONDS: Final = (30.0, 60.0)
HEARTBEAT_SECONDS: Final = 15.0
KEY_SECONDS: Final = 24 * 3600.0
PRICES: Final = {False: ("flat_image_ad", Decimal(1)), True: ("editable_image_ad", Decimal(4))}

FAULTS: Final = (
    "dropped before",
    "dropped after",
    "cut",
    "slow",
    "429",
    "500",
    "503",
    "HTML before",
    "HTML after",
)
"""What can happen to a request: "before" and the statuses keep it from being taken, "after" and
"cut" only its answer."""

STEPS: Final = (
    (0.0, "queued", "Waiting for a renderer"),
    (0.1, "copy", "Writing the copy"),
    (0.4, "images", "Making the pictures"),
    (0.7, "layout", "Filling the template"),
    (0.9, "render", "Rendering in 4K"),
)


@dataclass(frozen=True)
class Settings:
    """How the simulator behaves.

    Attributes:
        speed: How many times faster than the API jobs and heartbeats are.
        rate_limit: Requests per window and key.
        rate_window_seconds: The length of the rolling window.
        wallet_usd: What can be spent.
        failure_rate: Share of jobs that fail on their own.
        key_seconds: How long an idempotency key is remembered.
        answer_seconds: How long a create takes to be answered.
        fault_rate: Share of requests that meet with a fault, drawn from `FAULTS`.
        seed: Of everything random.
    """

    speed: float = 1.0
    rate_limit: int = 100
    rate_window_seconds: float = 60.0
    wallet_usd: float = 10_000.0
    failure_rate: float = 0.0
    key_seconds: float = KEY_SECONDS
    answer_seconds: float = 0.0
    fault_rate: float = 0.0
    seed: int = 0


class Refusal(Exception):
    """An error answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: list[dict[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


@dataclass
class Job:
    """An image ad and its fate, which is sealed when it is created."""

    id: str
    body: dict[str, Any]
    created: float
    seconds: float
    fails: bool
    width: int
    height: int
    idempotency_key: str | None = None

    def share_done(self, now: float) -> float:
        return min(1.0, (now - self.created) / self.seconds)

    def status(self, now: float) -> str:
        if self.share_done(now) < 1:
            return "processing"
        return "failed" if self.fails else "completed"

    @property
    def price(self) -> Decimal:
        return PRICES[bool(self.body.get("editable"))][1]


@dataclass
class _Remembered:
    fingerprint: str
    at: float
    answer: dict[str, Any] | None = None


@dataclass
class World:
    """The state of one simulated API. Times are seconds of `time.time()`."""

    settings: Settings = field(default_factory=Settings)
    catalog: Catalog = field(default_factory=seeded_catalog)
    jobs: dict[str, Job] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    admitted: deque[float] = field(default_factory=deque)
    creating: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.settings.seed)
        self._windows: dict[str, deque[float]] = {}
        self._remembered: dict[tuple[str, str], _Remembered] = {}
        self._bodies: Counter[str] = Counter()
        self._faults = random.Random(self.settings.seed + 1)
        self._committed = Decimal(0)
        self._failing: list[tuple[float, Decimal]] = []
        every = [f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write")]
        self.scopes: dict[str, list[str]] = {
            SIMULATOR_API_KEY: every,
            SECOND_API_KEY: every,
            READ_ONLY_API_KEY: [scope for scope in every if scope.endswith(":read")],
        }

    # Who may ask, and how often

    def admit(self, key: str, now: float) -> dict[str, str]:
        """The rate-limit headers of a request, which takes a slot.

        Raises:
            Refusal: 401 for an unknown key, 429 if the window is full.
        """
        if key not in self.scopes:
            raise Refusal(401, "UNAUTHORIZED", "The API key is missing or unknown.")
        window = self._windows.setdefault(key, deque())
        length, limit = self.settings.rate_window_seconds, self.settings.rate_limit
        while window and window[0] <= now - length:
            window.popleft()
        refused = len(window) >= limit
        if not refused:
            window.append(now)
            self.admitted.append(now)
        wait = window[0] + length - now if window else length
        headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - len(window))),
            "RateLimit-Reset": str(math.ceil(wait)),
        }
        if refused:
            headers["Retry-After"] = str(math.ceil(wait))
            raise Refusal(
                429, "RATE_LIMIT_EXCEEDED", "Too many requests in this window.", headers=headers
            )
        return headers

    def need_scope(self, key: str, scope: str) -> None:
        """Raises a 403 if the key lacks the scope."""
        if scope not in self.scopes[key]:
            raise Refusal(403, "FORBIDDEN", f"The key lacks the scope {scope}.")

    # Image ads

    def recall(
        self, key: str, idempotency_key: str, body: Any, now: float
    ) -> dict[str, Any] | None:
        """The answer that this idempotency key had, or None for the first time, which is noted.

        Raises:
            Refusal: 409 if the first request still runs, or had another body.
        """
        fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        name = (key, idempotency_key)
        known = self._remembered.get(name)
        if known is None or known.at <= now - self.settings.key_seconds:
            self._remembered[name] = _Remembered(fingerprint, now)
            return None
        if known.fingerprint != fingerprint:
            raise Refusal(409, "IDEMPOTENCY_CONFLICT", "This key was used with another body.")
        if known.answer is None:
            raise Refusal(
                409, "IDEMPOTENCY_CONFLICT", "The first request with this key still runs."
            )
        return known.answer

    def remember(self, key: str, idempotency_key: str, answer: dict[str, Any] | None) -> None:
        """Notes the answer to a key, or that there was none to remember."""
        if answer is None:
            self._remembered.pop((key, idempotency_key), None)
        else:
            self._remembered[key, idempotency_key].answer = answer

    def create_image_ad(
        self, body: Any, now: float, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Begins a job.

        Raises:
            Refusal: 400, 402, 404 or 422.
        """
        self._check_body(body)
        self._check_relations(body)
        price = PRICES[bool(body.get("editable"))][1]
        while self._failing and self._failing[0][0] <= now:
            self._committed -= heapq.heappop(self._failing)[1]
        if self._committed + price > Decimal(str(self.settings.wallet_usd)):
            raise Refusal(402, "INSUFFICIENT_BALANCE", "The wallet does not cover this image ad.")
        template = self.catalog.design_templates[body["design_template_id"]]
        low, high = JOB_SECONDS
        job = Job(
            # Not from the seed: a table may hold the ads of two simulators.
            id=f"ia_{secrets.token_hex(8)}",
            body=body,
            created=now,
            seconds=self._random.uniform(low, high) / self.settings.speed,
            fails=self._will_fail(body),
            width=template["width"],
            height=template["height"],
            idempotency_key=idempotency_key,
        )
        self._committed += price
        if job.fails:
            heapq.heappush(self._failing, (now + job.seconds, price))
        self.jobs[job.id] = job
        self.counts["created"] += 1
        return self.image_ad(job, now)

    def image_ad(self, job: Job, now: float) -> dict[str, Any]:
        """The resource as the API answers it."""
        body, status = job.body, job.status(now)
        done = status != "processing"
        step = current_step(job.share_done(now))
        return {
            "id": job.id,
            "design_template_id": body["design_template_id"],
            "brand_id": body["brand_id"],
            "product_id": body["product_id"],
            "audience_id": body["audience_id"],
            "product_variant_id": body.get("product_variant_id"),
            "prompt": body.get("prompt"),
            "options": body.get("options") or {"generate_ai_images": True, "generate_copy": True},
            "editable": bool(body.get("editable")),
            "sku_code": PRICES[bool(body.get("editable"))][0],
            "status": status,
            "progress": None if done else step,
            "image_url": f"/pictures/{job.id}.png" if status == "completed" else None,
            "width": job.width if status == "completed" else None,
            "height": job.height if status == "completed" else None,
            "current_json_tree": None,
            "figma_render_url": None,
            "initial_figma_render_url": None,
            "error": failure() if status == "failed" else None,
            "duration_ms": round(job.seconds * 1000) if done else None,
            "batch_id": None,
            "created_at": timestamp(job.created),
            "completed_at": timestamp(job.created + job.seconds) if done else None,
        }

    def billed_usd(self, now: float) -> Decimal:
        """What the wallet has paid: completed ads only."""
        return sum(
            (job.price for job in self.jobs.values() if job.status(now) == "completed"), Decimal(0)
        )

    def next_fault(self) -> str | None:
        """What this request meets with; None for nothing."""
        if self._faults.random() >= self.settings.fault_rate:
            return None
        fault = self._faults.choice(FAULTS)
        self.counts["faults"] += 1
        self.counts[f"fault: {fault}"] += 1
        return fault

    def age(self, seconds: float) -> None:
        """Makes all that has happened so many seconds older: keys expire, jobs end."""
        for remembered in self._remembered.values():
            remembered.at -= seconds
        for job in self.jobs.values():
            job.created -= seconds

    def _will_fail(self, body: dict[str, Any]) -> bool:
        chance = self._random.random()
        prompt = body.get("prompt") or ""
        if ONE_FAILURE_WORD in prompt:
            fingerprint = json.dumps(body, sort_keys=True)
            self._bodies[fingerprint] += 1
            return self._bodies[fingerprint] == 1
        return FAILURE_WORD in prompt or chance < self.settings.failure_rate

    def _check_body(self, body: Any) -> None:
        details: list[dict[str, str]] = []
        if not isinstance(body, dict):
            details.append({"field": "body", "message": "must be a JSON object"})
            body = {}
        else:
            for name in ("design_template_id", "brand_id", "product_id", "audience_id"):
                if not isinstance(body.get(name), str) or not body[name]:
                    details.append({"field": name, "message": "is required"})
        for name, kind in (
            ("prompt", str),
            ("product_variant_id", str),
            ("editable", bool),
            ("options", dict),
            ("node_overrides", dict),
        ):
            if body.get(name) is not None and not isinstance(body[name], kind):
                details.append({"field": name, "message": f"must be a {kind.__name__}"})
        if details:
            raise Refusal(400, "VALIDATION_ERROR", "The body is not valid.", details=details)

    def _check_relations(self, body: dict[str, Any]) -> None:
        catalog = self.catalog
        template = _found(catalog.design_templates, body["design_template_id"], "design template")
        _found(catalog.brands, body["brand_id"], "brand")
        product = _found(catalog.products, body["product_id"], "product")
        audience = _found(catalog.audiences, body["audience_id"], "audience")
        related = [
            (product["brand_id"] == body["brand_id"], "The product belongs to another brand."),
            (audience["product_id"] == product["id"], "The audience belongs to another product."),
            (template["status"] == "completed", "The design template is not completed."),
        ]
        if body.get("product_variant_id"):
            variant = _found(
                catalog.product_variants, body["product_variant_id"], "product variant"
            )
            related.append(
                (variant["product_id"] == product["id"], "The variant is of another product.")
            )
        for fits, message in related:
            if not fits:
                raise Refusal(422, "RELATIONSHIP_ERROR", message)


def _found(resources: Mapping[str, dict[str, Any]], identifier: str, kind: str) -> dict[str, Any]:
    try:
        return resources[identifier]
    except KeyError:
        raise Refusal(404, "NOT_FOUND", f"There is no {kind} {identifier}.") from None


def current_step(share: float) -> dict[str, Any]:
    """The pipeline's progress when so much of the job is done."""
    _, step, message = [entry for entry in STEPS if entry[0] <= share][-1]
    return {"step": step, "message": message, "percentage": round(share, 2)}


def failure() -> dict[str, str]:
    """The error of a failed job."""
    return {"code": "PIPELINE_ERROR", "message": "The picture could not be composed."}


def timestamp(moment: float) -> str:
    """ISO 8601 in UTC, to the millisecond."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def now() -> float:
    """The simulator's clock."""
    return time.time()
