"""A host is shown so that a reader recognizes it and takes it for no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.rendering.hosts import LONGEST_SHOWN, ascii_host, comparable_host, shown_host


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("Example.COM", "example.com"),
        ("xn--mnchen-3ya.example", "münchen.example"),
        ("münchen.example", "münchen.example"),
        ("ＢANK.example", "bank.example"),
        ("xn--e1afmkfd.xn--p1ai", "пример.рф"),
        ("xn--wgv71a119e.jp", "日本語.jp"),
        ("xn--4gbrim.xn--ngbc5azd", "موقع.شبكة"),
        ("xn--h2brhc3eo.xn--h2brj9c", "भारतीय.भारत"),
        ("2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_a_name_in_one_script_is_shown_in_it(host: str, shown: str) -> None:
    assert shown_host(host) == shown


@pytest.mark.parametrize(
    "host",
    [
        "аррӏе.com",  # Cyrillic letters that look like Latin ones
        "bаnk.example",  # one of them
        "ехаmple.org",
        "οο.example",  # Greek
        "ıstanbul.example",  # no dot
        "ノ.example",
        "com一evil.example",
        "זה.example",  # the order in which the labels are displayed would be another
        "a\u0301\u0301.example",
        "😀.example",
        "xn--zzzzzzzzzzzz.example",
    ],
)
def test_a_name_that_could_be_taken_for_another_is_shown_as_it_is_asked_for(host: str) -> None:
    assert shown_host(host) == ascii_host(host)
    assert shown_host(host).isascii()


def test_of_a_long_name_the_end_is_shown() -> None:
    """The end says whose it is, and the beginning can be chosen to mislead."""
    shown = shown_host(f"www.bank.example.{'x' * 60}.evil.example")
    assert len(shown) == LONGEST_SHOWN
    assert shown.startswith("…x")
    assert shown.endswith("x.evil.example")


@given(st.text(st.characters(categories=["L", "M", "N", "Pd"], include_characters="._"), max_size=300))
def test_any_name_is_shown_within_bounds_and_the_same_in_both_forms(host: str) -> None:
    assert len(shown_host(host)) <= LONGEST_SHOWN
    name = ascii_host(host)
    assert name.isascii()
    assert shown_host(name) == shown_host(host)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bank.EXAMPLE.", "bank.example"),
        ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("ＢANK.example", "bank.example"),
    ],
)
def test_two_names_of_one_host_compare_equal(one: str, other: str) -> None:
    assert comparable_host(one) == comparable_host(other)
    assert comparable_host(one) != comparable_host("evil.example")
