"""What the commands in the menu of a message ask about it."""

from dataclasses import replace

import pytest

from discordianai.discord.commands.command import MessageCommand
from discordianai.discord.commands.message_menu import ASK_ABOUT, COMMANDS, LANGUAGES
from discordianai.discord.events.interaction import MessageCommandInteraction
from discordianai.discord.events.message_content import MessageContent
from discordianai.records import Attachment
from tests.discord.builders import origin

FILE = Attachment("llama.png", "https://cdn.discordapp.com/llama.png", 5, "image/png")
TASKS = [command for command in COMMANDS if isinstance(command, MessageCommand)]


@pytest.mark.parametrize("command", TASKS, ids=lambda command: command.name)
def test_every_task_is_done_in_every_language_of_discord(command: MessageCommand) -> None:
    """In private, of the quoted message with its files; the braces of a message mean nothing."""
    for locale in (*LANGUAGES, "tlh"):
        is_done_in(locale, command)


def is_done_in(locale: str, command: MessageCommand) -> None:
    message = MessageContent("hello {x}\nworld", (FILE,), author="Ben")
    draft = command.draft(MessageCommandInteraction(origin(locale=locale), command.name, message))
    assert draft.text.startswith(command.name)
    assert LANGUAGES.get(locale, "the language of this message") in draft.text
    assert draft.quotation is not None
    heading, _, quoted = draft.quotation.text.partition("\n")
    assert "“Ben”" in heading
    assert quoted == "> hello {x}\n> world\n> [Attached] llama.png"
    assert (draft.private, draft.attachments) == (True, (replace(FILE, quoted=True),))


def test_a_question_about_a_message_is_asked_for_all_to_see() -> None:
    used = MessageCommandInteraction(origin(), ASK_ABOUT.name, MessageContent("hello", (FILE,)))
    draft = ASK_ABOUT.draft(used, "who says that?")
    assert draft.text == "who says that?"
    assert draft.quotation is not None
    assert "> hello" in draft.quotation.text
    assert (draft.private, draft.attachments) == (False, (replace(FILE, quoted=True),))


def test_a_question_about_a_message_that_one_person_sees_is_theirs_alone() -> None:
    """The answer would tell the others what it says."""
    used = MessageCommandInteraction(origin(), ASK_ABOUT.name, MessageContent("hello", private=True))
    assert ASK_ABOUT.draft(used, "who says that?").private
