"""Does errands: whatever people want of the bot beside answers. The note comes for their eyes only."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from discordianai.conversations.store import StoreError
from discordianai.discord import buttons
from discordianai.discord.catalogue import Errand
from discordianai.discord.decisions import Request
from discordianai.discord.errands import Note, Services, channels, figures, memory
from discordianai.discord.interaction import EPHEMERAL
from discordianai.discord.messages import Body, MessageError, Messages
from discordianai.discord.splitting import cut

Doing = Callable[[Request, Services], Awaitable[Note]]

DOINGS: Mapping[Errand, Doing] = {
    Errand.RESET: memory.reset,
    Errand.HISTORY: memory.history,
    Errand.FORGET: memory.forget,
    Errand.FORGET_FOR_SURE: memory.forget_for_sure,
    Errand.EXPORT: memory.export,
    Errand.PERSONA: channels.persona,
    Errand.MODEL: channels.model,
    Errand.USAGE: figures.usage,
    Errand.STATUS: figures.status,
    Errand.HELP: figures.help_,
}

STORE_ILL = "My memory does not work right now, so I could not do that. Please try again in a few minutes."
FAILED = "Something went wrong inside the bot. Please try again."


class Desk:
    """Whatever happens, the person is told; nothing leaves but cancellation."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._log = structlog.get_logger("discordianai.discord.desk")

    async def serve(self, request: Request, messages: Messages) -> None:
        """Do it, and tell in the message of that interaction."""
        log = self._log.bind(errand=request.errand.value)
        try:
            note = await DOINGS[request.errand](request, self._services)
        except StoreError as error:
            log.warning("an errand could not be done", reason=str(error))
            note = Note(STORE_ILL)
        except Exception:
            log.exception("a bug stopped an errand")
            note = Note(FAILED)
        files = (note.file,) if note.file else ()
        try:
            await messages.edit(None, _body(note), files)
        except MessageError as error:
            log.warning("the result of an errand was not taken", reason=str(error))


def _body(note: Note) -> Body:
    return {
        "content": cut(note.text)[0],
        "components": buttons.row(note.buttons),
        "allowed_mentions": {"parse": []},
        "flags": EPHEMERAL,
    }
