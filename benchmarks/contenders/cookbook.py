"""The cookbook's pattern: creates first, eight at a time, with the row's hash as their key; then
polls of 80 ids. Third argument: `patient` waits on 429; `impatient` ends with the first one.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contenders.common import (
    POLL_SECONDS,
    Ad,
    RefusedError,
    ask,
    read_requests,
    write_results,
)

AT_ONCE = 8
IDS = 80


def main() -> None:
    patient = sys.argv[3] == "patient"

    def create(body: dict[str, str]) -> str:
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        ad: Ad = ask("POST", "/v1/image-ads", body, key, patient=patient)
        return str(ad["id"])

    ads: dict[str, Ad] = {}
    ids: list[str] = []
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            # In order, so that what was created before a refusal is known.
            for image_ad_id in pool.map(create, read_requests()):
                ids.append(image_ad_id)
        running = list(dict.fromkeys(ids))
        while running:
            for start in range(0, len(running), IDS):
                batch = ",".join(running[start : start + IDS])
                answered = ask("GET", f"/v1/image-ads?ids={batch}", patient=patient)
                ads |= {ad["id"]: ad for ad in answered if ad["status"] != "processing"}
            running = [i for i in running if i not in ads]
            time.sleep(POLL_SECONDS)
    except RefusedError as error:
        print(error, file=sys.stderr)
    completed = {i: ad for i, ad in ads.items() if ad["status"] == "completed"}
    write_results([completed.get(i) for i in ids])


if __name__ == "__main__":
    main()
