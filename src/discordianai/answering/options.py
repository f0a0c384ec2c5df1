"""What the operator can set of how the bot answers."""

from dataclasses import dataclass
from typing import Annotated

from discordianai.option import Key


@dataclass(frozen=True, slots=True)
class AssistantOptions:
    """`[assistant]`: how the bot is told to answer."""

    instructions: Annotated[
        str,
        Key(
            "What the model is told before each conversation. It can be talked into repeating it:"
            " no place for a secret.",
            live=True,
        ),
    ] = (
        "You are a helpful assistant in a Discord server. Answer in the language of the question, "
        "briefly, in Discord's Markdown."
    )
