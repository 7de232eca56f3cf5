"""The state of one simulated API, and what each call does to it."""

from __future__ import annotations

import heapq
import json
import random
import secrets
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeVar

from prefect_staticadslab.simulator.model.admission import (
    READ_ONLY_API_KEY,
    SECOND_API_KEY,
    SIMULATOR_API_KEY,
    Admission,
    APIError,
    not_valid,
)
from prefect_staticadslab.simulator.model.catalog import Catalog, make_id, seeded_catalog
from prefect_staticadslab.simulator.model.image_ads import PRICES, Job, Rendering, timestamp
from prefect_staticadslab.simulator.model.rules import RULES
from prefect_staticadslab.simulator.model.templates import (
    AD_FORMATS,
    INDUSTRIES,
    PIXELS,
    TEMPLATE_PRICE,
    Template,
    aspect_ratio,
)
from prefect_staticadslab.simulator.model.trees import (
    check_overrides,
    check_tree,
    filled,
    template_tree,
    texts,
)
from prefect_staticadslab.simulator.model.uploads import Upload, image_resource

__all__ = [
    "READ_ONLY_API_KEY",
    "SECOND_API_KEY",
    "SIMULATOR_API_KEY",
    "APIError",
    "Settings",
    "SimulatedAPI",
]

V = TypeVar("V")

FAILURE_WORD: Final = "SIMULATE_FAILURE"
"""In a prompt, a tree's text or a reference's name: the job fails."""
ONE_FAILURE_WORD: Final = "SIMULATE_ONE_FAILURE"
"""In a prompt: the first job with this very body fails, and the next one succeeds."""

JOB_SECONDS: Final = (30.0, 60.0)
TEMPLATE_SECONDS: Final = (6.0, 12.0)
HEARTBEAT_SECONDS: Final = 15.0
KEY_SECONDS: Final = 24 * 3600.0
LONGEST_SUMMARY: Final = 500

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

PICTURE_FAULTS: Final = ("cut", "503", "HTML page")
"""What can happen to a picture's download."""


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
        picture_fault_rate: Share of pictures' downloads that do, drawn from `PICTURE_FAULTS`.
        more_brands: Brands there are besides the four that are always there.
        earlier_ads: Whether there are some finished ads, always with the same ids.
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
    picture_fault_rate: float = 0.0
    more_brands: int = 0
    earlier_ads: bool = False
    seed: int = 0


class SimulatedAPI:
    """The state of one simulated API. Times are seconds of `time.time()`.

    Attributes:
        admission: The keys and what they asked.
        catalog: Brands, products, variants, audiences, images, and the templates of the start.
        templates: Design templates that were made since.
        jobs: Image ads.
        files: Uploaded images, by the id of what they became.
        counts: What happened, for tests and for `/_simulator/stats`.
        creating: Creates of image ads that are being answered.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.catalog: Catalog = seeded_catalog(self.settings.more_brands)
        self.admission = Admission(
            self.settings.rate_limit, self.settings.rate_window_seconds, self.settings.key_seconds
        )
        self.templates: dict[str, Template] = {}
        self.jobs: dict[str, Job] = {}
        self.files: dict[str, Upload] = {}
        self.counts: Counter[str] = Counter()
        self.creating = 0
        self._random = random.Random(self.settings.seed)
        self._faults = random.Random(self.settings.seed + 1)
        self._bodies: Counter[str] = Counter()
        self._committed = Decimal(0)
        self._failing: list[tuple[float, Decimal]] = []
        self._earlier: frozenset[str] = frozenset()
        if self.settings.earlier_ads:
            self._add_earlier_ads()

    @property
    def scopes(self) -> dict[str, list[str]]:
        """What each key may do."""
        return self.admission.scopes

    @property
    def admitted(self) -> deque[float]:
        """When requests were let in."""
        return self.admission.admitted

    # Image ads

    def create_image_ad(
        self, body: Any, now: float, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Begins a job.

        Raises:
            APIError: 400, 402, 404 or 422.
        """
        _check_ad(body)
        template = self._check_relations(body, now)
        low, high = JOB_SECONDS
        seconds = self._random.uniform(low, high) / self.settings.speed
        fails = self._will_fail(body)
        self._charge(PRICES[bool(body.get("editable"))][1], now + seconds if fails else None, now)
        # Not from the seed: a table may hold the ads of two simulators.
        job = self._job(f"ia_{secrets.token_hex(8)}", body, template, now, seconds, fails)
        job.idempotency_key = idempotency_key
        self.jobs[job.id] = job
        self.counts["created"] += 1
        return job.resource(now)

    def _job(
        self,
        identifier: str,
        body: dict[str, Any],
        template: Mapping[str, Any],
        now: float,
        seconds: float,
        fails: bool,
    ) -> Job:
        job = Job(identifier, body, now, template["width"], template["height"])
        tree = self.tree_of(job) if job.is_editable else None
        job.renderings.append(Rendering(_version_id(), 1, now, seconds, fails, tree))
        return job

    def tree_of(self, job: Job) -> dict[str, Any]:
        """An ad's tree as it is first filled from its template."""
        template = self.template(job.body["design_template_id"], time.time())
        copy_texts = {
            "Headline": str(self.catalog.products[job.body["product_id"]]["name"]),
            "Body": " ".join(str(job.body.get("prompt") or "").split()),
        }
        return filled(
            template["current_json_tree"], copy_texts, job.body.get("node_overrides") or {}
        )

    def image_ad(self, identifier: str) -> Job:
        """The ad of an id.

        Raises:
            APIError: 404.
        """
        return _found(self.jobs, identifier, "image ad")

    def revise_image_ad(self, identifier: str, body: Any, now: float) -> dict[str, Any]:
        """Begins another rendering of an editable ad.

        Raises:
            APIError: 400, 404, 409 while it is rendered, or 422 for a flat ad.
        """
        job = self._editable(identifier)
        if job.status(now) == "processing":
            raise APIError(409, "CONFLICT", "The image ad is being rendered at this moment.")
        if not isinstance(body, dict) or set(body) != {"current_json_tree"}:
            raise not_valid(("current_json_tree", "is required, and nothing else"))
        tree = body["current_json_tree"]
        check_tree(tree)
        low, high = JOB_SECONDS
        seconds = self._random.uniform(low, high) / self.settings.speed
        fails = any(FAILURE_WORD in characters for _, characters in texts(tree))
        number = len(job.renderings) + 1
        job.renderings.append(Rendering(_version_id(), number, now, seconds, fails, tree))
        self.counts["re-renders"] += 1
        return job.resource(now)

    def sync_image_ads(
        self, renders: list[tuple[str, dict[str, Any], Upload]], now: float
    ) -> list[dict[str, Any]]:
        """Takes over what was changed in Figma: a tree and its picture for each ad.

        Raises:
            APIError: 404, 409 or 422.
        """
        jobs = [self._editable(identifier) for identifier, _, _ in renders]
        if any(job.status(now) == "processing" for job in jobs):
            raise APIError(409, "CONFLICT", "An image ad is being rendered at this moment.")
        for job, (_, tree, given) in zip(jobs, renders, strict=True):
            number = len(job.renderings) + 1
            job.renderings.append(Rendering(_version_id(), number, now, 0.0, False, tree, given))
        return [job.resource(now) for job in jobs]

    def delete_image_ad(self, identifier: str) -> None:
        """Deletes an ad; it stays on the bill.

        Raises:
            APIError: 404.
        """
        self.image_ad(identifier)
        self.counts["deleted"] += 1
        del self.jobs[identifier]

    def rendering_of(self, name: str) -> tuple[Job, Rendering] | None:
        """The rendering that a picture's name stands for: an ad's first, or a version's."""
        if name in self.jobs:
            return self.jobs[name], self.jobs[name].renderings[0]
        for job in self.jobs.values():
            for rendering in job.renderings[1:]:
                if rendering.version_id == name:
                    return job, rendering
        return None

    def _editable(self, identifier: str) -> Job:
        job = self.image_ad(identifier)
        if not job.is_editable:
            raise APIError(422, "NOT_EDITABLE", f"{identifier} is a flat image ad.")
        return job

    # Design templates

    def all_templates(self, now: float) -> Iterator[dict[str, Any]]:
        """All design templates as the API answers them."""
        yield from self.catalog.design_templates.values()
        for template in self.templates.values():
            yield template.resource(now)

    def template(self, identifier: str, now: float) -> dict[str, Any]:
        """A design template as the API answers it.

        Raises:
            APIError: 404.
        """
        if identifier in self.templates:
            return self.templates[identifier].resource(now)
        return _found(self.catalog.design_templates, identifier, "design template")

    def create_template(self, reference: Upload, now: float) -> dict[str, Any]:
        """Begins to make a design template.

        Raises:
            APIError: 402.
        """
        low, high = TEMPLATE_SECONDS
        seconds = self._random.uniform(low, high) / self.settings.speed
        fails = FAILURE_WORD in reference.filename
        self._charge(TEMPLATE_PRICE, now + seconds if fails else None, now)
        ratio = aspect_ratio(reference.width, reference.height)
        width, height = PIXELS[ratio]
        drawn = int(reference.digest[:8], 16)
        identifier = f"dt_{secrets.token_hex(8)}"
        fields = {
            "width": width,
            "height": height,
            "aspect_ratio": ratio,
            "industry": INDUSTRIES[drawn % len(INDUSTRIES)],
            "ad_format": AD_FORMATS[drawn // len(INDUSTRIES) % len(AD_FORMATS)],
            "current_json_tree": template_tree(identifier, width, height),
            "json_tree_version": 1,
        }
        template = Template(identifier, fields, now, seconds, fails, reference)
        self.templates[identifier] = template
        self.files[identifier] = reference
        self.counts["templates created"] += 1
        return template.resource(now)

    def update_template(self, identifier: str, body: Any, now: float) -> dict[str, Any]:
        """Gives a template another tree.

        Raises:
            APIError: 400, 404, or 409 while it is made.
        """
        present = self.template(identifier, now)
        if present["status"] == "processing":
            raise APIError(409, "CONFLICT", "The design template is still being made.")
        if not isinstance(body, dict):
            raise not_valid(("body", "must be a JSON object"))
        check_tree(body.get("current_json_tree"))
        summary = body.get("change_summary")
        if summary is not None and (not isinstance(summary, str) or len(summary) > LONGEST_SUMMARY):
            raise not_valid(("change_summary", f"has at most {LONGEST_SUMMARY} characters"))
        made = self.templates.get(identifier)
        fields = made.fields if made else self.catalog.design_templates[identifier]
        fields["current_json_tree"] = body["current_json_tree"]
        fields["json_tree_version"] += 1
        fields["updated_at"] = timestamp(now)
        return self.template(identifier, now)

    # The catalogue

    def create_resource(self, kind: str, body: Any, now: float) -> dict[str, Any]:
        """Adds a brand, product, variant or audience.

        Raises:
            APIError: 400 or 422.
        """
        rules = RULES[kind]
        fields = rules.check(body, whole=True)
        rules.check_parent(fields, self.catalog)
        made = {
            "id": f"{rules.prefix}_{secrets.token_hex(6)}",
            **fields,
            "created_at": timestamp(now),
            "updated_at": timestamp(now),
        }
        getattr(self.catalog, kind)[made["id"]] = made
        return made

    def update_resource(self, kind: str, identifier: str, body: Any, now: float) -> dict[str, Any]:
        """Changes fields of a resource.

        Raises:
            APIError: 400, 404 or 422.
        """
        present = self.resource(kind, identifier)
        fields = RULES[kind].check(body, whole=False)
        RULES[kind].check_parent(fields, self.catalog)
        present |= {**fields, "updated_at": timestamp(now)}
        return present

    def resource(self, kind: str, identifier: str) -> dict[str, Any]:
        """A resource of the catalogue.

        Raises:
            APIError: 404.
        """
        resources: dict[str, dict[str, Any]] = getattr(self.catalog, kind)
        return _found(resources, identifier, kind.replace("_", " ")[:-1])

    def delete_resource(self, kind: str, identifier: str) -> None:
        """Deletes a resource.

        Raises:
            APIError: 404, or 409 if something else hangs on it.
        """
        self.resource(kind, identifier)
        for children, field_name in RULES[kind].children if kind in RULES else ():
            if any(c[field_name] == identifier for c in getattr(self.catalog, children).values()):
                raise APIError(409, "CONFLICT", f"There are {children} of {identifier}.")
        del getattr(self.catalog, kind)[identifier]
        self.files.pop(identifier, None)

    def add_image(self, upload: Upload, fields: dict[str, Any], now: float) -> dict[str, Any]:
        """Adds an uploaded image.

        Raises:
            APIError: 422 if there is no such product.
        """
        product = fields.get("product_id")
        if product and product not in self.catalog.products:
            raise APIError(422, "RELATIONSHIP_ERROR", f"There is no product {product}.")
        identifier = f"img_{secrets.token_hex(6)}"
        image = image_resource(identifier, upload, fields)
        dates = {"created_at": timestamp(now), "updated_at": timestamp(now)}
        self.catalog.images[identifier] = {**image, **dates}
        self.files[identifier] = upload
        return self.catalog.images[identifier]

    # The bill, and bad luck

    def billed_usd(self, now: float) -> Decimal:
        """What the wallet has paid: completed ads and templates only."""
        ads = [job.price for job in self.jobs.values() if self._is_billed(job, now)]
        made = sum(t.status(now) == "completed" for t in self.templates.values())
        return sum(ads, Decimal(0)) + made * TEMPLATE_PRICE

    def _is_billed(self, job: Job, now: float) -> bool:
        return job.id not in self._earlier and job.renderings[0].status(now) == "completed"

    def _charge(self, price: Decimal, freed_at: float | None, now: float) -> None:
        """Sets the price of a job aside; a failed one gives it back when it ends.

        Raises:
            APIError: 402.
        """
        while self._failing and self._failing[0][0] <= now:
            self._committed -= heapq.heappop(self._failing)[1]
        if self._committed + price > Decimal(str(self.settings.wallet_usd)):
            raise APIError(402, "INSUFFICIENT_BALANCE", "The wallet does not cover this.")
        self._committed += price
        if freed_at is not None:
            heapq.heappush(self._failing, (freed_at, price))

    def next_fault(self) -> str | None:
        """What this request meets with; None for nothing."""
        return self._drawn(self.settings.fault_rate, FAULTS, "faults")

    def next_picture_fault(self) -> str | None:
        """What this picture's download meets with; None for nothing."""
        return self._drawn(self.settings.picture_fault_rate, PICTURE_FAULTS, "picture faults")

    def _drawn(self, rate: float, faults: tuple[str, ...], counted_as: str) -> str | None:
        if self._faults.random() >= rate:
            return None
        fault = self._faults.choice(faults)
        self.counts[counted_as] += 1
        self.counts[f"fault: {fault}"] += 1
        return fault

    def age(self, seconds: float) -> None:
        """Makes all that has happened so many seconds older: keys expire, jobs end."""
        self.admission.age(seconds)
        for job in self.jobs.values():
            job.age(seconds)
        for template in self.templates.values():
            template.created -= seconds

    def _will_fail(self, body: dict[str, Any]) -> bool:
        chance = self._random.random()
        prompt = body.get("prompt") or ""
        if ONE_FAILURE_WORD in prompt:
            fingerprint = json.dumps(body, sort_keys=True)
            self._bodies[fingerprint] += 1
            return self._bodies[fingerprint] == 1
        return FAILURE_WORD in prompt or chance < self.settings.failure_rate

    def _check_relations(self, body: dict[str, Any], now: float) -> dict[str, Any]:
        """Returns the template that the ad is to be made from."""
        catalog = self.catalog
        template = self.template(body["design_template_id"], now)
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
                raise APIError(422, "RELATIONSHIP_ERROR", message)
        if body.get("node_overrides"):
            check_overrides(body["node_overrides"], template["current_json_tree"])
        return template

    def _add_earlier_ads(self) -> None:
        """Three editable ads and a flat one, made an hour ago."""
        hour_ago = time.time() - 3600
        templates = [
            t for t in self.catalog.design_templates.values() if t["status"] == "completed"
        ]
        products = list(self.catalog.products.values())
        for number, editable in enumerate((True, True, True, False), 1):
            product = products[(number - 1) * 4]
            audience = next(
                a for a in self.catalog.audiences.values() if a["product_id"] == product["id"]
            )
            template = templates[number - 1]
            body = {
                "design_template_id": template["id"],
                "brand_id": product["brand_id"],
                "product_id": product["id"],
                "audience_id": audience["id"],
                "prompt": f"An earlier ad for {str(audience['name']).lower()}",
                "editable": editable,
            }
            identifier = make_id("ia", "earlier", str(number))
            self.jobs[identifier] = self._job(identifier, body, template, hour_ago, 40.0, False)
        self._earlier = frozenset(self.jobs)


def _check_ad(body: Any) -> None:
    details: list[tuple[str, str]] = []
    if not isinstance(body, dict):
        raise not_valid(("body", "must be a JSON object"))
    for name in ("design_template_id", "brand_id", "product_id", "audience_id"):
        if not isinstance(body.get(name), str) or not body[name]:
            details.append((name, "is required"))
    for name, kind in (
        ("prompt", str),
        ("product_variant_id", str),
        ("editable", bool),
        ("options", dict),
        ("node_overrides", dict),
    ):
        if body.get(name) is not None and not isinstance(body[name], kind):
            details.append((name, f"must be a {kind.__name__}"))
    if details:
        raise not_valid(*details)


def _version_id() -> str:
    return f"iav_{secrets.token_hex(6)}"


def _found(resources: Mapping[str, V], identifier: str, kind: str) -> V:
    try:
        return resources[identifier]
    except KeyError:
        raise APIError(404, "NOT_FOUND", f"There is no {kind} {identifier}.") from None


def now() -> float:
    """The simulator's clock."""
    return time.time()
