"""Every Discord command. A new one is a module beside this one, and its line here.

Registration with Discord, routing, autocompletion, `/help` and the tests follow from this list.
"""

from collections.abc import Sequence

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
from discordianai.discord.commands import help as help_
from discordianai.discord.commands.command import Command, HandledCommand, Handler
from discordianai.discord.commands.declaration import LONGEST_CHOICE, MOST_CHOICES, Offer

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


class OfferedCommands:
    """Those of `commands` that are available by `offer`, in their order. It never changes: any thread."""

    def __init__(self, commands: Sequence[Command], offer: Offer) -> None:
        self.offer = offer
        self.commands = tuple(command for command in commands if command.available(offer))
        self._by_name = {command.name: command for command in self.commands}
        # Buttons live on under messages of another time, when their command may have been available.
        self._components: dict[str, tuple[HandledCommand, Handler]] = {
            action: (command, handler)
            for command in commands
            if isinstance(command, HandledCommand)
            for action, handler in command.components.items()
        }

    def find(self, name: str) -> Command | None:
        """The command of that name."""
        return self._by_name.get(name)

    def component(self, action: str) -> tuple[HandledCommand, Handler] | None:
        """The command that the button belongs to, and what it does."""
        return self._components.get(action)

    def complete(self, command: str, option: str, typed: str) -> tuple[str, ...]:
        """What completes an option that is being typed. Discord refuses them all for one that is too long."""
        found = self._by_name.get(command)
        for declared in found.options if found else ():
            if declared.name == option and declared.autocomplete:
                choices = declared.autocomplete(typed, self.offer)
                return tuple(one for one in choices if 0 < len(one) <= LONGEST_CHOICE)[:MOST_CHOICES]
        return ()
