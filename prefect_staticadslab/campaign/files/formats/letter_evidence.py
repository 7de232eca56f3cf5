"""How likely a word is in some language, judged by which letters follow which.

It is asked of short cells: so not only the letters that are no ASCII count, but all words, as a
text that is French in its plain words is no Polish one in the others. Names of countries, languages
and currencies, which Babel has in every language, show how the letters of each follow one another.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

_WORD = re.compile(r"[^\x00-\x26\x28-\x40\[-`{-\x7f]+")
"""A run without ASCII's spaces, digits and signs; an apostrophe is within a word."""

_SMOOTHING: Final = 30
"""If a letter was seen so often, the frequencies of the letters that follow it weigh as much as
those of all letters."""

_SIGN_PROBABILITY: Final = 0.003
_RARE_PROBABILITY: Final = 1e-5
_UNKNOWN_PROBABILITY: Final = 1e-7
"""How likely a typographic sign is, a letter that is rare in a language, and any other one."""

_MISPLACED_SCORE: Final = -9.0
"""Added to a word's score for each sign, or capital, where nobody writes one."""

# Typographic signs; and those that stand between letters, behind another sign, and behind a word.
_SIGNS: Final = frozenset(
    "’‘“”„«»–—…•€£§°®™²³½¼¾×¿¡´ªº©‚‹›·\u00a0¥、。，！？：；「」『』（）・ー～〜％￥【】《》\u3000"
)
_WITHIN_WORDS: Final = frozenset("’·ー・\u00ad\u00a0–—")
_AFTER_SIGNS: Final = frozenset("’”»…›–—\u00a0“„«‚‘")
_AFTER_WORDS: Final = frozenset("²³°®™©ªº”’»…›“¥€£、。，！？：；」』）～％】》\u3000")

_COMMON_CHARACTERS: Final = {
    "zh": (
        "的一是不了在人有我他这这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自"
        "之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主"
        "样理心本前开但因只从想实日者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两"
        "高间由问很最重并物手应向头文体美相见被利什二等产或新己制身果加西月话合回特代内信表化老给"
        "世位次度门任常先海通教原东声提立及比员解水名真论处走各入几口条平系气题活更别打女变四神总"
        "何电数安少报才结反受目太量再感建务做接必场件计管期市直资金指许统区保至形便空科五眼书非听"
        "白光放强难完设式色路品住类求程边交规万取格望领共清今切让带买卖送折季夏冬春秋咖啡茶鞋衣服"
        "优惠促销限时免费立即购价元"
    ),
    "ko": (
        "이다는을의가고에하지한기로사리자도어를아은시인나그대서부전해정수들일있라주여스게원보장제"
        "상성없으과구우비면니안만것마유적신동요오트조소무경계문거공연생화실내모음선와진용미회년당"
        "세려간방중분국야개금할명체특품름매판즈행터포바업반새날겨울봄여름가을커피값위건강좋은최고"
        "오늘무료배송할인"
    ),
}
"""By a language's code, what is written most in it; other characters are less likely, not
impossible."""


_CHARACTER_RANGES: Final = {
    "ja": (("\u3040", "\u30ff", 0.3 / 170), ("\uff61", "\uff9f", 0.02 / 63))
}
"""By a language's code, runs of its characters, first to last, and how likely each character is."""

_COMMON_BY_ENCODING: Final = {
    "ja": ("cp932", 0x98, 0.3 / 2965),
    "zh_Hans": ("gb2312", 0xD8, 0.3 / 3755),
    "zh_Hant": ("big5", 0xC9, 0.6 / 5401),
    "ko": ("euc_kr", 0xC9, 0.3 / 2350),
}
"""By language, an encoding of its country; the first byte from which on the encoding has the rarer
characters; and how likely each of the common ones before is."""


@dataclass(frozen=True)
class _LetterFrequencies:
    """How often a language's letters are seen in the names that Babel has in it.

    A space stands for a word's beginning and end.

    Attributes:
        single: For each letter, its share of all letters, 0 to 1.
        pairs: For each letter, the letters that follow it with their shares, 0 to 1; and how much
            these weigh against `single`, 0 to 1.
    """

    single: Mapping[str, float]
    pairs: Mapping[str, tuple[Mapping[str, float], float]]


def words_of(text: str) -> list[str]:
    """A text's words; signs that are not ASCII are part of them."""
    return _WORD.findall(text)


@cache
def word_score(word: str, language: str) -> float:
    """How likely a word is in a language, as a natural logarithm: the higher, the likelier.

    Args:
        word: One of `words_of`.
        language: As Babel names it, such as `de` or `zh_Hant`.
    """
    letters = _letter_frequencies(language)
    score, before = 0.0, " "
    for letter in f"{word.casefold()} ":
        followers, weight = letters.pairs.get(before, ({}, 0.0))
        seen = weight * followers.get(letter, 0.0) + (1 - weight) * letters.single.get(letter, 0.0)
        score += math.log(max(0.9 * seen, _probability_apart_from_names(letter, language)))
        before = letter
    return score + _count_misplaced(word) * _MISPLACED_SCORE


def _count_misplaced(word: str) -> int:
    """How many letters and signs of a word that are not ASCII stand where nobody writes them: a
    capital within a word, a ligature, a sign between letters or before another sign."""
    count = 0
    has_small = any(letter.islower() for letter in word)
    for place, letter in enumerate(word):
        if letter <= "\x7f":
            continue
        after_letter = place > 0 and word[place - 1].isalpha()
        before_letter = place + 1 < len(word) and word[place + 1].isalpha()
        if "\ufb00" <= letter <= "\ufb06":
            count += 1  # a ligature, which no keyboard has
        elif letter.isalpha():
            count += letter.isupper() and after_letter and has_small
        elif letter not in _WITHIN_WORDS and not _is_east_asian(word):
            after = word[place + 1 : place + 2]
            count += after_letter and (before_letter or letter not in _AFTER_WORDS)
            count += after > "\x7f" and not before_letter and after not in _AFTER_SIGNS
    return count


def _is_east_asian(word: str) -> bool:
    """Whether a word has a Japanese, Chinese or Korean character."""
    return any("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3" for letter in word)


@cache
def _probability_apart_from_names(letter: str, language: str) -> float:
    """How likely a letter is in a language, judged not by the names that Babel has in it, but by
    tables and encodings: a least value for what is rare in these names."""
    if letter <= "\x7f":
        return _RARE_PROBABILITY
    if letter in _SIGNS:
        return _SIGN_PROBABILITY
    language_code = language[:2]
    common = _common_characters(language_code)
    if letter in common:
        return 0.6 / len(common)
    for first, last, probability in _CHARACTER_RANGES.get(language_code, ()):
        if first <= letter <= last:
            return probability
    if language not in _COMMON_BY_ENCODING:
        return _UNKNOWN_PROBABILITY
    return _probability_by_encoding(letter, *_COMMON_BY_ENCODING[language])


@cache
def _common_characters(language_code: str) -> frozenset[str]:
    return frozenset(_COMMON_CHARACTERS.get(language_code, ""))


def _probability_by_encoding(
    letter: str, encoding: str, rare_from: int, probability: float
) -> float:
    """How likely a character is, by its place in an encoding of its country; see
    `_COMMON_BY_ENCODING`."""
    try:
        encoded = letter.encode(encoding)
    except UnicodeEncodeError:
        return _UNKNOWN_PROBABILITY
    if len(encoded) < 2 or not letter.isalpha():  # noqa: PLR2004
        return _RARE_PROBABILITY
    return probability if encoded[0] < rare_from else _RARE_PROBABILITY


@cache
def _letter_frequencies(language: str) -> _LetterFrequencies:
    """Counts the letters of the names that Babel has in a language."""
    single: Counter[str] = Counter()
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    for text in set(_babel_names(language)):
        for word in words_of(text.casefold()):
            before = " "
            for letter in f"{word} ":
                pairs[before][letter] += 1
                single[letter] += 1
                before = letter
    total = single.total()
    return _LetterFrequencies(
        {letter: count / total for letter, count in single.items()},
        {
            before: (
                {letter: count / after.total() for letter, count in after.items()},
                after.total() / (after.total() + _SMOOTHING),
            )
            for before, after in pairs.items()
        },
    )


def _babel_names(language: str) -> Iterator[str]:
    """What countries, languages, scripts, currencies, months and weekdays are called there."""
    from babel import Locale

    locale: Any = Locale.parse(language)
    for names in (locale.territories, locale.languages, locale.scripts, locale.currencies):
        yield from names.values()
    for calendar in (locale.months, locale.days):
        for names in calendar["format"].values():
            yield from names.values()
