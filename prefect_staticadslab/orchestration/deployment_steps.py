"""A build step for `prefect.yaml`: it finds the saved block that deployments are to use."""

from __future__ import annotations

import functools
import sys
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound


def find_block(block: str) -> dict[str, Any]:
    """Asks Prefect for a saved block, and returns what stands for it in a deployment's parameters.

    With the block's id in it the UI's form shows which block is chosen; a name alone works, but
    leaves the drop-down empty. Of a block that is not saved yet it gives the name alone, and says
    so on stderr.

    Args:
        block: The block's type and name, as in `static-ads-lab-credentials/static-ads-lab`.

    Returns:
        `{"reference": {"$ref": …}}`, so that `{{ STEP_ID.reference }}` is a parameter's value.
    """
    block_type, name = block.split("/")
    reference = {"block_document_slug": block}
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(name, block_type, include_secrets=False)
        except ObjectNotFound:
            _warn_of_missing_block(block)
        else:
            reference["block_document_id"] = str(document.id)
    return {"reference": {"$ref": reference}}


@functools.cache
def _warn_of_missing_block(block: str) -> None:
    """Says on stderr that a block is not saved: once in this process for each block, although
    Prefect takes its build steps for each deployment anew."""
    print(  # noqa: T201
        f"There is no block {block} yet, and no run can start without it: save it with "
        f"`staticadslab blocks --name {block.split('/')[1]}`, or in the UI under Blocks, "
        "and deploy again.",
        file=sys.stderr,
    )
