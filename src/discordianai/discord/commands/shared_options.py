"""Options that several commands have."""

from collections.abc import Sequence

from discordianai.discord.commands.declaration import Offer, Option, OptionKind

PRIVATE = Option("private", "Only you see the answer", OptionKind.BOOLEAN)


def model_option(description: str) -> Option:
    """One of the bot's models, completed while it is typed."""
    return Option(
        "model",
        description,
        max_length=100,
        autocomplete=_models,
        available=lambda offer: offer.several_models,
    )


def _models(typed: str, offer: Offer) -> Sequence[str]:
    return [model for model in offer.all_models if typed.lower() in model.lower()]
