"""`/search`: a question that is answered from the web."""

from discordianai.discord.commands.command import LONGEST_PROMPT, QuestionCommand, QuestionDraft
from discordianai.discord.commands.declaration import Option
from discordianai.discord.commands.shared import PRIVATE
from discordianai.discord.events.interaction import CommandInteraction


def _draft(interaction: CommandInteraction) -> QuestionDraft:
    options = interaction.options
    return QuestionDraft(
        str(options.get("query", "")), search=True, private=bool(options.get("private", False))
    )


COMMAND = QuestionCommand(
    name="search",
    description="Search the web, with sources",
    options=(Option("query", "What to search for", required=True, max_length=LONGEST_PROMPT), PRIVATE),
    available=lambda offer: offer.searches,
    draft=_draft,
)
