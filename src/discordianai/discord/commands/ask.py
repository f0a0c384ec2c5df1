"""`/ask`: a question to the bot."""

from collections.abc import Sequence

from discordianai.discord.commands.command import LONGEST_PROMPT, QuestionCommand, QuestionDraft
from discordianai.discord.commands.declaration import MOST_CHOICES, Choice, Offer, Option, OptionKind
from discordianai.discord.commands.shared import PRIVATE, model_option
from discordianai.discord.events.interaction import CommandInteraction

AUTO = "auto"
"""The choice of no provider, which leaves it to the bot."""


def _providers(offer: Offer) -> Sequence[Choice]:
    named = ((provider.label, provider.name) for provider in offer.providers)
    return ((AUTO, AUTO), *named)[:MOST_CHOICES]


def _several_providers(offer: Offer) -> bool:
    return len(offer.providers) > 1


def _draft(interaction: CommandInteraction) -> QuestionDraft:
    options = interaction.options
    chosen, private = str(options.get("provider", AUTO)), bool(options.get("private", False))
    return QuestionDraft(
        str(options.get("prompt", "")),
        provider=chosen if chosen != AUTO else None,
        model=str(options.get("model", "")),
        attachments=interaction.attachments,
        private=private,
        in_thread=bool(options.get("thread", False)) and not private,
    )


COMMAND = QuestionCommand(
    name="ask",
    description="Ask me anything",
    options=(
        Option("prompt", "Your question", required=True, max_length=LONGEST_PROMPT),
        Option("provider", "Who answers", choices=_providers, available=_several_providers),
        model_option("Which model answers"),
        Option("file", "An image, PDF, text or code file to go with it", OptionKind.ATTACHMENT),
        Option("thread", "Answer in a new thread", OptionKind.BOOLEAN),
        PRIVATE,
    ),
    draft=_draft,
)
