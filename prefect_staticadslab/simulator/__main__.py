"""`staticadslab simulator`: the simulator as a server of its own."""

from __future__ import annotations

import argparse
import contextlib
import sys

from prefect_staticadslab.simulator.model.admission.api_keys import (
    SECOND_API_KEY,
    SIMULATOR_API_KEY,
)
from prefect_staticadslab.simulator.model.chance import FAILURE_WORD, ONE_FAILURE_WORD
from prefect_staticadslab.simulator.model.settings import Settings
from prefect_staticadslab.simulator.server import SimulatorServer


def _parser() -> argparse.ArgumentParser:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="staticadslab simulator",
        description="An offline Static Ads Lab API. No ad is real, and nothing is billed.",
        epilog=f"The key is {SIMULATOR_API_KEY}; {SECOND_API_KEY} is another one of the same "
        f"organization, with a rate limit of its own. A prompt with the word {FAILURE_WORD} fails; "
        f"with {ONE_FAILURE_WORD} it fails once and then succeeds.",
    )
    option = parser.add_argument
    option("--port", type=int, default=8321, help="0 takes a free one (default: %(default)s)")
    option("--speed", type=float, default=default.speed, help="10 makes jobs take a tenth")
    option("--rate-limit", type=int, default=default.rate_limit, help="requests per window")
    option("--rate-window", type=float, default=default.rate_window_seconds, help="in seconds")
    option("--wallet-usd", type=float, default=default.wallet_usd, help="what can be spent")
    option("--failure-rate", type=float, default=0.0, help="share of jobs that fail, 0 to 1")
    option("--key-seconds", type=float, default=default.key_seconds, help="age of lost keys")
    option("--lock-seconds", type=float, default=default.lock_seconds, help="of a key in use")
    option("--answer-seconds", type=float, default=0.0, help="how long a create takes")
    option("--fault-rate", type=float, default=0.0, help="share of requests that fail, 0 to 1")
    option("--picture-fault-rate", type=float, default=0.0, help="the same for downloads")
    option("--four-k", action="store_true", help="pictures have the pixels of real ones")
    option("--more-brands", type=int, default=0, help="brands besides the four of the start")
    option("--earlier-ads", action="store_true", help="some ads are there from the start")
    option("--seed", type=int, default=0, help="of everything random")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs the simulator until it is interrupted."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.speed <= 0 or given.rate_limit < 1 or given.rate_window <= 0:
        parser.error("--speed, --rate-limit and --rate-window must be above 0")
    try:
        server = SimulatorServer(
            port=given.port,
            speed=given.speed,
            rate_limit=given.rate_limit,
            rate_window_seconds=given.rate_window,
            wallet_usd=given.wallet_usd,
            failure_rate=given.failure_rate,
            key_seconds=given.key_seconds,
            lock_seconds=given.lock_seconds,
            answer_seconds=given.answer_seconds,
            fault_rate=given.fault_rate,
            picture_fault_rate=given.picture_fault_rate,
            four_k=given.four_k,
            more_brands=given.more_brands,
            earlier_ads=given.earlier_ads,
            seed=given.seed,
        )
    except OSError as error:
        print(f"Port {given.port} cannot be had: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1
    server.listen()
    print("Static Ads Lab SIMULATOR: no ad is real, and nothing is billed.", flush=True)  # noqa: T201
    print(f"Key: {SIMULATOR_API_KEY}. Stop it with Ctrl-C.", flush=True)  # noqa: T201
    print(server.url, flush=True)  # noqa: T201
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
