"""What a word that means nothing may have meant: the nearest of those that mean something."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice
from typing import Final

from prefect_staticadslab.bounds import HINT_CHOICES, HINT_LENGTH, HINTS

_ALIKE: Final = 0.6
"""From where on, between 0 and 1, two words are alike; difflib's own default."""

_COMPARED: Final = 20
"""Words that are compared letter by letter, which takes long if all of them have the same letters:
those that have most letters in common."""


class Nearest:
    """Finds the nearest of some words, for a bounded number of others.

    Comparing takes the product of two lengths and more, for each pair of words, and a spreadsheet
    may have as many mistakes as cells. So long words are compared by how they begin; and after
    `HINTS` words there is no hint any more, which nobody would read.

    Example:
        ```python
        from prefect_staticadslab.campaign.names.nearest import Nearest

        assert Nearest(["brand", "product"]).alike("bramd", 1) == ["brand"]
        assert Nearest(["brand", "product"]).sorted("prodct") == ["product", "brand"]
        ```
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(islice(words, HINT_CHOICES))
        self._found: dict[str, list[tuple[float, str]]] = {}

    def alike(self, word: str, most: int) -> list[str]:
        """Those that look much like a word, the nearest first; at most so many."""
        near = [each for likeness, each in self._ranked(word) if likeness >= _ALIKE]
        return near[:most]

    def sorted(self, word: str) -> list[str]:
        """All of them, the nearest first; in their own order once there are no hints any more."""
        return [each for _, each in self._ranked(word)] or list(self._words)

    def _ranked(self, word: str) -> list[tuple[float, str]]:
        """Each with how much it is like a word; nothing, if that word is one too many."""
        word = word[:HINT_LENGTH]
        if word not in self._found and len(self._found) < HINTS:
            self._found[word] = self._compared(word)
        return self._found.get(word, [])

    def _compared(self, word: str) -> list[tuple[float, str]]:
        matcher = SequenceMatcher(None)
        matcher.set_seq2(word)
        rough = []
        for each in self._words:
            matcher.set_seq1(each[:HINT_LENGTH])
            rough.append((matcher.quick_ratio(), each))
        rough.sort(key=_by_likeness)
        compared = []
        for _, each in rough[:_COMPARED]:
            matcher.set_seq1(each[:HINT_LENGTH])
            compared.append((matcher.ratio(), each))
        compared.sort(key=_by_likeness)
        return compared + [(0.0, each) for _, each in rough[_COMPARED:]]


def _by_likeness(ranked: tuple[float, str]) -> float:
    return -ranked[0]
