"""The guide's loop: create an ad, ask for it every four seconds, with so many workers.

Third argument: how many; 0 for one for each ad.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders.common import (
    Ad,
    RefusedError,
    ask,
    read_requests,
    wait_for,
    write_results,
)


def one_ad(body: dict[str, str]) -> Ad | None:
    try:
        return wait_for(ask("POST", "/v1/image-ads", body)["id"])
    except RefusedError as error:
        print(error, file=sys.stderr)
        return None


def main() -> None:
    bodies = read_requests()
    workers = int(sys.argv[3]) or len(bodies)
    with ThreadPoolExecutor(workers) as pool:
        write_results(list(pool.map(one_ad, bodies)))


if __name__ == "__main__":
    main()
