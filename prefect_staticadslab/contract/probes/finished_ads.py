"""What there is to ask of ads that are finished: their streams, versions and records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from prefect_staticadslab.api.models import ImageAdVersion
from prefect_staticadslab.api.transport import encoded
from prefect_staticadslab.contract.checks import fields, streams
from prefect_staticadslab.contract.checks.refusals import inconclusive
from prefect_staticadslab.contract.exchange import Exchange, NoAnswerError
from prefect_staticadslab.contract.findings import Findings
from prefect_staticadslab.contract.kinds import IMAGE_ADS
from prefect_staticadslab.contract.reply import Reply
from prefect_staticadslab.contract.verdicts import Seen, differs, unseen

VERSION_PREFIX: Final = "iav_"

Ad = dict[str, Any]


async def ask_of_finished(
    exchange: Exchange, findings: Findings, ads: Sequence[Ad], stream_seconds: float
) -> None:
    """Asks for the stream of a finished ad, an editable ad's versions, and a job's record."""
    finished = _first(ads, lambda ad: ad.get("id") and ad.get("status") in streams.ENDED)
    await ask_stream(exchange, findings, finished, stream_seconds)
    editable = _first(
        ads, lambda ad: ad.get("id") and ad.get("editable") and ad.get("status") == "completed"
    )
    if editable is None:
        findings.add("versions", unseen("there is no editable ad that is completed"))
    else:
        with findings.without_answers("versions"):
            path = f"{IMAGE_ADS.path}/{encoded(str(editable['id']))}/versions"
            findings.add("versions", versions(await exchange.ask("GET", path)))
    await ask_record(exchange, findings, _first(ads, lambda ad: ad.get("job_id")))


async def ask_stream(exchange: Exchange, findings: Findings, ad: Ad | None, seconds: float) -> None:
    """Asks for the stream of an ad that is finished."""
    if ad is None:
        findings.add("finished-stream", unseen("there is no finished ad"))
        return
    try:
        stream = await exchange.stream(f"{IMAGE_ADS.path}/{encoded(str(ad['id']))}", seconds)
    except NoAnswerError as error:
        made = differs if error.was_silent else unseen
        findings.add("finished-stream", made(str(error)))
    else:
        findings.add("finished-stream", streams.finished_ad_stream(stream))


async def ask_record(exchange: Exchange, findings: Findings, ad: Ad | None) -> None:
    """Asks for the record of an ad's job."""
    if ad is None or not ad.get("job_id"):
        findings.add("job-record", unseen("no ad has a job_id"))
        return
    with findings.without_answers("job-record"):
        reply = await exchange.ask("GET", f"/v1/jobs/{encoded(str(ad['job_id']))}")
        findings.add("job-record", fields.record(reply))


def versions(reply: Reply) -> Seen:
    """Whether versions can be read."""
    if other := inconclusive(reply):
        return other
    if not reply.is_success or not isinstance(reply.data, list):
        return differs(f"{reply}, with no list in data", reply)
    odd = [item for item in reply.items if not str(item.get("id")).startswith(VERSION_PREFIX)]
    if odd:
        return differs(f"the id of one is {odd[0].get('id')!r}", reply)
    if not reply.items:
        return unseen("there is none", reply)
    return fields.read_as(ImageAdVersion, reply.items, reply)


def _first(ads: Sequence[Ad], is_so: Callable[[Ad], Any]) -> Ad | None:
    return next((ad for ad in ads if is_so(ad)), None)
