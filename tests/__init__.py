"""The tests, and what is in their environment before Prefect is imported anywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

QUIET: Final = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
"""So that Prefect's servers in these tests tell nobody about themselves."""

RARELY: Final = (100_000, 50, 100)
"""How seldom Python looks for garbage in cycles. Flow runs and Prefect's server make so many
objects that it took them a fifth of their time."""

USERS_CERTIFICATES: Final = os.environ.setdefault(
    "TESTS_USERS_CERTIFICATES", os.environ.get("SSL_CERT_FILE", "")
)
"""What SSL_CERT_FILE was before this, for whoever asks another machine; test workers inherit it."""

os.environ |= {
    **QUIET,
    # Whoever makes an HTTP client reads all certificates that it trusts: 30 ms for the usual
    # hundred and fifty, ten times for each flow run. Nothing here is asked over TLS, so these tests
    # trust one, whose private key was never kept.
    "SSL_CERT_FILE": str(Path(__file__).resolve().parent / "support" / "nobody.pem"),
    # fsspec's store in memory is an object store that needs no server.
    "SAL_ALLOWED_PROTOCOLS": "memory",
}
