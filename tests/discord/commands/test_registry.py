"""Which commands there are, by what the providers that are set up can do."""

from dataclasses import replace

from discordianai.discord.commands.command import Entry, entries
from discordianai.model import Provider, WebSearch
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY


def offered(*providers: Provider) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries(providers, several_models=False)}


def test_there_is_a_search_where_anybody_searches() -> None:
    """Whoever that is."""
    assert "search" in offered(OPENAI)
    assert "search" in offered(PERPLEXITY)
    assert "search" in offered(FOREIGN, replace(FOREIGN, name="other", web_search=WebSearch.ALWAYS))
    assert "search" not in offered(FOREIGN)
    assert "search" not in offered(replace(OPENAI, web_search=WebSearch.NEVER))


def test_each_provider_can_be_chosen_by_its_label() -> None:
    """Where there is more than one."""
    (choices,) = (option.choices for option in offered(OPENAI, FOREIGN)["ask"].options if option.choices)
    assert choices == (("auto", "auto"), ("OpenAI", "openai"), ("Foreign", "foreign"))
    assert not any(option.name == "provider" for option in offered(FOREIGN)["ask"].options)


def test_discord_is_offered_no_more_choices_than_it_takes() -> None:
    """It would refuse every command at once."""
    many = [replace(FOREIGN, name=f"local-{number}") for number in range(40)]
    (choices,) = (option.choices for option in offered(*many)["ask"].options if option.choices)
    assert len(choices) == 25
