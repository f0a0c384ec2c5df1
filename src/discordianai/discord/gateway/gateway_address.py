"""Which addresses a gateway may have: whoever answers there is sent the bot's token."""

from dataclasses import dataclass

from discordianai import addresses
from discordianai.discord.events import cdn

DOMAIN = "discord.gg"
"""That of Discord's gateways; each session is told its own host for RESUME."""

_AS_WEB = {"ws": "http", "wss": "https"}


@dataclass(frozen=True, slots=True)
class _Origin:
    scheme: str
    host: str
    port: int

    @property
    def is_discords(self) -> bool:
        of_discord = self.host == DOMAIN or self.host.endswith(f".{DOMAIN}")
        return of_discord and (self.scheme, self.port) == ("https", 443)


def api_may_name(url: object, api_url: str) -> bool:
    """Whether a gateway may be where `GET /gateway` says.

    Discord's own API names one of Discord's. Any other API is the operator's choice, and so is its gateway,
    but what is encrypted on the way there does not go on in the clear.
    """
    there, api = _origin(url), addresses.read(api_url)
    if there is None or api is None:
        return False
    return there.is_discords if cdn.is_real(api) else there.scheme == "https" or api.scheme == "http"


def session_may_name(url: object, gateway_url: str) -> bool:
    """Whether a session may be resumed where its READY says: at another of Discord's gateways, or where the
    session began.
    """
    there, here = _origin(url), _origin(gateway_url)
    if there is None or here is None:
        return False
    return there.is_discords if here.is_discords else there == here


def _origin(url: object) -> _Origin | None:
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if scheme.lower() not in _AS_WEB or not separator:
        return None
    address = addresses.read(f"{_AS_WEB[scheme.lower()]}://{rest}")
    if address is None or address.without_user_info != address.url:
        return None
    return _Origin(address.scheme, address.host, address.port)
