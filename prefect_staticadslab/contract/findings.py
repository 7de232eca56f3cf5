"""What was found out about each assumption, as it comes in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prefect_staticadslab.contract.assumptions import ASSUMPTIONS, Assumption
from prefect_staticadslab.contract.exchange import NoAnswerError
from prefect_staticadslab.contract.verdicts import Seen, Verdict, all_of, unseen

NOT_PAID = "it takes an ad: --spend 1"


@dataclass(frozen=True)
class Finding:
    """An assumption, and what was seen of it."""

    assumption: Assumption
    seen: Seen


class Findings:
    """What was seen so far.

    Example:
        ```python
        from prefect_staticadslab.contract.findings import Findings
        from prefect_staticadslab.contract.verdicts import holds

        findings = Findings()
        findings.add("has-more", holds("on all 7 lists"))
        assert findings.seen("has-more").text == "on all 7 lists"
        assert findings.seen("cursors").verdict == "could not be seen"
        ```
    """

    def __init__(self) -> None:
        self._seen: defaultdict[str, list[Seen]] = defaultdict(list)

    def add(self, name: str, *seen: Seen) -> None:
        """Records what was seen of the assumption of this name.

        Raises:
            KeyError: There is none.
        """
        self._seen[ASSUMPTIONS[name].name] += seen

    def seen(self, name: str) -> Seen:
        """All that was seen of an assumption, taken together; unseen if nothing was."""
        if name in self._seen:
            return all_of(self._seen[name])
        return unseen(NOT_PAID if ASSUMPTIONS[name].is_paid else "it was not asked")

    @contextmanager
    def without_answers(self, *names: str) -> Iterator[None]:
        """Records these assumptions as unseen if a question within has no answer, and goes on."""
        try:
            yield
        except NoAnswerError as error:
            for name in names:
                self.add(name, unseen(str(error)))

    def all(self) -> list[Finding]:
        """All assumptions, in the order of the report."""
        return [Finding(each, self.seen(name)) for name, each in ASSUMPTIONS.items()]

    def count(self, verdict: Verdict) -> int:
        """How many have this verdict."""
        return sum(finding.seen.verdict is verdict for finding in self.all())
