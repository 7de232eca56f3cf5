"""Tasks for design templates: from a reference ad to a template, and from a tree to another one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from prefect.cache_policies import NO_CACHE

from prefect_staticadslab.api import waiting
from prefect_staticadslab.api.models import JsonTree
from prefect_staticadslab.api.resources import DesignTemplate
from prefect_staticadslab.campaign.files.images import read_image
from prefect_staticadslab.campaign.pipeline.planned_job import (
    ImageAdResult,
    Journal,
    PlannedJob,
    RemoteJournal,
)
from prefect_staticadslab.campaign.runs.credentials import run_chunk
from prefect_staticadslab.credentials import StaticAdsLabCredentials
from prefect_staticadslab.tasks._runs import RETRIES, task_run_key
from prefect_staticadslab.tasks._step_task import step_task


@step_task(
    name="create-design-template",
    description="Has a design template made from a reference ad. Costs 0.25 USD once it completes.",
    **RETRIES,
)
async def create_design_template(
    credentials: StaticAdsLabCredentials,
    reference: str,
    idempotency_key: str | None = None,
) -> DesignTemplate:
    """Has one design template made; it starts as `processing`.

    A retried task run never makes a second one: its key is derived from the task run, which keeps
    its id across retries. A flow that is retried as a whole has new task runs, as have its
    subflows; give an `idempotency_key` of your own where that must not make another template.

    Args:
        credentials: Whose key to use.
        reference: The reference ad: a path or a URL of a PNG, JPEG, WebP or GIF of at
            most 15 MB.
        idempotency_key: A key of your own instead; the same key and picture within 24 hours give
            the same template.

    Raises:
        ImageFileError: The reference cannot be read, or is no such picture; nothing was sent.
        StaticAdsLabError: See `prefect_staticadslab.api.errors`.

    Example:
        ```python
        import asyncio
        from PIL import Image
        from prefect import flow
        from prefect_staticadslab import (
            StaticAdsLabCredentials, create_design_template, wait_for_design_template,
        )

        Image.new("RGB", (400, 500), "teal").save("reference.png")

        @flow
        async def one_template(credentials: StaticAdsLabCredentials) -> str:
            template = await create_design_template(credentials, "reference.png")
            finished = await wait_for_design_template(credentials, template.id)
            return finished.preview_url

        print(asyncio.run(one_template(StaticAdsLabCredentials.from_environment())))
        ```
    """
    image = await asyncio.to_thread(read_image, reference)
    async with credentials.get_client() as client:
        created = await client.create_design_template(
            image, idempotency_key=idempotency_key or task_run_key()
        )
    return created.design_template


@step_task(
    name="wait-for-design-template",
    description="Polls one design template every two seconds until it is completed.",
    **RETRIES,
)
async def wait_for_design_template(
    credentials: StaticAdsLabCredentials,
    design_template_id: str,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
    poll_seconds: float = waiting.SHORTEST_POLL_SECONDS,
) -> DesignTemplate:
    """Polls one design template until it is completed. See `create_design_template`.

    Args:
        credentials: Whose key to use.
        design_template_id: Which one.
        timeout_seconds: How long to wait.
        poll_seconds: How long between two reads; at least 2.

    Raises:
        DesignTemplateFailedError: The job failed; it costs nothing.
        WaitTimeoutError: It still runs.
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await waiting.wait_for_design_template(
            client, design_template_id, timeout_seconds=timeout_seconds, poll_seconds=poll_seconds
        )


@step_task(
    name="update-design-template",
    description="Gives a design template another tree.",
    **RETRIES,
)
async def update_design_template(
    credentials: StaticAdsLabCredentials,
    design_template_id: str,
    current_json_tree: JsonTree,
    change_summary: str | None = None,
    idempotency_key: str | None = None,
) -> DesignTemplate:
    """Gives a design template another tree, which ads that are created from then on are made by.

    Args:
        credentials: Whose key to use.
        design_template_id: Which one.
        current_json_tree: The entire tree, never a part of it.
        change_summary: What was changed, in at most 500 characters.
        idempotency_key: A key of your own instead of the task run's.

    Raises:
        BadRequestError, NotFoundError: The tree is none, or there is no such template.

    Example:
        ```python
        import asyncio
        from prefect import flow
        from prefect_staticadslab import (
            StaticAdsLabCredentials, get_design_template, update_design_template,
        )

        @flow
        async def bigger_headline(credentials: StaticAdsLabCredentials) -> int:
            template = await get_design_template(credentials, "dt_5fa077e4b2718d5f")
            tree = template.current_json_tree
            for node in tree["children"]:
                if node["type"] == "TEXT":
                    node["fontSize"] = 120
            changed = await update_design_template(
                credentials, template.id, tree, "A bigger headline"
            )
            return changed.json_tree_version

        print(asyncio.run(bigger_headline(StaticAdsLabCredentials.from_environment())))
        ```
    """
    async with credentials.get_client() as client:
        return await client.update_design_template(
            design_template_id,
            current_json_tree,
            change_summary=change_summary,
            idempotency_key=idempotency_key or task_run_key(),
        )


@step_task(
    name="restore-design-template",
    description="Brings a deleted design template back.",
    **RETRIES,
)
async def restore_design_template(
    credentials: StaticAdsLabCredentials,
    design_template_id: str,
    idempotency_key: str | None = None,
) -> DesignTemplate:
    """Brings a design template back that was deleted with `delete_resource`.

    Args:
        credentials: Whose key to use.
        design_template_id: Which one; `list_design_templates(…, deleted=True)` lists them.
        idempotency_key: A key of your own instead of the task run's.

    Raises:
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await client.restore_design_template(
            design_template_id, idempotency_key=idempotency_key or task_run_key()
        )


@step_task(
    name="get-design-template",
    description="Reads one design template from the Static Ads Lab API.",
    **RETRIES,
)
async def get_design_template(
    credentials: StaticAdsLabCredentials, design_template_id: str
) -> DesignTemplate:
    """One design template as it is now, with its tree.

    Raises:
        NotFoundError: There is none of this id.
    """
    async with credentials.get_client() as client:
        return await client.get_design_template(design_template_id)


@step_task(
    name="make-design-templates",
    description="Creates a chunk of design templates, and follows them in batches.",
    cache_policy=NO_CACHE,
)
async def make_design_templates(
    credentials: StaticAdsLabCredentials,
    planned: Sequence[PlannedJob],
    attempts: int = 2,
    timeout_seconds: float = waiting.ONE_AD_TIMEOUT_SECONDS,
    wait: bool = True,
    journal: Journal | RemoteJournal | None = None,
) -> list[ImageAdResult]:
    """Has a chunk of design templates made, and follows them.

    The arguments and the results are those of `generate_image_ads`.
    """
    return await run_chunk(credentials, planned, attempts, timeout_seconds, wait, journal)
