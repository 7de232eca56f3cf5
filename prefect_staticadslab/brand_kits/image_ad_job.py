"""Image ads as Prefect's jobs: a block with what a brand always uses, and a run for each ad."""

from __future__ import annotations

from typing import Any, ClassVar

from prefect.blocks.abstract import JobBlock, JobRun
from pydantic import BaseModel, Field, HttpUrl

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.errors import ImageAdFailedError, WaitTimeoutError
from prefect_staticadslab.api.models import OPTIONS, ImageAd, ImageAdOptions, ImageAdRequest
from prefect_staticadslab.campaign.rows.ad_defaults import AdDefaults
from prefect_staticadslab.campaign.rows.option_words import SavedOptions
from prefect_staticadslab.credentials import StaticAdsLabCredentials, one_line, prefect_logo
from prefect_staticadslab.tasks._dispatch import SyncOrAsync, dispatch
from prefect_staticadslab.tasks._runs import next_trigger_key


class ImageAdRun(JobRun[ImageAd]):
    """An image ad that is rendered, or was.

    Each method has a twin for async code whose name starts with an `a`; called from async code,
    the plain ones are to be awaited, too.

    Args:
        credentials: Whose key to use.
        image_ad_id: Which ad.

    Attributes:
        image_ad_id: Which ad.

    Example:
        ```python
        from prefect_staticadslab import (
            ImageAdJob, ImageAdRun, StaticAdsLabCredentials,
        )

        credentials = StaticAdsLabCredentials.from_environment()
        triggered = ImageAdJob(
            credentials=credentials,
            design_template_id="dt_5fa077e4b2718d5f", brand_id="brand_c885714db369753a",
            product_id="prod_7026c8a50871a920", audience_id="aud_7751a288bf5a86b8",
        ).trigger()

        # Later, or in another process:
        run = ImageAdRun(credentials, triggered.image_ad_id)
        run.wait_for_completion()
        assert run.fetch_result().is_completed
        ```
    """

    def __init__(self, credentials: StaticAdsLabCredentials, image_ad_id: str) -> None:
        self.image_ad_id = image_ad_id
        self._credentials = credentials
        # The completed ad, once it was read.
        self._finished: ImageAd | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.image_ad_id!r})"

    async def await_for_completion(
        self,
        timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
        poll_seconds: float = waiting.POLL_SECONDS,
    ) -> None:
        """Polls the ad until it is completed.

        Args:
            timeout_seconds: How long to wait.
            poll_seconds: How long between two reads; at least 2.

        Raises:
            ImageAdFailedError: The job failed; it costs nothing.
            WaitTimeoutError: It still runs.
        """
        async with self._credentials.get_client() as client:
            self._finished = await waiting.wait_for_image_ad(
                client,
                self.image_ad_id,
                timeout_seconds=timeout_seconds,
                poll_seconds=poll_seconds,
            )
        self.logger.info("Image ad %s is completed", self.image_ad_id)

    def wait_for_completion(
        self,
        timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
        poll_seconds: float = waiting.POLL_SECONDS,
    ) -> SyncOrAsync[None]:
        """Polls the ad until it is completed; see `await_for_completion`."""
        return dispatch(self.await_for_completion(timeout_seconds, poll_seconds))

    async def afetch_result(self) -> ImageAd:
        """The completed ad, with its picture's URL. Asks the API if need be, and does not wait.

        Raises:
            ImageAdFailedError: The job failed; it costs nothing.
            WaitTimeoutError: It still runs; wait for its completion first.
        """
        if self._finished is not None:
            return self._finished
        async with self._credentials.get_client() as client:
            ad = await client.get_image_ad(self.image_ad_id)
        if ad.is_failed:
            code, message = (ad.error.code, ad.error.message) if ad.error else ("", "")
            raise ImageAdFailedError(ad.id, code, message)
        if not ad.is_completed:
            raise WaitTimeoutError((ad.id,), 0)
        self._finished = ad
        return ad

    def fetch_result(self) -> SyncOrAsync[ImageAd]:
        """The completed ad, with its picture's URL; see `afetch_result`."""
        return dispatch(self.afetch_result())


class _KeyField(BaseModel):
    """The field of the key: a base of its own, because forms ask for what bases have first."""

    credentials: StaticAdsLabCredentials = Field(
        title="Credentials", description="The saved API key that the ads are made with."
    )


class ImageAdJob(JobBlock[ImageAd], AdDefaults, _KeyField):
    """
    A brand kit: the API key, and what all image ads of a brand have in common. Choose it in a form
    that creates ads, or load it in a flow, where each trigger makes an ad. What is left empty here
    is said for each ad.

    Attributes:
        credentials: The saved API key that the ads are made with.
        design_template_id: The template to render.
        brand_id: The brand to advertise.
        product_id: A product of that brand.
        audience_id: An audience of that product.
        product_variant_id: A variant of that product.
        prompt: What the picture and the copy should say.
        editable: Whether the ads can be revised later.
        options: What Static Ads Lab may invent by itself. Forms and saved blocks have words for
            it, which `option_words` translates.

    Example:
        Make an ad with what the kit holds:
        ```python
        from prefect import flow
        from prefect_staticadslab import ImageAdJob

        @flow(log_prints=True)
        def create_one_ad(prompt: str):
            kit = ImageAdJob.load("BLOCK_NAME")
            run = kit.trigger(prompt=prompt)
            run.wait_for_completion()
            print(run.fetch_result().image_url)

        if __name__ == "__main__":
            create_one_ad("Iced, by the sea")
        ```
    """

    # Prefect escapes the example's `<`, `>` and `&`, and its UI puts the block's name in place of
    # the first BLOCK_NAME only: the example has none of these, and one of that.

    _block_type_name: ClassVar[str] = "Static Ads Lab Image Ad Job"
    _block_type_slug: ClassVar[str] = "static-ads-lab-image-ad-job"
    _logo_url: ClassVar[HttpUrl] = prefect_logo("webhook")
    _documentation_url: ClassVar[HttpUrl] = StaticAdsLabCredentials._documentation_url

    options: SavedOptions = Field(default_factory=ImageAdOptions, description=OPTIONS)

    @classmethod
    def get_description(cls) -> str | None:
        """The docstring's text on one line; see `StaticAdsLabCredentials.get_description`."""
        return one_line(super().get_description())

    def request(self, **overrides: Any) -> ImageAdRequest:
        """The request that a trigger sends: the block's fields, save those that are overridden.

        Args:
            overrides: Fields of the request; None stands for the block's own, "" for none.

        Raises:
            ValueError: A field that every ad needs is nowhere, or one is wrong.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in AdDefaults.model_fields}
        fields |= {name: value for name, value in overrides.items() if value is not None}
        missing = [
            name
            for name, field in ImageAdRequest.model_fields.items()
            if field.is_required() and not fields[name]
        ]
        if missing:
            raise ValueError(
                f"An image ad needs {' and '.join(missing)}: set it in the block, "
                "or give it to trigger()."
            )
        if fields["options"] == ImageAdOptions():
            del fields["options"]
        return ImageAdRequest.model_validate(
            {name: value for name, value in fields.items() if value != ""}
        )

    async def atrigger(
        self,
        *,
        design_template_id: str | None = None,
        brand_id: str | None = None,
        product_id: str | None = None,
        audience_id: str | None = None,
        product_variant_id: str | None = None,
        prompt: str | None = None,
        editable: bool | None = None,
        options: ImageAdOptions | None = None,
        node_overrides: dict[str, dict[str, Any]] | None = None,
        idempotency_key: str | None = None,
    ) -> ImageAdRun:
        """Creates an image ad, which costs money once it completes. Does not wait for that.

        A retried task or flow run never pays twice: the key comes from the task run, else from the
        flow run, which both keep their ids across retries, and from what is asked for. Several
        triggers in one run are several ads, in whatever order they come. Only an ad whose job
        failed, which is free, is tried anew. The API keeps keys for 24 hours: a run that is
        retried later than that makes a new ad. Outside of any run, each call makes one.

        A flow that is retried as a whole has new task runs and subflow runs: what is triggered in
        them is triggered again. Give an `idempotency_key` of your own where that must not create
        the ad again, or trigger in the flow itself.

        Args:
            design_template_id, brand_id, product_id, audience_id: Instead of the block's own.
            product_variant_id, prompt, editable, options: Likewise; "" is none.
            node_overrides: Texts and pictures by the template's node id.
            idempotency_key: A key of your own: the same key and request within 24 hours give the
                same ad, whatever became of it.

        Returns:
            The ad as a run that can be waited for.

        Raises:
            ValueError: A field that every ad needs is nowhere, or one is wrong.
            StaticAdsLabError: See `prefect_staticadslab.api.errors`.
        """
        request = self.request(
            design_template_id=design_template_id,
            brand_id=brand_id,
            product_id=product_id,
            audience_id=audience_id,
            product_variant_id=product_variant_id,
            prompt=prompt,
            editable=editable,
            options=options,
            node_overrides=node_overrides,
        )
        derived = None if idempotency_key else next_trigger_key(request)
        async with self.credentials.get_client() as client:
            if derived is None:
                created = await client.create_image_ad(request, idempotency_key=idempotency_key)
            else:
                created = await waiting.create_or_reuse_ad(client, request, derived)
        ad = created.image_ad
        self.logger.info("Image ad %s %s", ad.id, "goes on" if created.replayed else "is created")
        return ImageAdRun(self.credentials, ad.id)

    def trigger(
        self,
        *,
        design_template_id: str | None = None,
        brand_id: str | None = None,
        product_id: str | None = None,
        audience_id: str | None = None,
        product_variant_id: str | None = None,
        prompt: str | None = None,
        editable: bool | None = None,
        options: ImageAdOptions | None = None,
        node_overrides: dict[str, dict[str, Any]] | None = None,
        idempotency_key: str | None = None,
    ) -> SyncOrAsync[ImageAdRun]:
        """Creates an image ad; see `atrigger`.

        A retried task or flow run never pays twice. A flow that is retried as a whole has new task
        runs and subflow runs: give an `idempotency_key` of your own where what is triggered in
        them must not be created again.
        """
        return dispatch(
            self.atrigger(
                design_template_id=design_template_id,
                brand_id=brand_id,
                product_id=product_id,
                audience_id=audience_id,
                product_variant_id=product_variant_id,
                prompt=prompt,
                editable=editable,
                options=options,
                node_overrides=node_overrides,
                idempotency_key=idempotency_key,
            )
        )
