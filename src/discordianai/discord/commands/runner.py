"""Does errands: whatever people want of the bot beside answers. The note comes for their eyes only."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from discordianai.conversations.store import StoreError
from discordianai.discord import buttons, last_words
from discordianai.discord.commands import history, persona, usage
from discordianai.discord.commands.command import Errand
from discordianai.discord.commands.services import CommandReply, Services
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import Body, MessageError
from discordianai.discord.outcomes import FAILED, RunCommand
from discordianai.discord.rest import DiscordApi
from discordianai.discord.splitting import cut
from discordianai.discord.webhook import InteractionWebhook
from discordianai.guard import Guard

Doing = Callable[[RunCommand, Services], Awaitable[CommandReply]]

DOINGS: Mapping[Errand, Doing] = {
    Errand.RESET: history.reset,
    Errand.HISTORY: history.history,
    Errand.FORGET: history.forget,
    Errand.FORGET_FOR_SURE: history.forget_for_sure,
    Errand.EXPORT: history.export,
    Errand.PERSONA: persona.persona,
    Errand.MODEL: persona.model,
    Errand.USAGE: usage.usage,
    Errand.STATUS: usage.status,
    Errand.HELP: usage.help_,
}

STORE_ILL = "My memory does not work right now, so I could not do that. Please try again in a few minutes."


class CommandRunner:
    """Whatever happens, the person is told; nothing leaves but cancellation."""

    def __init__(self, services: Services, discord: DiscordApi) -> None:
        self._services = services
        self._discord = discord
        self._log = structlog.get_logger("discordianai.discord.commands")

    async def run(self, request: RunCommand) -> None:
        """Do it, and tell in the message of that interaction."""
        guard = Guard(self._log, "a bug stopped an errand", errand=request.errand.value)
        with guard:
            await self._run(request)
        if guard.failed:
            with guard:
                await last_words.say(self._discord, request.address, FAILED)

    async def _run(self, request: RunCommand) -> None:
        log = self._log.bind(errand=request.errand.value)
        try:
            note = await DOINGS[request.errand](request, self._services)
        except StoreError as error:
            log.warning("an errand could not be done", reason=str(error))
            note = CommandReply(STORE_ILL)
        files = (note.file,) if note.file else ()
        try:
            await InteractionWebhook(self._discord, request.address).edit(None, _body(note), files)
        except MessageError as error:
            log.warning("the result of an errand was not taken", reason=str(error))


def _body(note: CommandReply) -> Body:
    return {
        "content": cut(note.text)[0],
        "components": buttons.row(note.buttons),
        "allowed_mentions": {"parse": []},
        "flags": EPHEMERAL,
    }
