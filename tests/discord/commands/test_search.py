"""What question `/search` makes of its options."""

from discordianai.discord.commands import search
from discordianai.discord.commands.command import QuestionDraft
from tests.discord.builders import command


def test_it_asks_the_web_as_privately_as_it_was_wanted() -> None:
    for private in (False, True):
        draft = search.COMMAND.draft(command({"query": "llamas", "private": private}, "search"))
        assert draft == QuestionDraft("llamas", search=True, private=private)
