"""The call for the account."""

from __future__ import annotations

from prefect_staticadslab.simulator.http.operation import Call, Reply


async def get_account(call: Call) -> Reply:
    """Whose API key it is, and what it may do."""
    scopes = call.api.scopes[call.request.headers["x-api-key"]]
    return Reply({"organization": {"name": "Simulated Shops"}, "api_key": {"scopes": scopes}})
