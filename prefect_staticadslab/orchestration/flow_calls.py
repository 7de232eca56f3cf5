"""Flows of the package that may be called in flows of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from prefect import Flow

from prefect_staticadslab.tasks._dispatch import dispatch

P = ParamSpec("P")
R = TypeVar("R")


class DispatchedFlow(Flow[P, R]):
    """An async flow: to be awaited in async code, and called without elsewhere."""

    if not TYPE_CHECKING:  # Prefect's overloads say what a call gives

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Runs the flow, and returns its result; in async code the call is to be awaited."""
            return dispatch(super().__call__(*args, **kwargs))

        def with_options(self, **options: Any) -> Any:
            """A copy of the flow with other options; those of Prefect's `Flow.with_options`."""
            return dispatched(super().with_options(**options))


def dispatched(flow: Flow[P, R]) -> Flow[P, R]:
    """Turns an async flow itself into a `DispatchedFlow`, and returns it: a decorator.

    It stands above `@flow`, by which Prefect finds a flow in a file that it only reads.
    """
    flow.__class__ = DispatchedFlow
    return flow
