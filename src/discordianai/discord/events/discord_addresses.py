"""Which addresses are Discord's own: those of files, and of gateways, which are sent the bot's token."""

from urllib.parse import parse_qs, urlsplit

from discordianai import addresses
from discordianai.addresses import Address

CDN_HOSTS = {"cdn.discordapp.com", "media.discordapp.net"}
"""The hosts on which Discord keeps files; no other host is asked, whatever an attachment says."""

API_DOMAIN = "discord.com"
"""That of the real API, which keeps no files."""

GATEWAY_DOMAIN = "discord.gg"
"""That of Discord's gateways; each session is told its own host for RESUME."""

_AS_WEB = {"ws": "http", "wss": "https"}


def is_on_cdn(url: str, api: Address | None) -> bool:
    """Whether a file is where Discord keeps files: by https, at the usual port, and with no user named.

    Where `api` is not the real Discord's, its own origin keeps them, too.
    """
    address = addresses.read(url)
    if address is None or address.without_user_info != url:
        return False
    if api is not None and not is_real(api) and address.origin == api.origin:
        return True
    return (address.scheme, address.port) == ("https", 443) and address.host in CDN_HOSTS


def expires_at(url: str) -> float:
    """Until when the address works, in seconds since the epoch; 0 where it does not say.

    A signed address has `ex`, that moment in hexadecimal, beside `is` and `hm`.
    """
    try:
        moment = "".join(parse_qs(urlsplit(url).query, max_num_fields=20).get("ex", ()))
    except ValueError:
        return 0.0
    is_hexadecimal = 0 < len(moment) <= 12 and moment.isascii() and moment.isalnum()
    try:
        return float(int(moment, 16)) if is_hexadecimal else 0.0
    except ValueError:
        return 0.0


def is_real(api: Address) -> bool:
    """Whether that is the API of the real Discord."""
    return _is_within(api, API_DOMAIN)


def api_may_name(url: object, api_url: str) -> bool:
    """Whether a gateway may be where `GET /gateway` says.

    Discord's own API names one of Discord's. Any other API is the operator's choice, and so is its gateway,
    but what is encrypted on the way there does not go on in the clear.
    """
    there, api = _read(url), addresses.read(api_url)
    if there is None or api is None:
        return False
    return _is_discords(there) if is_real(api) else there.scheme == "https" or api.scheme == "http"


def session_may_name(url: object, gateway_url: str) -> bool:
    """Whether a session may be resumed where its READY says: at another of Discord's gateways, or where the
    session began.
    """
    there, here = _read(url), _read(gateway_url)
    if there is None or here is None:
        return False
    return _is_discords(there) if _is_discords(here) else there.origin == here.origin


def _is_discords(gateway: Address) -> bool:
    return _is_within(gateway, GATEWAY_DOMAIN) and (gateway.scheme, gateway.port) == ("https", 443)


def _is_within(address: Address, domain: str) -> bool:
    return address.host == domain or address.host.endswith(f".{domain}")


def _read(url: object) -> Address | None:
    """The address of a WebSocket as the one of the web that it begins as."""
    scheme, separator, rest = url.partition("://") if isinstance(url, str) else ("", "", "")
    if scheme.lower() not in _AS_WEB or not separator:
        return None
    address = addresses.read(f"{_AS_WEB[scheme.lower()]}://{rest}")
    return None if address is None or address.without_user_info != address.url else address
