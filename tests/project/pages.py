"""The pages of the documentation, taken apart for the tests that hold them against the project."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT


@dataclass(frozen=True)
class Command:
    """A command of a console block, with the lines that it is said to print."""

    line: str
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Fence:
    """A code block: where it starts, its language and what is in it."""

    page: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[Command]:
        """A console block's commands. Lines below one belong to it; a backslash goes on with it."""
        joined = self.code.replace("\\\n", "")
        lines = [part.rstrip("\n").split("\n") for part in re.split(r"^\$ ", joined, flags=re.M)]
        return [Command(re.sub(" +", " ", first), tuple(rest)) for first, *rest in lines if first]


@dataclass
class Page:
    """A page, by its path from the project's folder."""

    name: str

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def _tokens(self) -> list[Token]:
        return MarkdownIt().enable("table").parse(self.text)

    @property
    def fences(self) -> list[Fence]:
        return [
            Fence(self.name, (token.map or [0])[0] + 1, token.info, token.content)
            for token in self._tokens
            if token.type == "fence"
        ]

    def fenced(self, language: str) -> list[Fence]:
        return [fence for fence in self.fences if fence.language == language]

    @property
    def headings(self) -> list[str]:
        return [
            following.content
            for token, following in zip(self._tokens, self._tokens[1:], strict=False)
            if token.type == "heading_open"
        ]

    @cached_property
    def anchors(self) -> set[str]:
        """What `#` in a link may name: headings, as GitHub turns them into anchors."""
        slugs: dict[str, int] = {}
        found: set[str] = set()
        for heading in self.headings:
            words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
            slug = words.strip().replace(" ", "-")
            count = slugs[slug] = slugs.get(slug, -1) + 1
            found.add(f"{slug}-{count}" if count else slug)
        return found

    @property
    def links(self) -> list[str]:
        """Where its links and pictures lead to."""
        inline = [child for token in self._tokens for child in token.children or ()]
        wanted = [token.attrGet("href") or token.attrGet("src") for token in inline]
        return [str(target) for target in wanted if target]


def fenced(text: str, language: str) -> list[str]:
    """The code blocks of a docstring, whatever their indentation."""
    pattern = rf"^( *)```{language}\n(.*?)^\1```"
    found = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, code in found]


PAGES = [
    Page(str(path.relative_to(ROOT)))
    for path in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    )
]
PAGE_AT = {page.path: page for page in PAGES}
