"""Checks the environment's proxy settings before any connection is made."""

from discordianai.settings.document import SettingsError


def problems() -> tuple[str, ...]:
    """The problems found, as sentences."""
    # Imported here, as it brings httpx, which other commands would wait for.
    from discordianai.transport.proxy_rules import Proxies, ProxyError

    try:
        Proxies.of_environment()
    except ProxyError as error:
        return error.problems
    return ()


def require() -> None:
    """Raise `SettingsError` where they cannot be used."""
    if found := problems():
        raise SettingsError(*found)
