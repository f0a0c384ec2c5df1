"""Every Discord command. A new one is a module beside this one, and its line here.

Registration with Discord, routing, autocompletion, `/help` and the tests follow from this list.
"""

from discordianai.discord.commands import (
    ask,
    export,
    forget,
    history,
    message_menu,
    model,
    persona,
    reset,
    search,
    status,
    usage,
)
from discordianai.discord.commands import (
    help as help_,
)
from discordianai.discord.commands.command import Command

COMMANDS: tuple[Command, ...] = (
    ask.COMMAND,
    search.COMMAND,
    reset.COMMAND,
    history.COMMAND,
    forget.COMMAND,
    export.COMMAND,
    persona.COMMAND,
    model.COMMAND,
    usage.COMMAND,
    status.COMMAND,
    help_.COMMAND,
    *message_menu.COMMANDS,
)
"""In the order in which Discord and `/help` list them."""
