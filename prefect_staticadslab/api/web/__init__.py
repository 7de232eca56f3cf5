"""What may be asked of the web, and a reader that nothing there can hold up or overfill.

Web addresses come from cells, notes and answers, that is from strangers, and this machine can ask
what they cannot: its own services, and its cloud's, which give secrets to whoever asks. So each
address passes a `WebGate`, again for each redirect, and once more when the connection is there.
"""

from prefect_staticadslab.api.errors import ForbiddenAddressError, WebError
from prefect_staticadslab.api.web.gate import ALLOWED_HOSTS_VARIABLE, WebGate, redacted_url
from prefect_staticadslab.api.web.reader import (
    WebAnswer,
    WebFile,
    open_web,
    read_web,
    web_client,
)

__all__ = [
    "ALLOWED_HOSTS_VARIABLE",
    "ForbiddenAddressError",
    "WebAnswer",
    "WebError",
    "WebFile",
    "WebGate",
    "open_web",
    "read_web",
    "redacted_url",
    "web_client",
]
