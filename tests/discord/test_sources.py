"""Sources are listed so that they can be clicked, and cannot break out of their line."""

from discordianai.discord.sources import sources
from discordianai.model import Citation


def test_each_source_has_the_number_that_the_text_uses_and_does_not_unfold() -> None:
    listed = sources([Citation("https://a.example/x", "First"), Citation("https://www.b.example/y")])
    assert (
        listed == "**Sources**\n1. [First](<https://a.example/x>)\n2. [b.example](<https://www.b.example/y>)"
    )


def test_no_sources_no_heading() -> None:
    assert sources([]) == ""


def test_a_title_cannot_end_its_link_or_its_line() -> None:
    listed = sources([Citation("https://a.example", "evil](https://b.example)\n# big")])
    assert listed == "**Sources**\n1. [evil)(https://b.example) # big](<https://a.example>)"


def test_an_address_that_is_none_is_not_made_a_link() -> None:
    listed = sources([Citation("javascript:alert(1)", "x"), Citation("https://a.example/> <b", "y")])
    assert listed == "**Sources**\n1. x\n2. y"
