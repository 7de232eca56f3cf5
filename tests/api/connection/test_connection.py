"""Keys and base URLs that are refused, and why."""

from __future__ import annotations

import pytest

from prefect_staticadslab.api.connection import check_api_key, check_base_url
from prefect_staticadslab.api.errors import InvalidAPIKeyError, InvalidBaseURLError


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("", "empty"),
        ("Bearer sal_live_SECRET", "Bearer"),
        ("bearer sal_live_SECRET", "Bearer"),
        ("sal_live_SECRET\n", "line break"),
        ("sal live SECRET", "space"),
        ('"sal_live_SECRET"', "quotes"),
        ("sk_live_SECRET", "sal_"),
        ("sal_", "sal_"),
        ("sal_live_SECRÉT", "characters"),
    ],
)
def test_a_wrong_key_is_refused_with_a_hint_and_never_shown(key: str, hint: str) -> None:
    with pytest.raises(InvalidAPIKeyError, match=hint) as refused:
        check_api_key(key)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.staticadslab.com", "https://api.staticadslab.com"),
        ("https://api.staticadslab.com/v1/", "https://api.staticadslab.com"),
        (" http://127.0.0.1:8321/ ", "http://127.0.0.1:8321"),
        ("http://localhost:8321", "http://localhost:8321"),
        ("http://[::1]:8321", "http://[::1]:8321"),
        ("https://gateway.example/ads", "https://gateway.example/ads"),
    ],
)
def test_a_safe_base_url_is_kept(url: str, kept: str) -> None:
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://api.staticadslab.com",
        "http://192.168.1.4:8321",
        "http://localhost.example.com",
        "http://127.0.0.1@example.com",
        "http://127.0.0.1.example.com",
        "ftp://127.0.0.1",
        "api.staticadslab.com",
        "https://user:password@api.staticadslab.com",
        "https://api.staticadslab.com?x=1",
        "http://[::1",
        "",
    ],
)
def test_a_base_url_that_would_leak_the_key_is_refused(url: str) -> None:
    with pytest.raises(InvalidBaseURLError):
        check_base_url(url)
