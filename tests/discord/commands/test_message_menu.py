"""What the commands in the menu of a message ask about it."""

import pytest

from discordianai.discord.commands.command import MessageCommand
from discordianai.discord.commands.message_menu import ASK_ABOUT, COMMANDS, LANGUAGES
from discordianai.discord.interactions.interaction import MessageCommandInteraction
from discordianai.records import Attachment
from tests.discord.builders import origin

FILE = Attachment("llama.png", "https://cdn.discordapp.com/llama.png", 5, "image/png")
TASKS = [command for command in COMMANDS if isinstance(command, MessageCommand)]


@pytest.mark.parametrize("command", TASKS, ids=lambda command: command.name)
@pytest.mark.parametrize("locale", [*LANGUAGES, "tlh"])
def test_every_task_is_done_in_every_language_of_discord(command: MessageCommand, locale: str) -> None:
    """In private, of the quoted message with its files; the braces of a message mean nothing."""
    used = MessageCommandInteraction(origin(locale=locale), command.name, "hello {x}\nworld", (FILE,))
    draft = command.draft(used)
    task, _, quoted = draft.text.partition("\n\n")
    assert task.startswith(command.name)
    assert LANGUAGES.get(locale, "the language of this message") in task
    assert quoted == "> hello {x}\n> world"
    assert (draft.private, draft.attachments) == (True, (FILE,))


def test_a_question_about_a_message_is_asked_for_all_to_see() -> None:
    used = MessageCommandInteraction(origin(), ASK_ABOUT.name, "hello", (FILE,))
    draft = ASK_ABOUT.draft(used, "who says that?")
    assert draft.text == "who says that?\n\n> hello"
    assert (draft.private, draft.attachments) == (False, (FILE,))
