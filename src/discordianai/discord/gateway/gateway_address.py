"""Which addresses a gateway may have: whoever answers there is sent the bot's token."""

from discordianai import addresses
from discordianai.addresses import Address
from discordianai.discord.events import cdn

DOMAIN = "discord.gg"
"""That of Discord's gateways; each session is told its own host for RESUME."""

_AS_WEB = {"ws": "http", "wss": "https"}


def api_may_name(url: object, api_url: str) -> bool:
    """Whether a gateway may be where `GET /gateway` says.

    Discord's own API names one of Discord's. Any other API is the operator's choice, and so is its gateway,
    but what is encrypted on the way there does not go on in the clear.
    """
    there, api = _read(url), addresses.read(api_url)
    if there is None or api is None:
        return False
    return _is_discords(there) if cdn.is_real(api) else there.scheme == "https" or api.scheme == "http"


def session_may_name(url: object, gateway_url: str) -> bool:
    """Whether a session may be resumed where its READY says: at another of Discord's gateways, or where the
    session began.
    """
    there, here = _read(url), _read(gateway_url)
    if there is None or here is None:
        return False
    return _is_discords(there) if _is_discords(here) else there.origin == here.origin


def _is_discords(gateway: Address) -> bool:
    of_discord = gateway.host == DOMAIN or gateway.host.endswith(f".{DOMAIN}")
    return of_discord and (gateway.scheme, gateway.port) == ("https", 443)


def _read(url: object) -> Address | None:
    """The address of a WebSocket as the one of the web that it begins as."""
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if scheme.lower() not in _AS_WEB or not separator:
        return None
    address = addresses.read(f"{_AS_WEB[scheme.lower()]}://{rest}")
    return None if address is None or address.without_user_info != address.url else address
