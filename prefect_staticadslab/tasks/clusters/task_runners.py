"""Opens mailboxes on the cluster of a task runner, if it is one that has them."""

from __future__ import annotations

from typing import Any

from prefect.logging import get_run_logger
from prefect.task_runners import TaskRunner

from prefect_staticadslab.tasks.clusters.messages import Mailboxes


def open_mailboxes(task_runner: TaskRunner[Any]) -> Mailboxes | None:
    """Opens mailboxes on the cluster that a task runner runs tasks on; on Ray that starts an actor.

    Returns:
        None if it is not a Dask or Ray cluster, or, with a warning in the log, if they cannot be
        opened: then workers report what they know at the end of each chunk.
    """
    packages = {cls.__module__.split(".")[0] for cls in type(task_runner).__mro__}
    try:
        if "prefect_dask" in packages:
            from prefect_staticadslab.tasks.clusters.dask_mailboxes import DaskMailboxes

            return DaskMailboxes(getattr(task_runner, "client"))  # noqa: B009
        if "prefect_ray" in packages:
            from prefect_staticadslab.tasks.clusters.ray_mailboxes import RayMailboxes

            return RayMailboxes()
    except Exception as error:
        # Whatever the cluster's libraries raise, chunks can run without.
        get_run_logger().warning(
            "The cluster's workers cannot report as they go, only at the end of each chunk: %r",
            error,
        )
    return None
