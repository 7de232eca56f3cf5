"""Suggestions for an unknown word: the most similar ones of those that are known."""

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

        assert Nearest(["brand", "product"]).similar("bramd", 1) == ["brand"]
        assert Nearest(["brand", "product"]).by_similarity("prodct") == ["product", "brand"]
        ```
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = tuple(islice(words, HINT_CHOICES))
        self._rankings: dict[str, list[tuple[float, str]]] = {}

    def similar(self, word: str, most: int) -> list[str]:
        """The words that are similar to `word`, the most similar first, at most `most` of them."""
        near = [each for likeness, each in self._rank(word) if likeness >= _ALIKE]
        return near[:most]

    def by_similarity(self, word: str) -> list[str]:
        """All words, the most similar first; in their own order after `HINTS` different words."""
        return [each for _, each in self._rank(word)] or list(self._words)

    def _rank(self, word: str) -> list[tuple[float, str]]:
        """Each word with its likeness, the most similar first; [] after `HINTS` different words."""
        word = word[:HINT_LENGTH]
        if word not in self._rankings and len(self._rankings) < HINTS:
            self._rankings[word] = self._compare(word)
        return self._rankings.get(word, [])

    def _compare(self, word: str) -> list[tuple[float, str]]:
        """All words with how much each is like one, between 0 and 1, the likest first. Only the
        likest by a rough count are compared letter by letter; the others have 0."""
        matcher = SequenceMatcher(None)
        matcher.set_seq2(word)
        rough_scores = []
        for each in self._words:
            matcher.set_seq1(each[:HINT_LENGTH])
            rough_scores.append((matcher.quick_ratio(), each))
        rough_scores.sort(key=_descending_likeness)
        scores = []
        for _, each in rough_scores[:_COMPARED]:
            matcher.set_seq1(each[:HINT_LENGTH])
            scores.append((matcher.ratio(), each))
        scores.sort(key=_descending_likeness)
        return scores + [(0.0, each) for _, each in rough_scores[_COMPARED:]]


def _descending_likeness(scored: tuple[float, str]) -> float:
    """A sort key that puts the word with the highest score first."""
    return -scored[0]
