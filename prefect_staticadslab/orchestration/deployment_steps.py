"""A build step for `prefect.yaml`: it finds the saved block that deployments are to use."""

from __future__ import annotations

import functools
import sys
from typing import Any

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound


def find_block(block: str) -> dict[str, Any]:
    """What stands for a saved block in a deployment's parameters.

    With the block's id in it the UI's form shows which block is chosen; a name alone works, but
    leaves the drop-down empty. A block that is not saved yet is told on stderr, and may come later.

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
            _tell_missing(block)
        else:
            reference["block_document_id"] = str(document.id)
    return {"reference": {"$ref": reference}}


@functools.cache
def _tell_missing(block: str) -> None:
    # Once, although Prefect takes its build steps for each deployment anew.
    print(  # noqa: T201
        f"There is no block {block} yet, and no run can start without it: save it with "
        f"`staticadslab blocks --name {block.split('/')[1]}`, or in the UI under Blocks, "
        "and deploy again.",
        file=sys.stderr,
    )
