"""Which addresses a gateway may have: whoever answers there is sent the bot's token."""

import pytest

from discordianai.discord.gateway.gateway_address import api_may_name, session_may_name

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
