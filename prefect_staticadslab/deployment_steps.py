"""A build step for `prefect.yaml`: whoever deploys hears at once what a run would miss."""

from __future__ import annotations

import sys

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound


def tell_missing_block(reference: dict[str, dict[str, str]]) -> dict[str, str]:
    """Says on stderr if a block that deployments refer to is not saved yet; it may come later.

    Args:
        reference: As in a deployment's parameters:
            `{"$ref": {"block_document_slug": "TYPE/NAME"}}`.

    Returns:
        Nothing for further steps.
    """
    slug = reference["$ref"]["block_document_slug"]
    block_type, name = slug.split("/")
    with get_client(sync_client=True) as client:
        try:
            client.read_block_document_by_name(name, block_type, include_secrets=False)
        except ObjectNotFound:
            print(  # noqa: T201
                f"There is no block {slug} yet, and no run can start without it: save it with "
                f"`python blocks/credentials.py --name {name}`, or in the UI under Blocks.",
                file=sys.stderr,
            )
    return {}
