"""The state of one simulated API, and what each call does to it."""

from __future__ import annotations

import time
from collections import Counter, deque
from decimal import Decimal
from typing import Any, Final

from prefect_staticadslab.simulator.model.admission.api_keys import scopes_by_key
from prefect_staticadslab.simulator.model.admission.idempotency import IdempotencyKeys
from prefect_staticadslab.simulator.model.admission.rate_window import RateWindows
from prefect_staticadslab.simulator.model.admission.slow_answers import SlowAnswers
from prefect_staticadslab.simulator.model.admission.wallet import Wallet
from prefect_staticadslab.simulator.model.catalogue.seeds import earlier_ads, seeded_catalogue
from prefect_staticadslab.simulator.model.chance import (
    FAILURE_WORD,
    FAULTS,
    PICTURE_FAULTS,
    Chance,
)
from prefect_staticadslab.simulator.model.design_templates.design_templates import DesignTemplates
from prefect_staticadslab.simulator.model.design_templates.template import (
    TEMPLATE_PRICE,
    TEMPLATE_SECONDS,
    Template,
    fields_from_reference,
)
from prefect_staticadslab.simulator.model.errors import APIError
from prefect_staticadslab.simulator.model.image_ads.image_ads import ImageAds
from prefect_staticadslab.simulator.model.image_ads.job import (
    PRICES,
    SECONDS,
    RenderedAd,
    Rendering,
)
from prefect_staticadslab.simulator.model.image_ads.request import (
    check_relations,
)
from prefect_staticadslab.simulator.model.resources.ids import new_id
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.model.trees import fill_tree, texts
from prefect_staticadslab.simulator.model.uploads import Upload

FOUR_K: Final = 4096
"""Pixels of the longest side of a picture in 4K."""


class SimulatedAPI:
    """The state of one simulated API. Times are seconds of `time.time()`.

    Attributes:
        settings: How it behaves; tests replace them while it runs.
        scopes: What each API key may do.
        idempotency: What was answered to idempotency keys.
        catalogue: Brands, products, variants, audiences, images, and the templates of the start.
        design_templates: All of them; `templates` are those that were made since the start.
        image_ads: All of them; `jobs` are the same by id.
        files: Uploaded images, by the id of what they became.
        counts: What happened, for tests and for `/_simulator/stats`.
        creating: Creates of image ads that are being answered.
        slow_answers: Which requests are answered late.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.scopes = scopes_by_key()
        self.idempotency = IdempotencyKeys(self.settings.key_seconds)
        self.catalogue = seeded_catalogue(self.settings.more_brands)
        self.design_templates = DesignTemplates(self.catalogue.design_templates)
        self.templates = self.design_templates.made
        self.image_ads = ImageAds()
        self.jobs = self.image_ads.jobs
        self.files: dict[str, Upload] = {}
        self.counts: Counter[str] = Counter()
        self.creating = 0
        self.slow_answers = SlowAnswers()
        self._rate_windows = RateWindows(
            self.settings.rate_limit, self.settings.rate_window_seconds
        )
        self._chance = Chance(self.settings.seed)
        self._wallet = Wallet()
        if self.settings.earlier_ads:
            self._add_earlier_ads()
        self._not_billed = frozenset(self.jobs)

    def _add_earlier_ads(self) -> None:
        """Adds ads that were completed an hour ago, and that are not billed."""
        an_hour_ago = time.time() - 3600
        for identifier, body in earlier_ads(self.catalogue).items():
            self.jobs[identifier] = self._begin_job(identifier, body, an_hour_ago, 40.0, False)

    # Who may ask

    def admit(self, api_key: str, now: float) -> dict[str, str]:
        """Counts a request against its key's rate limit, and returns the rate-limit headers.

        Raises:
            APIError: 401 for an unknown key, 429 if the window is full.
        """
        if api_key not in self.scopes:
            raise APIError(
                401,
                "UNAUTHORIZED",
                "The API key is missing or unknown.",
                headers=self.rate_headers(api_key, now),
            )
        return self._rate_windows.admit(api_key, now)

    def rate_headers(self, api_key: str, now: float) -> dict[str, str]:
        """The rate-limit headers of a key's window, without counting a request."""
        return self._rate_windows.headers(api_key if api_key in self.scopes else "", now)

    def check_scope(self, api_key: str, scope: str) -> None:
        """Raises a 403 if the key lacks the scope."""
        if scope not in self.scopes[api_key]:
            raise APIError(403, "FORBIDDEN", f"The key lacks the scope {scope}.")

    @property
    def admitted(self) -> deque[float]:
        """When each request was let in, of all API keys."""
        return self._rate_windows.admitted

    # Image ads

    def create_image_ad(
        self, body: dict[str, Any], now: float, idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Adds an image ad whose job begins now, and sets its price aside. Returns the ad.

        Raises:
            APIError: 400 for overrides that do not fit, 402, 404 or 422.
        """
        template = self.design_templates.get(body["design_template_id"], now)
        check_relations(body, template, self.catalogue)
        seconds = self._job_seconds(SECONDS)
        fails = self._chance.job_fails(body, self.settings.failure_rate)
        _, price = PRICES[bool(body.get("editable"))]
        self._charge(price, now, seconds, fails)
        # Not from the seed: a table may hold the ads of two simulators.
        job = self._begin_job(new_id("ia"), body, now, seconds, fails)
        job.idempotency_key = idempotency_key
        self.jobs[job.id] = job
        self.counts["created"] += 1
        return job.resource(now)

    def _begin_job(
        self, identifier: str, body: dict[str, Any], now: float, seconds: float, fails: bool
    ) -> RenderedAd:
        """An ad with its first rendering; it is neither charged for nor added to `jobs`."""
        template = self.design_templates.get(body["design_template_id"], now)
        width, height = template["width"], template["height"]
        picture_scale = FOUR_K / max(width, height) if self.settings.four_k else 1.0
        job = RenderedAd(identifier, body, now, width, height, picture_scale)
        tree = self.first_tree(job) if job.is_editable else None
        version, job_id = new_id("iav"), new_id("job")
        job.renderings.append(Rendering(version, 1, now, seconds, fails, tree, job_id=job_id))
        return job

    def first_tree(self, job: RenderedAd) -> dict[str, Any]:
        """An ad's tree as it is first filled from its template."""
        template = self.design_templates.get_even_deleted(
            job.body["design_template_id"], time.time()
        )
        copy_texts = {
            "Headline": str(self.catalogue.products[job.body["product_id"]]["name"]),
            "Body": " ".join(str(job.body.get("prompt") or "").split()),
        }
        return fill_tree(
            template["current_json_tree"], copy_texts, job.body.get("node_overrides") or {}
        )

    def revise_image_ad(self, identifier: str, body: dict[str, Any], now: float) -> dict[str, Any]:
        """Begins another rendering of an editable ad, which costs nothing. Returns the ad.

        Raises:
            APIError: 404, 409 while it is rendered, or 422 for a flat ad.
        """
        job = self.image_ads.editable(identifier, now)
        tree = body["current_json_tree"]
        seconds = self._job_seconds(SECONDS)
        fails = any(FAILURE_WORD in characters for _, characters in texts(tree))
        number = len(job.renderings) + 1
        rendering = Rendering(
            new_id("iav"), number, now, seconds, fails, tree, job_id=new_id("job")
        )
        job.renderings.append(rendering)
        self.counts["re-renders"] += 1
        return job.resource(now)

    def sync_image_ad(
        self, identifier: str, tree: dict[str, Any], picture: Upload, now: float
    ) -> str:
        """Takes over what was changed of an ad in Figma, and returns the version's id.

        Raises:
            APIError: 404, 409 or 422.
        """
        job = self.image_ads.editable(identifier, now)
        version, number = new_id("iav"), len(job.renderings) + 1
        job.renderings.append(Rendering(version, number, now, 0.0, False, tree, picture))
        return version

    def delete_image_ad(self, identifier: str) -> None:
        """Deletes an ad, which is billed no longer, although its price stays set aside.

        Raises:
            APIError: 404.
        """
        self.image_ads.get(identifier)
        self.counts["deleted"] += 1
        del self.jobs[identifier]

    # Design templates

    def create_template(self, reference: Upload, now: float) -> dict[str, Any]:
        """Adds a design template whose job begins now, and sets its price aside. Returns it.

        Raises:
            APIError: 402.
        """
        seconds = self._job_seconds(TEMPLATE_SECONDS)
        fails = FAILURE_WORD in reference.filename or FAILURE_WORD.encode() in reference.content
        self._charge(TEMPLATE_PRICE, now, seconds, fails)
        identifier = new_id("dt")
        fields = fields_from_reference(identifier, reference)
        template = Template(identifier, fields, now, seconds, fails)
        self.templates[identifier] = template
        self.files[identifier] = reference
        self.counts["templates created"] += 1
        return template.resource(now)

    # Images and the rest of the catalogue

    def add_image(self, upload: Upload, fields: dict[str, Any], now: float) -> dict[str, Any]:
        """Adds an uploaded image, and keeps its file. Returns the image.

        Raises:
            APIError: 422 if there is no such product.
        """
        image = self.catalogue.add_image(upload, fields, now)
        self.files[image["id"]] = upload
        return image

    def delete_resource(self, resource_type: str, identifier: str) -> None:
        """Deletes a resource of the catalogue, and the file that it has.

        Raises:
            APIError: 404, or 409 if other resources belong to it.
        """
        self.catalogue.delete(resource_type, identifier)
        self.files.pop(identifier, None)

    # The bill

    def billed_usd(self, now: float) -> Decimal:
        """What the wallet has paid: completed ads and templates only."""
        ads = [job.price for job in self.jobs.values() if self._is_billed(job, now)]
        made = sum(t.status(now) == "completed" for t in self.templates.values())
        return sum(ads, Decimal(0)) + made * TEMPLATE_PRICE

    def _is_billed(self, job: RenderedAd, now: float) -> bool:
        """Whether an ad was paid for: its first rendering succeeded, and it is no earlier one."""
        return job.id not in self._not_billed and job.renderings[0].status(now) == "completed"

    def _charge(self, price: Decimal, now: float, seconds: float, fails: bool) -> None:
        """Sets a price aside, which a job that fails gives back after so many seconds; or a 402."""
        balance = Decimal(str(self.settings.wallet_usd))
        returned_at = now + seconds if fails else None
        self._wallet.set_aside(price, now, balance=balance, returned_at=returned_at)

    # Chance and time

    def draw_fault(self) -> str | None:
        """Draws what happens to this request, and counts it; None if nothing does."""
        fault = self._chance.fault(self.settings.fault_rate, FAULTS)
        return self._count_fault(fault, "faults")

    def draw_picture_fault(self) -> str | None:
        """Draws what happens to this picture's download, and counts it; None if nothing does."""
        fault = self._chance.fault(self.settings.picture_fault_rate, PICTURE_FAULTS)
        return self._count_fault(fault, "picture faults")

    def _count_fault(self, fault: str | None, counter: str) -> str | None:
        """The same fault, counted by its own name and with all of its kind."""
        if fault is not None:
            self.counts[counter] += 1
            self.counts[f"fault: {fault}"] += 1
        return fault

    def _job_seconds(self, shortest_and_longest: tuple[float, float]) -> float:
        """Draws how many seconds a job takes at the speed of the settings."""
        return self._chance.job_seconds(*shortest_and_longest) / self.settings.speed

    def age(self, seconds: float) -> None:
        """Makes all that has happened so many seconds older: keys expire, jobs end."""
        self.idempotency.age(seconds)
        self.slow_answers.age(seconds)
        self.image_ads.age(seconds)
        self.design_templates.age(seconds)
