"""The class of all tasks here: async ones that flows which are not async may call, too."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, TypeVar, overload

from prefect.tasks import Task

from prefect_staticadslab.tasks._dispatch import SyncOrAsync, dispatch

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectFuture, PrefectFutureList

P = ParamSpec("P")
R = TypeVar("R")


class StepTask(Task[P, Coroutine[Any, Any, R]], Generic[P, R]):
    """A step of the API: to be awaited in async code, called elsewhere, or submitted in either."""

    @overload  # type: ignore[override]
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> SyncOrAsync[R]: ...

    @overload
    def __call__(
        self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any
    ) -> SyncOrAsync[State[R]]: ...

    @overload
    def __call__(
        self, *args: Any, return_state: Literal[False] = False, wait_for: Any, **kwargs: Any
    ) -> SyncOrAsync[R]: ...

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the task, and returns its result; in async code the call is to be awaited."""
        return dispatch(super().__call__(*args, **kwargs))

    def with_options(self, **options: Any) -> StepTask[P, R]:
        """A copy of the task with other options; those of Prefect's `Task.with_options`."""
        # Prefect makes a task of its own class.
        copy = super().with_options(**options)
        copy.__class__ = type(self)
        assert isinstance(copy, StepTask)  # noqa: S101
        return copy

    if TYPE_CHECKING:
        # Prefect's own types give the coroutine for what comes of it.
        @overload  # type: ignore[override]
        def submit(self, *args: P.args, **kwargs: P.kwargs) -> PrefectFuture[R]: ...

        @overload
        def submit(
            self, *args: Any, return_state: Literal[True], wait_for: Any = None, **kwargs: Any
        ) -> State[R]: ...

        @overload
        def submit(
            self, *args: Any, return_state: Literal[False] = False, wait_for: Any, **kwargs: Any
        ) -> PrefectFuture[R]: ...

        def submit(self, *args: Any, **kwargs: Any) -> Any: ...

        def map(self, *args: Any, **kwargs: Any) -> PrefectFutureList[R]: ...  # type: ignore[override]


def step_task(
    *, name: str, description: str, **options: Any
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], StepTask[P, R]]:
    """A decorator like Prefect's `task`, with its options, that makes a `StepTask`."""

    def make_task(function: Callable[P, Coroutine[Any, Any, R]]) -> StepTask[P, R]:
        return StepTask(function, name=name, description=description, **options)

    return make_task
