"""Discord's CDN: which addresses are its own, and until when they work."""

from urllib.parse import parse_qs, urlsplit

from discordianai import addresses
from discordianai.addresses import Address

CDN_HOSTS = {"cdn.discordapp.com", "media.discordapp.net"}
"""The hosts on which Discord keeps files; no other host is asked, whatever an attachment says."""

DISCORD = "discord.com"
"""The host of the real API, which keeps no files."""


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
    return api.host == DISCORD or api.host.endswith(f".{DISCORD}")
