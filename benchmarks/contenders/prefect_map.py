"""Plain Prefect: a task that creates an ad and polls it, mapped over the rows. It is retried a rate
window later, whatever went wrong.
"""

from __future__ import annotations

from prefect import flow, task

from benchmarks.contenders.common import SPEED, Ad, ask, read_requests, wait_for, write_results


@task(retries=5, retry_delay_seconds=60 / SPEED)
def create_and_poll(body: dict[str, str]) -> Ad:
    return wait_for(ask("POST", "/v1/image-ads", body, patient=False)["id"], patient=False)


@flow
def mapped() -> None:
    futures = create_and_poll.map(read_requests())
    results = [future.result(raise_on_failure=False) for future in futures]
    write_results([result if isinstance(result, dict) else None for result in results])


if __name__ == "__main__":
    mapped()
