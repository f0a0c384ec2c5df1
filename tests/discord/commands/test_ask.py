"""What question `/ask` makes of its options."""

from discordianai.discord.commands import ask
from discordianai.discord.commands.command import QuestionDraft
from discordianai.records import Attachment
from tests.discord.builders import command
from tests.discord.commands.builders import OFFER


def test_it_asks_what_was_typed_of_whom_it_was_wanted() -> None:
    options: dict[str, str | bool] = {"prompt": "why?", "provider": "openai", "model": "o9", "thread": True}
    draft = ask.COMMAND.draft(command(options))
    assert draft == QuestionDraft("why?", provider="openai", model="o9", in_thread=True)
    assert ask.COMMAND.draft(command({"prompt": "why?", "provider": "auto"})).provider is None


def test_a_private_question_opens_no_thread() -> None:
    """Others could read it there."""
    draft = ask.COMMAND.draft(command({"prompt": "why?", "thread": True, "private": True}))
    assert (draft.private, draft.in_thread) == (True, False)


def test_a_file_goes_along() -> None:
    file = Attachment("notes.txt", "https://cdn.discordapp.com/notes.txt", 5, "text/plain")
    assert ask.COMMAND.draft(command(attachments=(file,))).attachments == (file,)


def test_models_are_completed_by_any_part_of_their_name() -> None:
    (complete,) = (option.autocomplete for option in ask.COMMAND.options if option.autocomplete)
    assert complete("LUNA", OFFER) == ["gpt-6-luna"]
    assert complete("", OFFER) == ["gpt-6-luna", "gpt-6.1-terra", "fast"]
