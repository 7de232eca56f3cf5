"""With `--spend` there is one ad and never a second one, and whoever breaks it off is told."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest

from prefect_staticadslab.contract.assumptions import ASSUMPTIONS
from prefect_staticadslab.contract.probes.one_ad import Purchase
from prefect_staticadslab.simulator import SIMULATOR_API_KEY, SimulatorServer
from tests.conftest import without_settings
from tests.contract.command import Contract
from tests.contract.deviating import SLOW, Answer, Deviation, deviating
from tests.support.processes import ended, line_with, start

PAID = {name for name, each in ASSUMPTIONS.items() if each.is_paid}


def test_one_flat_ad_is_made_and_all_of_it_holds(contract: Contract) -> None:
    with deviating(speed=SLOW, earlier_ads=False) as server:
        run = contract.against(server, "--spend", "1")
        (job,) = server.api.jobs.values()
        assert server.api.counts["created"] == 1
        assert server.api.billed_usd(time.time()) == 1
    assert run.named("holds") >= PAID, run.out
    assert "finished-stream" in run.named("holds")
    assert run.named("differs") == set()
    assert run.report["image_ad_id"] == job.id
    assert run.report["spend_usd"] == "1.00"
    assert "Cost: up to 1.00 USD." in run.err
    assert f"Image ad {job.id} is created: 1.00 USD when it completes." in run.err


def test_more_money_makes_no_more_ads(contract: Contract) -> None:
    with deviating(speed=SLOW, earlier_ads=False) as server:
        contract.against(server, "--spend", "50")
        assert server.api.counts["created"] == 1


def test_an_ad_that_fails_is_no_difference(contract: Contract) -> None:
    with deviating(speed=SLOW, failure_rate=1.0) as server:
        run = contract.against(server, "--spend", "1")
    assert run.named("differs") == set(), run.out
    assert "processing → failed" in run.seen("ad-states")
    assert run.seen("ad-picture") == "the ad is failed"
    assert run.status == 0


def test_an_empty_wallet_is_no_difference(contract: Contract) -> None:
    with SimulatorServer(rate_limit=10_000, wallet_usd=0.5) as server:
        run = contract.against(server, "--spend", "1")
        assert server.api.counts["created"] == 0
    assert run.named("differs") == set(), run.out
    assert "the wallet is empty" in run.seen("ad-created")
    assert run.named("could not be seen") >= PAID


def is_other_body(answer: Answer) -> bool:
    return answer.path == "/v1/image-ads" and answer.status == 409


def test_a_key_that_is_not_seen_to_be_known_is_not_sent_again(contract: Contract) -> None:
    def checked_first(answer: Answer) -> None:
        answer.refuse(404, "NOT_FOUND")

    with deviating(Deviation("", is_other_body, checked_first), speed=SLOW) as server:
        run = contract.against(server, "--spend", "1")
        assert server.api.counts["created"] == 1
        assert server.api.counts["replayed"] == 0
    assert run.seen("ad-key-other-body").startswith("the body is looked at before the key")
    assert "could make a second ad" in run.seen("ad-replay")
    assert run.named("differs") == set()


def is_created(answer: Answer) -> bool:
    return (answer.method, answer.path, answer.status) == ("POST", "/v1/image-ads", 202)


def is_ad(answer: Answer) -> bool:
    path = answer.path.startswith("/v1/image-ads/ia_") and answer.path.count("/") == 3
    return path and answer.status == 200 and not answer.wants_stream


def no_replay_header(answer: Answer) -> None:
    for name in [name for name in answer.headers if name.lower() == "idempotent-replayed"]:
        del answer.headers[name]


def queued(answer: Answer) -> None:
    answer.body["data"]["status"] = "queued"


def early_url(answer: Answer) -> None:
    answer.body["data"]["image_url"] = answer.body["data"]["image_url"] or "https://cdn.invalid/1"


def percent(answer: Answer) -> None:
    answer.body["data"]["progress"] = {"step": "copy", "message": "Writing", "percentage": 40}


def page_for_a_picture(answer: Answer) -> None:
    if answer.body["data"]["image_url"]:
        answer.body["data"]["image_url"] = answer.body["data"]["image_url"].partition("/pic")[0]


def another_price(answer: Answer) -> None:
    answer.body["data"]["sku_code"] = "flat_ad"


def conflict(answer: Answer) -> None:
    answer.refuse(409, "CONFLICT")


@pytest.mark.parametrize(
    ("finds", "where", "change"),
    [
        ({"ad-replay"}, is_created, no_replay_header),
        ({"ad-created"}, is_created, queued),
        ({"ad-sku"}, is_created, another_price),
        ({"ad-states"}, is_ad, early_url),
        ({"ad-progress"}, is_ad, percent),
        ({"ad-picture"}, is_ad, page_for_a_picture),
        ({"ad-key-other-body"}, is_other_body, conflict),
    ],
)
def test_an_ad_that_deviates_is_told(
    finds: set[str], where: Any, change: Any, contract: Contract
) -> None:
    with deviating(Deviation("", where, change), speed=SLOW) as server:
        run = contract.against(server, "--spend", "1")
        assert server.api.counts["created"] == 1
    assert run.named("differs") == finds, run.out
    assert run.status == 1


def test_a_stream_in_other_words_is_told(contract: Contract) -> None:
    def shout(answer: Answer) -> None:
        answer.text = answer.text.replace(b"event: complete", b"event: done")

    finished = Deviation("", lambda answer: answer.wants_stream, shout)
    with deviating(finished, speed=SLOW) as server:
        run = contract.against(server, "--spend", "1")
    assert run.named("differs") == {"ad-stream", "finished-stream"}
    assert "there are events done" in run.seen("ad-stream")


def test_a_create_without_an_answer_is_not_sent_again(contract: Contract) -> None:
    def page(answer: Answer) -> None:
        answer.status, answer.body, answer.text = 502, None, b"<html>Bad gateway</html>"
        answer.headers["content-type"] = "text/html"

    with deviating(Deviation("", is_created, page), speed=SLOW) as server:
        run = contract.against(server, "--spend", "1")
        assert server.api.counts["created"] == 1
    assert "An image ad may have been created, and is billed when it completes." in run.err
    assert run.named("could not be seen") >= PAID


def test_whoever_breaks_it_off_learns_of_the_ad() -> None:
    # Slow enough that the ad outlives whatever the machine does meanwhile.
    with SimulatorServer(speed=0.05, rate_limit=10_000) as server:
        environment = {
            **without_settings(),
            "SAL_API_KEY": SIMULATOR_API_KEY,
            "SAL_BASE_URL": server.url,
        }
        arguments = ("-m", "prefect_staticadslab.contract", "--spend", "1")
        process = start(*arguments, env=environment)
        created = line_with("is created", process.stderr)
        (job,) = server.api.jobs
        assert job in created
        os.kill(process.pid, signal.SIGINT)
        end = ended(process)
    assert end.status == 130
    assert f"Interrupted. The image ad {job} goes on, and is billed when it completes." in end.err
    assert "Traceback" not in end.err + end.out
    assert server.api.counts["created"] == 1


def test_what_is_said_of_an_ad_that_is_left_alone() -> None:
    assert Purchase().warning == ""
    sent = Purchase(idempotency_key="contract-1")
    assert "may have been created" in sent.warning
    assert "contract-1" in sent.warning
    assert replace(sent, ad_id="ia_1").warning.startswith("The image ad ia_1 goes on")
    assert replace(sent, ad_id="ia_1", is_settled=True).warning == ""
