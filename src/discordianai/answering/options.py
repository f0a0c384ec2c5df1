"""The settings of how the bot answers."""

from dataclasses import dataclass
from typing import Annotated

from discordianai.option import Key


@dataclass(frozen=True, slots=True)
class AssistantOptions:
    """`[assistant]`: how the bot is told to answer."""

    instructions: Annotated[
        str,
        Key(
            "Sent to the model before each conversation. A model can be tricked into repeating it:"
            " don't put secrets here.",
            live=True,
        ),
    ] = (
        "You are a helpful assistant in a Discord server. Answer in the language of the question, "
        "briefly, in Discord's Markdown."
    )
    show_usage: Annotated[bool, Key("whether to show tokens and cost below each answer", live=True)] = False
