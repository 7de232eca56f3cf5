"""What Hypothesis draws from."""

from __future__ import annotations

from hypothesis.internal.cache import LRUCache
from hypothesis.internal.conjecture import providers


def draw_the_same_whatever_is_imported() -> None:
    """Has Hypothesis take no values from the project's modules that are imported by now.

    It would draw what stands in their source, other values in each order of tests, and read all of
    them for it.
    """
    if not hasattr(providers, "_get_local_constants"):  # as in its older versions
        return
    from hypothesis.internal.constants_ast import Constants

    none = Constants()
    providers._get_local_constants = lambda: none
    providers.CONSTANTS_CACHE = LRUCache(1024)
