"""What was found out, as a table for people and as JSON for a bug report."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from prefect_staticadslab import __version__
from prefect_staticadslab.contract.findings import Finding
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Verdict

WIDTH: Final = 100
"""Columns of the table."""

MOST_REQUESTS: Final = 3
"""Requests that a line of the table names; the JSON has all."""

_MARK_WIDTH: Final = max(len(verdict.value) for verdict in Verdict)
_INDENT: Final = " " * (_MARK_WIDTH + 4)


def as_text(findings: Sequence[Finding]) -> str:
    """The findings, topic by topic: what is assumed, and below that what was seen.

    Example:
        ```python
        from prefect_staticadslab.contract.assumptions import ASSUMPTIONS
        from prefect_staticadslab.contract.findings import Finding
        from prefect_staticadslab.contract.report import as_text
        from prefect_staticadslab.contract.verdicts import holds

        text = as_text([Finding(ASSUMPTIONS["has-more"], holds("on all 7 lists"))])
        assert text.splitlines()[1].split("  ")[1] == "holds"
        ```
    """
    lines: list[str] = []
    topic = ""
    for finding in findings:
        if finding.assumption.topic != topic:
            topic = finding.assumption.topic
            lines += ["", topic] if lines else [topic]
        lines += _rows(finding)
    return "\n".join(lines)


def summary(findings: Sequence[Finding]) -> str:
    """How many assumptions hold, differ and could not be seen, on one line."""
    counts = Counter(finding.seen.verdict for finding in findings)
    holding, differing, unseen = (counts[verdict] for verdict in Verdict)
    return (
        f"{len(findings)} assumptions: {holding} hold, {differing} "
        f"{'differs' if differing == 1 else 'differ'}, {unseen} could not be seen."
    )


def as_json(
    findings: Sequence[Finding], *, base_url: str, spend_usd: str, requests: int, ad_id: str = ""
) -> str:
    """The findings for a bug report. The key is not in it, but ids of the organization are.

    Args:
        findings: What was found out.
        base_url: Where the API is.
        spend_usd: What could be spent, in USD.
        requests: How many were sent.
        ad_id: The ad that was made, if there is one.
    """
    counts = Counter(finding.seen.verdict for finding in findings)
    content = {
        "asked_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "base_url": base_url,
        "package": f"prefect-staticadslab {__version__}",
        "requests": requests,
        "spend_usd": spend_usd,
        "image_ad_id": ad_id or None,
        "counts": {verdict.value: counts[verdict] for verdict in Verdict},
        "assumptions": [_entry(finding) for finding in findings],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _rows(finding: Finding) -> list[str]:
    """A finding as lines of the table: its verdict, what we take the API for, and what was seen."""
    assumption, seen = finding.assumption, finding.seen
    shown = [reply.request_id for reply in seen.replies if reply.request_id]
    more = ", …" if len(shown) > MOST_REQUESTS else ""
    requests = f" [{', '.join(shown[:MOST_REQUESTS])}{more}]" if shown else ""
    texts = [f"{assumption.name}: {assumption.statement}", f"{seen.text}{requests}"]
    if seen.verdict is Verdict.DIFFERS:
        texts.append(f"carried by {assumption.carried_by}")
    first, *others = [line for text in texts for line in _wrapped(text)]
    mark = seen.verdict.upper() if seen.verdict is Verdict.DIFFERS else seen.verdict.value
    return [f"  {mark:{_MARK_WIDTH}}  {first}", *(f"{_INDENT}{line}" for line in others)]


def _wrapped(text: str) -> list[str]:
    """The lines of a text that fit beside the verdicts."""
    room = WIDTH - len(_INDENT)
    return textwrap.wrap(text, room, break_on_hyphens=False, subsequent_indent="  ") or [""]


def _entry(finding: Finding) -> dict[str, Any]:
    """A finding in the JSON report."""
    assumption, seen = finding.assumption, finding.seen
    return {
        "name": assumption.name,
        "topic": assumption.topic,
        "assumption": assumption.statement,
        "carried_by": assumption.carried_by,
        "verdict": seen.verdict.value,
        "seen": seen.text,
        "requests": [_request(reply) for reply in seen.replies],
    }


def _request(reply: Reply) -> dict[str, Any]:
    """A request in the JSON report, and how it was answered."""
    return {
        "question": reply.question,
        "status": reply.status,
        "code": reply.code or None,
        "request_id": reply.request_id or None,
    }
