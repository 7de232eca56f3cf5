"""The block that holds the API key."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from prefect.blocks.abstract import CredentialsBlock
from pydantic import (
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from prefect_staticadslab.api.client import StaticAdsLabClient
from prefect_staticadslab.api.connection import (
    DEFAULT_BASE_URL,
    check_api_key,
    check_base_url,
)
from prefect_staticadslab.campaign.runs.credentials import settings_of_environment

PREFECT_LOGOS: Final = (
    "https://raw.githubusercontent.com/PrefectHQ/prefect/"
    "420d0d6a78bb6df1fc18bcf188fdad43c1d22ea9/assets/block-logos"
)
"""Where Prefect's own blocks have their logos. Its clients take web addresses only, no `data:`, and
a browser that shows Prefect's logos shows these."""


def prefect_logo(name: str) -> HttpUrl:
    """The web address of the logo that Prefect calls so: a square PNG. It is not asked for here."""
    return HttpUrl(f"{PREFECT_LOGOS}/{name}.png")


def one_line(text: str | None) -> str | None:
    """A text with single spaces for line breaks and other white space; None stays None."""
    return text and " ".join(text.split())


class StaticAdsLabCredentials(CredentialsBlock):
    """
    Your API key for Static Ads Lab. Flows and brand kits are given this block, and nobody need see
    the key again. A key that cannot be one, and an address that it would be sent to unencrypted,
    are refused when the block is used.

    Attributes:
        api_key: The API key, `sal_live_…`.
        base_url: Where the API is.

    Example:
        Load a stored block and see whose key it is:
        ```python
        import asyncio
        from prefect_staticadslab import StaticAdsLabCredentials

        credentials = StaticAdsLabCredentials.load("BLOCK_NAME")

        async def main():
            async with credentials.get_client() as client:
                account = await client.get_account()
                print(account.organization_name, account.scopes)

        asyncio.run(main())
        ```
    """

    _block_type_name: ClassVar[str] = "Static Ads Lab Credentials"
    _block_type_slug: ClassVar[str] = "static-ads-lab-credentials"
    _logo_url: ClassVar[HttpUrl] = prefect_logo("secret")
    _documentation_url: ClassVar[HttpUrl] = HttpUrl(
        "https://pypi.org/project/prefect-staticadslab/"
    )

    # A wrong key is often a right one with something around it, so it must not be quoted back.
    model_config = ConfigDict(hide_input_in_errors=True)

    api_key: SecretStr = Field(
        title="API key",
        description="The API key from the Static Ads Lab dashboard. It starts with sal_.",
    )
    base_url: str = Field(
        default=DEFAULT_BASE_URL,
        title="Base URL",
        description="Where the API is. Leave it as it is, except for a simulator.",
    )

    @model_validator(mode="before")
    @classmethod
    def _hide_api_key(cls, values: object) -> object:
        """The block's values with the key as a secret, so that an error about it, from here on, can
        only show asterisks."""
        if isinstance(values, dict) and isinstance(values.get("api_key"), str):
            return {**values, "api_key": SecretStr(values["api_key"])}
        return values

    @field_validator("api_key", mode="after")
    @classmethod
    def _check_api_key(cls, value: SecretStr) -> SecretStr:
        """Returns the key as it is.

        Raises:
            InvalidAPIKeyError: It cannot be one.
        """
        check_api_key(value.get_secret_value())
        return value

    @field_validator("base_url", mode="after")
    @classmethod
    def _check_base_url(cls, value: str) -> str:
        """Returns the URL without a trailing slash or `/v1`.

        Raises:
            InvalidBaseURLError: The key must not be sent there.
        """
        return check_base_url(value)

    @classmethod
    def get_description(cls) -> str | None:
        """The block's description: its docstring's text on one line, since Prefect's older UI
        breaks lines where the docstring does."""
        return one_line(super().get_description())

    @classmethod
    def from_environment(cls) -> StaticAdsLabCredentials:
        """Credentials from `SAL_API_KEY` and, if set, `SAL_BASE_URL`.

        Raises:
            InvalidAPIKeyError: `SAL_API_KEY` is not set.
            pydantic.ValidationError: The key or the URL is wrong; the message says how.

        Example:
            ```python
            from prefect_staticadslab import StaticAdsLabCredentials

            credentials = StaticAdsLabCredentials.from_environment()
            assert "sal_" not in repr(credentials)
            ```
        """
        key, url = settings_of_environment()
        return cls(api_key=SecretStr(key), base_url=url or DEFAULT_BASE_URL)

    @classmethod
    def load_saved(cls, name: str) -> StaticAdsLabCredentials:
        """Loads the saved block of this name; for code that is not async.

        Raises:
            ValueError: Prefect's server has no block of this name.
        """
        loaded = cls.load(name)
        assert isinstance(loaded, cls)  # noqa: S101 - load() is typed for async code, too
        return loaded

    def get_client(self, **options: Any) -> StaticAdsLabClient:
        """An asynchronous client with this key; use it as an async context manager.

        Args:
            **options: Further arguments of `StaticAdsLabClient`, such as `read_seconds`.

        Example:
            ```python
            import asyncio
            from prefect_staticadslab import StaticAdsLabCredentials
            from prefect_staticadslab.api.resources import Brand

            async def main():
                async with StaticAdsLabCredentials.from_environment().get_client() as client:
                    async for brand in client.list_resources(Brand):
                        print(brand.id, brand.name)

            asyncio.run(main())
            ```
        """
        return StaticAdsLabClient(self.api_key.get_secret_value(), self.base_url, **options)


def validation_messages(error: ValidationError) -> list[str]:
    """What the validation error of credentials says, a sentence for each; for people, and without
    the key."""
    return [e["msg"].removeprefix("Value error, ") for e in error.errors()]
