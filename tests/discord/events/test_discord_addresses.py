"""Which addresses are Discord's own: of files, and until when they work, and of gateways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai import addresses
from discordianai.discord.events.discord_addresses import (
    api_may_name,
    expires_at,
    is_on_cdn,
    session_may_name,
)

REAL, LOCAL = "https://discord.com/api/v10", "http://127.0.0.1:8080/api/v10"


@pytest.mark.parametrize(
    ("url", "api", "own"),
    [
        ("https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3", REAL, True),
        ("https://media.discordapp.net/stickers/1.png", REAL, True),
        ("https://CDN.discordapp.com:443/a.png", REAL, True),
        ("http://cdn.discordapp.com/a.png", REAL, False),
        ("https://cdn.discordapp.com:8443/a.png", REAL, False),
        ("https://discord.com/a.png", REAL, False),
        ("https://canary.discord.com/a.png", "https://canary.discord.com/api/v10", False),
        ("https://cdn.discordapp.com.evil.example/a.png", REAL, False),
        ("https://evil.cdn.discordapp.com/a.png", REAL, False),
        ("https://images-ext-1.discordapp.net/external/x/https/evil.example/a.png", REAL, False),
        ("https://cdn.discordapp.com@evil.example/a.png", REAL, False),
        ("https://somebody:secret@cdn.discordapp.com/a.png", REAL, False),
        ("https://[docs]/a.png", REAL, False),
        ("", REAL, False),
        ("http://127.0.0.1:8080/attachments/1/a.png", LOCAL, True),
        ("http://127.0.0.1:8081/attachments/1/a.png", LOCAL, False),
        ("http://127.0.0.1:8080/attachments/1/a.png", REAL, False),
    ],
)
def test_only_discords_own_hosts_by_https_are_asked(url: str, api: str, own: bool) -> None:
    """And the origin of the API, where a local Discord is run."""
    assert is_on_cdn(url, addresses.read(api)) is own


def test_a_signed_address_says_until_when_it_works() -> None:
    assert expires_at("https://cdn.discordapp.com/a.png?ex=6553f100&is=65529f80&hm=ab") == 1_700_000_000
    for odd in ("", "https://x/?ex=", "https://x/?ex=zz", "https://[docs]/?ex=1", "https://x/?ex=-1"):
        assert expires_at(odd) == 0


@given(st.text() | st.text(alphabet="ex=&?/:[]0f%;_ -").map(lambda text: f"https://x/?ex={text}"))
def test_whatever_the_address_there_is_a_moment_or_none(url: str) -> None:
    assert 0 <= expires_at(url) < 16**12


API, SANDBOX = "https://discord.com/api/v10", "http://127.0.0.1:8000/api/v10"
GATEWAY = "wss://gateway.discord.gg/?encoding=json&v=10"

DISCORDS = (
    "wss://gateway.discord.gg",
    "wss://gateway-us-east1-b.discord.gg/",
    "WSS://Gateway.Discord.GG:443",
)
NOBODYS: tuple[object, ...] = (
    *("ws://gateway.discord.gg", "http://gateway.discord.gg", "https://gateway.discord.gg"),
    *(
        "wss://gateway.discord.gg:8443",
        "wss://162.159.130.234",
        "wss://[2606:4700::1]",
        "wss://discord.gg.example",
    ),
    *("wss://evildiscord.gg", "wss://discord.com", "wss://gateway.discord.gg@evil.example"),
    *(
        "wss://evil.example\\@gateway.discord.gg",
        "wss://gateway.discord.gg\n.evil.example",
        "wss://",
        "",
        "x",
    ),
    *(None, 7, True, [], {}, b"wss://gateway.discord.gg", "wss://gateway.discord.gg/" + "x" * 3000),
)


@pytest.mark.parametrize("url", DISCORDS)
def test_discord_may_name_its_own_gateways(url: str) -> None:
    assert api_may_name(url, API)
    assert session_may_name(url, GATEWAY)


@pytest.mark.parametrize("url", NOBODYS)
def test_discord_may_name_no_other(url: object) -> None:
    assert not api_may_name(url, API)
    assert not session_may_name(url, GATEWAY)


def test_another_api_may_name_any_gateway_but_none_in_the_clear_where_it_is_encrypted_itself() -> None:
    """Whoever sets `api_url` has chosen whom to trust."""
    assert api_may_name("ws://127.0.0.1:8001/gateway", SANDBOX)
    assert api_may_name("wss://gateway.example", SANDBOX)
    assert api_may_name("wss://gateway.discord.gg", SANDBOX)
    assert api_may_name("wss://gateway.example", "https://proxy.example/api")
    assert not api_may_name("ws://gateway.example", "https://proxy.example/api")


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("ws://127.0.0.1:8001/gateway/0", True),
        ("ws://127.0.0.1:8002/gateway/0", False),
        ("wss://127.0.0.1:8001/gateway/0", False),
        ("ws://127.0.0.2:8001/gateway/0", False),
        ("ws://localhost:8001/gateway/0", False),
        ("wss://gateway.discord.gg", False),
    ],
)
def test_another_gateway_may_name_itself_alone(url: str, own: bool) -> None:
    assert session_may_name(url, "ws://127.0.0.1:8001/gateway?v=10") is own
