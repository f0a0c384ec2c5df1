"""Whatever stands where an address should, it is told whether it is one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from discordianai import addresses

NONE = [
    "",
    "https://",
    "https://[docs]/guide",
    "https://example.com\uff0fpath",
    "http://[http//a.example",
    "http://[URL]https://a.example",
    "https://[2001:db8::1/x",
    "https://a.example:port/",
    "https://a.example:99999/",
    "https://a.example/\u202egnp.exe",
    "https://a.example/\ud83d",
    "https://a.example/a b",
    "https://a.example/\nb",
    "https://a.example/>x",
    "https://a`b.example/",
    "https://evil.example\\@bank.example/",
    "https:\\\\a.example/",
    "https://a||b.example/",
    "javascript:alert(1)",
    "ftp://a.example/",
    "//a.example/",
    "a.example",
    "https://a.example/" + "x" * 2000,
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_address_is_none(text: str) -> None:
    """No error leaves, whatever the library makes of it."""
    assert addresses.read(text) is None


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("https://www.Example.com/a?b=c#d", "www.example.com", 443),
        ("http://127.0.0.1:8080/x", "127.0.0.1", 8080),
        ("https://[2001:db8::1]/x", "2001:db8::1", 443),
        ("https://de.wikipedia.org/wiki/Köln", "de.wikipedia.org", 443),
        ("https://münchen.example/", "münchen.example", 443),
        ("https://www.bank.example@evil.example/x", "evil.example", 443),
    ],
)
def test_an_address_tells_where_it_leads(text: str, host: str, port: int) -> None:
    """The host is the one that is asked, also behind a name that looks like another."""
    address = addresses.read(text)
    assert address is not None
    assert (address.url, address.host, address.port) == (text, host, port)


@given(st.text() | st.from_regex(r"https?://[\[\]:/@.\w\uff0f]{0,30}", fullmatch=True))
@example("https://[docs]/guide")
def test_any_text_is_told(text: str) -> None:
    """What is an address can be shown: nothing in it is invisible, or ends the link around it."""
    address = addresses.read(text)
    if address is not None:
        assert address.url.isprintable()
        assert not set("<> ") & set(address.url)
        address.url.encode()


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("https://www.bank.example@evil.example/x@y", "https://evil.example/x@y"),
        ("https://a:b@c@evil.example:8443?d@e", "https://evil.example:8443?d@e"),
        ("https://a.example", "https://a.example"),
        ("HTTPS://a.example#b@c", "HTTPS://a.example#b@c"),
    ],
)
def test_user_info_is_dropped_and_nothing_else(text: str, without: str) -> None:
    address = addresses.read(text)
    assert address is not None
    assert address.without_user_info == without
    again = addresses.read(without)
    assert again is not None
    assert (again.host, again.port) == (address.host, address.port)
