"""Decisions of the product, each broken on purpose: what the simulation must find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_PACKAGE: Final = "prefect_staticadslab"

UNBROKEN: Final = "unbroken"
"""The name of no mutation: the product as it is."""


@dataclass(frozen=True)
class Mutation:
    """One decision, broken.

    Attributes:
        name: For the command.
        what: What is broken, in words.
        place: The module, without the package's name.
        before: A piece of its source that is there once.
        after: What it is replaced by.
    """

    name: str
    what: str
    place: str
    before: str
    after: str

    @property
    def module(self) -> str:
        """The module's whole name."""
        return f"{_PACKAGE}.{self.place}"

    def applied(self, source: str) -> str:
        """The module's source with the mutation.

        Raises:
            ValueError: The piece is not there, or more than once: the list is out of date.
        """
        if source.count(self.before) != 1:
            raise ValueError(f"{self.name}: {self.before!r} is not in {self.module} once")
        return source.replace(self.before, self.after)


_ATTEMPT: Final = "campaign.pipeline.attempt"
_CHUNK: Final = "campaign.pipeline.chunk_run"
_SUBMIT: Final = "campaign.pipeline.submit"
_CHECKPOINTS: Final = "campaign.table.checkpoints"
_OTHER_RUNS: Final = "campaign.table.other_runs"
_STATE: Final = "campaign.table.job_state"

MUTATIONS: Final = (
    Mutation(
        "new-key-on-resume",
        "a create that may have been sent gets a new key in the next run",
        _ATTEMPT,
        "again = known.status is RowStatus.SUBMITTING and known.attempts > 0",
        "again = False",
    ),
    Mutation(
        "key-derived-anew",
        "the key is derived anew, and not taken from the table, which may have been moved",
        _ATTEMPT,
        "idempotency_key=(again and known.idempotency_key) or self.plan.key(attempts)",
        "idempotency_key=self.plan.key(attempts)",
    ),
    Mutation(
        "mark-not-written",
        "rows are sent before their mark is on disk",
        _CHUNK,
        "known = await self.journal.before_send({a.position: a.state for a in attempts})",
        "known = {a.position: a.state for a in attempts}",
    ),
    Mutation(
        "lock-ignored",
        "a create without an answer is sent again whatever the API's lock does",
        "api.retries.key_lock",
        "if not spans or now - min(begun for begun, _ in spans) < REPEAT_SECONDS:",
        "if True:",
    ),
    Mutation(
        "elsewhere-forgotten",
        "what another run may have sent is not waited for",
        _ATTEMPT,
        "if not self.may_exist_from_before or is_known or self._is_other_run_over(now):",
        "if True:",
    ),
    Mutation(
        "wakes-and-sends",
        "a machine that was asleep sends before it has looked what others have sent",
        _CHUNK,
        "if not self._has_looked_lately:\n            return",
        "if False:\n            return",
    ),
    Mutation(
        "wakes-in-turn",
        "a machine that was asleep takes part in turns that others did not keep",
        _SUBMIT,
        "if was_away or not lock.is_shared:",
        "if False:",
    ),
    Mutation(
        "their-key-here",
        "a create goes out with its key although another run has marked it with another meanwhile",
        _CHUNK,
        "if attempt.keys != keys:",
        "if False:",
    ),
    Mutation(
        "clock-asleep",
        "what passes while a machine sleeps does not count",
        "api.retries.elapsed",
        "return clock()",
        "return time.monotonic()",
    ),
    Mutation(
        "first-use-forgotten",
        "a row that is marked anew counts as first sent now",
        _ATTEMPT,
        "submitted_at=(again and known.submitted_at) or now.replace(microsecond=0),",
        "submitted_at=now.replace(microsecond=0),",
    ),
    Mutation(
        "limit-off-by-one",
        "one request more than the rate limit has room for",
        "api.rate_limit.window",
        "if free < needed:",
        "if free + 1 < needed:",
    ),
    Mutation(
        "not-merged",
        "what another run wrote counts as known, and is not merged",
        _CHECKPOINTS,
        "        self._table.merge_from_disk(written)\n",
        "",
    ),
    Mutation(
        "overwritten",
        "the table is written over whatever another run wrote",
        _CHECKPOINTS,
        "if version is not None and version != self.version:",
        "if False:",
    ),
    Mutation(
        "unconditional",
        "an object store is not asked to refuse a write over what was not read",
        "campaign.files.conditional_writes",
        '"create"} if earlier is None else {"IfMatch": earlier}',
        '"create"} if earlier is None else {}',
    ),
    Mutation(
        "marks-alike",
        "two runs that mark in the same second write the same bytes",
        _STATE,
        '(asked_at := _timestamp(self.asked_at, "auto"))',
        "(asked_at := _timestamp(self.asked_at))",
    ),
    Mutation(
        "earlier-state-wins",
        "of what two runs know the state that is less far is kept",
        _OTHER_RUNS,
        "return theirs if _progress(theirs) > _progress(ours) else ours",
        "return theirs if _progress(theirs) < _progress(ours) else ours",
    ),
    Mutation(
        "own-key-wins",
        "of two runs with different keys, each goes on with its own",
        _OTHER_RUNS,
        "return theirs if theirs.idempotency_key else ours",
        "return ours",
    ),
    Mutation(
        "402-goes-on",
        "an empty wallet stops nothing",
        _ATTEMPT,
        'stop_creating=stop_reason(error) if is_of_account else "", is_unanswered',
        'stop_creating="", is_unanswered',
    ),
    Mutation(
        "refusal-decides",
        "a refusal ends a row, even if an earlier try had no answer",
        _ATTEMPT,
        "if not is_decided or error.outcome_unknown or self.may_exist_from_before:",
        "if not is_decided:",
    ),
    Mutation(
        "silence-decides",
        "a create that nobody answered counts as not taken",
        _ATTEMPT,
        "even to what it has made.\n            self._note_error(str(error))",
        "even to what it has made.\n            self._withdraw(str(error))",
    ),
    Mutation(
        "refusal-unsaid",
        "a row that the API refuses waits as before, and has not failed",
        _ATTEMPT,
        "elif is_busy or is_of_account:",
        "elif True:",
    ),
    Mutation(
        "asked-once-more",
        "what a run asks before it ends forgets that it has asked before",
        _CHUNK,
        "            attempt.may_exist_from_before = True  #",
        "            pass  #",
    ),
    Mutation(
        "no-budget",
        "the spend limit is not applied",
        "campaign.campaign",
        "    plan.check_budget(max_spend_usd)\n",
        "",
    ),
    Mutation(
        "budget-forgets",
        "the spend limit forgets what earlier runs have spent",
        "campaign.reports.plan",
        "total += max(cost, price)",
        "total += 0",
    ),
    Mutation(
        "cancel-loses-ids",
        "a run that is told to end takes rows that it has sent for unsent",
        _ATTEMPT,
        "if self.is_submitting and not self.sends:",
        "if self.is_submitting:",
    ),
    Mutation(
        "cancel-goes-on",
        "a run that is told to end goes on creating",
        _CHUNK,
        "return self.is_winding_up or self._stopped_by is not None",
        "return self._stopped_by is not None",
    ),
    Mutation(
        "row-by-place",
        "a row is known by its place, which an edit changes",
        "campaign.rows.row_identity",
        'which = f"row_id {row_id}" if row_id else f"occurrence {self._occurrences[content]}"',
        'which = f"occurrence {sum(self._occurrences.values())}"',
    ),
    Mutation(
        "removed-forgotten",
        "a row that was taken out of the spreadsheet is taken out of the table",
        "campaign.table.table_on_disk",
        "    return kept[::-1]\n",
        "    return []\n",
    ),
    Mutation(
        "old-keys-trusted",
        "a key is relied on after the API has forgotten it",
        _STATE,
        "TRUSTED_LIFETIME: Final = timedelta(hours=20)",
        "TRUSTED_LIFETIME: Final = timedelta(hours=40)",
    ),
    Mutation(
        "never-adopted",
        "what was sent a day ago is created anew, and not looked for",
        "campaign.pipeline.adoption",
        "found = _share_ads(rows, candidates)",
        "found, candidates = {}, []",
    ),
    Mutation(
        "other-key-ignored",
        "a row that was sent with another API key is sent with this one",
        _ATTEMPT,
        "if self.state.api_key_hash not in (None, api_key_hash):",
        "if False:",
    ),
    Mutation(
        "flat-price",
        "every ad is written down at the price of a flat one",
        "campaign.pipeline.job_outcome",
        "cost_usd=None if is_revision else job.price_usd,",
        "cost_usd=Decimal(1),",
    ),
    Mutation(
        "impatient",
        "ads are asked for all the time",
        "campaign.pipeline.poll_schedule",
        "POLL_SECONDS: Final = 4.0",
        "POLL_SECONDS: Final = 1.0",
    ),
    Mutation(
        "failed-job-again",
        "a job that failed is asked for with its old key",
        _ATTEMPT,
        "again = known.status is RowStatus.SUBMITTING and known.attempts > 0",
        "again = known.attempts > 0",
    ),
)
