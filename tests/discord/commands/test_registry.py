"""Which commands there are, by what the providers that are set up can do."""

from collections import Counter
from dataclasses import replace

import pytest

from discordianai.discord.commands.command import Command, HandledCommand
from discordianai.discord.commands.declaration import CommandKind, Offer
from discordianai.discord.commands.registration import declaration
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.messages.buttons import Action, Button
from discordianai.records import Provider, WebSearch
from discordianai.sandbox.discord.api_objects import Snowflakes
from discordianai.sandbox.discord.command_validation import checked
from tests.discord.commands.builders import offering
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY

MANY = tuple(replace(FOREIGN, name=f"local-{number}") for number in range(40))


def offered(*providers: Provider) -> dict[str, Command]:
    commands = OfferedCommands(COMMANDS, offering(*providers)).commands
    return {command.name: command for command in commands}


def choices(*providers: Provider) -> list[tuple[str, str]]:
    """Of the providers, as Discord is told."""
    (command,) = (command for command in COMMANDS if command.name == "ask")
    (provider,) = (
        option
        for option in declaration(command, offering(*providers))["options"]
        if option["name"] == "provider"
    )
    return [(choice["name"], choice["value"]) for choice in provider["choices"]]


def test_there_is_a_search_where_anybody_searches() -> None:
    """Whoever that is."""
    assert "search" in offered(OPENAI)
    assert "search" in offered(PERPLEXITY)
    assert "search" in offered(FOREIGN, replace(FOREIGN, name="other", web_search=WebSearch.ALWAYS))
    assert "search" not in offered(FOREIGN)
    assert "search" not in offered(replace(OPENAI, web_search=WebSearch.NEVER))


def test_each_provider_can_be_chosen_by_its_label() -> None:
    """Where there is more than one."""
    assert choices(OPENAI, FOREIGN) == [("auto", "auto"), ("OpenAI", "openai"), ("Foreign", "foreign")]
    declared = declaration(offered(FOREIGN)["ask"], offering(FOREIGN))
    assert not any(option["name"] == "provider" for option in declared["options"])


def test_a_model_can_be_chosen_where_there_are_several() -> None:
    one, several = offering(OPENAI), Offer({OPENAI: ("gpt-5", "o9")})
    for offer, expected in ((one, False), (several, True)):
        commands = {command.name: command for command in OfferedCommands(COMMANDS, offer).commands}
        declared = declaration(commands["ask"], offer)
        assert any(option["name"] == "model" for option in declared["options"]) is expected
        assert ("model" in commands) is expected


def test_discord_is_offered_no_more_choices_than_it_takes() -> None:
    """It would refuse every command at once."""
    assert len(choices(*MANY)) == 25


def test_no_more_is_suggested_than_discord_takes() -> None:
    many = Offer({OPENAI: tuple(f"gpt-{number}" for number in range(40))})
    assert len(OfferedCommands(COMMANDS, many).complete("ask", "model", "gpt")) == 25


def test_what_a_provider_lists_is_offered_as_soon_as_it_is_known() -> None:
    """The commands have the option from the start; what the settings name comes first."""
    listed: dict[str, tuple[str, ...]] = {"openai": ()}
    offered = OfferedCommands(COMMANDS, Offer({OPENAI: ("gpt-6-luna",)}, listed))
    assert offered.find("model") is not None
    assert offered.complete("ask", "model", "") == ("gpt-6-luna",)
    listed["openai"] = tuple(f"llama-{number}" for number in range(300))
    completed = offered.complete("ask", "model", "")
    assert completed[:2] == ("gpt-6-luna", "llama-0")
    assert len(completed) == 25
    assert offered.complete("ask", "model", "llama-299") == ("llama-299",)
    assert offered.offer.provider_of("llama-299") == "openai"


@pytest.mark.parametrize("scope", [0, 5], ids=["global", "of a server"])
@pytest.mark.parametrize("providers", [(OPENAI,), (OPENAI, PERPLEXITY, FOREIGN), MANY], ids=len)
def test_discord_takes_every_declaration(providers: tuple[Provider, ...], scope: int) -> None:
    """As the sandbox checks it, which is as strict."""
    offer = offering(*providers)
    declared = [declaration(command, offer, scope) for command in OfferedCommands(COMMANDS, offer).commands]
    assert [each["name"] for each in checked(declared, Snowflakes())] == list(offered(*providers))


def test_a_name_belongs_to_one_command_and_an_action_to_one_button() -> None:
    """Discord sends nothing else back; buttons under answers have actions of their own."""
    actions = [a for command in COMMANDS if isinstance(command, HandledCommand) for a in command.components]
    assert max(Counter(command.name for command in COMMANDS).values()) == 1
    assert max(Counter([*actions, *Action]).values()) == 1
    longest = Button(max(actions, key=len), 2**64 - 1, str(2**64 - 1))
    assert len(longest.custom_id) <= 100


def test_every_slash_command_says_what_it_does() -> None:
    """`/help` and Discord show it."""
    assert all(c.description for c in COMMANDS if c.kind is CommandKind.CHAT_INPUT)


def test_a_model_with_a_name_that_discord_does_not_take_spoils_no_suggestions() -> None:
    """For one choice that is empty or too long, Discord refuses all of them."""
    listed = {OPENAI.name: ("a" * 101, "", "b" * 100)}
    offered = OfferedCommands(COMMANDS, Offer({OPENAI: ("gpt-6-luna",)}, listed))
    assert offered.complete("ask", "model", "") == ("gpt-6-luna", "b" * 100)
