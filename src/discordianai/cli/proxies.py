"""Whether the environment's proxies can be used: whoever is to speak to anybody looks first."""

from discordianai.settings.file import SettingsError


def problems() -> tuple[str, ...]:
    """What is wrong with them, in sentences."""
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
