"""The least that anybody does: httpx's client with its own pool, 32 creates at once, and no more.

Nothing is followed, retried or written down; it is what CPU is compared with.
"""

from __future__ import annotations

import asyncio
import os
import uuid

import httpx

from benchmarks.contenders.common import read_requests

AT_ONCE = 32


async def main() -> None:
    bodies = iter(read_requests())
    headers = {"X-API-Key": os.environ["SAL_API_KEY"]}
    async with httpx.AsyncClient(base_url=os.environ["SAL_BASE_URL"], headers=headers) as http:

        async def create() -> None:
            for body in bodies:
                key = {"Idempotency-Key": uuid.uuid4().hex}
                answer = await http.post("/v1/image-ads", json=body, headers=key)
                answer.raise_for_status()
                assert answer.json()["data"]["id"]

        await asyncio.gather(*(create() for _ in range(AT_ONCE)))


if __name__ == "__main__":
    asyncio.run(main())
