"""What a word that means nothing may have meant: the nearest of those that mean something."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH, HINTS


class Nearest:
    """Finds the nearest of some words, for a bounded number of others.

    Comparing takes the product of two lengths, for each pair of words, and a spreadsheet may have
    as many mistakes as cells. So long words are compared by how they begin; and after `HINTS`
    words there is no hint any more, which nobody would read.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.nearest import Nearest

        assert Nearest(["brand", "product"]).alike("bramd", 1) == ["brand"]
        assert Nearest(["brand", "product"]).sorted("prodct") == ["product", "brand"]
        ```
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(islice(words, HINT_CHOICES))
        self._found: dict[tuple[str, int], list[str]] = {}

    def alike(self, word: str, most: int) -> list[str]:
        """Those that look much like a word, the nearest first; at most so many."""
        asked = word[:HINT_LENGTH], most
        if asked not in self._found:
            if len(self._found) >= HINTS:
                return []
            self._found[asked] = difflib.get_close_matches(asked[0], self._words, most)
        return self._found[asked]

    def sorted(self, word: str) -> list[str]:
        """All of them, the nearest first; in their own order once there are no hints any more."""
        asked = word[:HINT_LENGTH], 0
        if asked not in self._found:
            if len(self._found) >= HINTS:
                return list(self._words)
            matcher = difflib.SequenceMatcher(None)
            matcher.set_seq2(asked[0])

            def likeness(each: str) -> float:
                matcher.set_seq1(each[:HINT_LENGTH])
                return matcher.ratio()

            self._found[asked] = sorted(self._words, key=likeness, reverse=True)
        return self._found[asked]
