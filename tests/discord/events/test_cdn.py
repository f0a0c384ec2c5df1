"""Which addresses are Discord's CDN, and until when they work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai import addresses
from discordianai.discord.events.cdn import expires_at, is_on_cdn

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
