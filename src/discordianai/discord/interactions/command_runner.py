"""Runs the handlers of commands. Only the person sees the reply."""

from contextlib import suppress
from dataclasses import replace

import structlog
import trio

from discordianai.conversations.store import StoreError
from discordianai.discord.commands.command import CommandReply
from discordianai.discord.commands.services import Services
from discordianai.discord.discord_statistics import DiscordCounter
from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.interactions.outcomes import FAILED, RefuseMessage, RunCommand
from discordianai.discord.messages import buttons, failure_notice
from discordianai.discord.messages.answer_messages import SUPPRESS_EMBEDS
from discordianai.discord.messages.fallbacks import FallbackMessages
from discordianai.discord.messages.port import (
    Body,
    MessageError,
    MessageRefused,
    MessagesBusy,
    MessagesClosed,
)
from discordianai.discord.messages.posting import ChannelMessages, InteractionWebhook
from discordianai.discord.messages.reply import REFUSED
from discordianai.discord.messages.rest import DiscordApi
from discordianai.discord.rendering.masked_links import telling_hosts
from discordianai.discord.rendering.splitting import MESSAGE_LIMIT, cut
from discordianai.guard import Guard

NO_FILE = "Discord didn't accept the file here. Try again in a direct message to me."
NOT_SHOWN = "Discord had trouble, so I couldn't show you the result. Please try again in a few minutes."
STORE_ILL = "My memory isn't working right now, so I couldn't do that. Please try again in a few minutes."
STORE_SLOW = (
    "My memory is taking very long, so I can't tell whether that was done. Please try again in a few minutes."
)
TOO_MUCH = "I have too much to do right now, so I didn't do that. Please try again in a minute."

HANDLE_WITHIN = 60.0
"""Seconds for what a command does, which is little. Nothing else ends the wait for a disk that hangs."""

REFUSE_WITHIN = 5.0
"""Seconds; after that, the reason why a message is not answered comes too late to be useful."""


class CommandRunner:
    """Whatever happens, the person is told; nothing is raised but cancellation."""

    def __init__(self, services: Services, discord: DiscordApi, figures: DiscordCounter) -> None:
        self._services = services
        self._discord = discord
        self._figures = figures
        self._log = structlog.get_logger("discordianai.discord.interactions.command_runner")

    async def run(self, wanted: RunCommand) -> None:
        """Run it, and show the reply in the message of that interaction."""
        guard = Guard(self._log, "bug in a command", command=wanted.name)
        with guard:
            await self._run(wanted)
        if guard.failed:
            with guard:
                await self._say(wanted, FAILED)

    async def refuse(self, refused: RefuseMessage) -> None:
        """Reply to a message with the reason why it is not answered, if Discord takes that when it is due."""
        origin = refused.origin
        channel = ChannelMessages(
            self._discord,
            origin.place.channel_id,
            person_id=origin.person.id,
            reply_to=origin.interaction_id,
        )
        await trio.sleep(refused.due_in)
        with trio.move_on_after(REFUSE_WITHIN), suppress(MessageError):
            await trio.sleep_until(channel.spare_at)  # the channel's bucket is for answers first
            await channel.edit(None, {"content": refused.reason, "allowed_mentions": {"parse": []}})
            return
        self.leave_unsaid(refused)

    def leave_unsaid(self, _: RefuseMessage) -> None:
        """Count a refusal that is not said."""
        self._figures.refusal_unsaid()

    def note_dropped(self, dropped: RunCommand) -> None:
        """Count a command that was acknowledged and is not run."""
        self._log.warning("too many commands: one was not run", command=dropped.name)
        self._figures.command_dropped()

    def leave_untold(self, dropped: RunCommand) -> None:
        """Even this message cannot be sent any more."""
        self._log.warning("person not told that a command was not run", command=dropped.name)

    async def apologise(self, dropped: RunCommand) -> None:
        """Tell somebody that their command is not run."""
        if not await self._tell(dropped, TOO_MUCH):
            self.leave_untold(dropped)

    async def _tell(self, wanted: RunCommand, words: str) -> bool:
        """What a button is under stays as it is."""
        if wanted.in_place:
            return await failure_notice.follow_up(self._discord, wanted.address, words)
        return await self._say(wanted, words)

    async def _say(self, wanted: RunCommand, words: str) -> bool:
        person_id = wanted.invocation.origin.person.id
        return bool(await failure_notice.say(self._discord, wanted.address, words, person_id=person_id))

    async def _run(self, wanted: RunCommand) -> None:
        log = self._log.bind(command=wanted.name)
        reply = CommandReply(STORE_SLOW)
        try:
            with trio.move_on_after(HANDLE_WITHIN) as scope:
                reply = await wanted.handler(wanted.invocation, self._services)
            if scope.cancelled_caught:
                log.warning("command took too long")
        except StoreError as error:
            log.warning("command failed", reason=str(error))
            reply = CommandReply(STORE_ILL)
        self._account(wanted, reply)
        messages = FallbackMessages(InteractionWebhook(self._discord, wanted.address))
        try:
            if reply.file is not None:
                try:
                    await messages.edit(None, _body(reply), (reply.file,))
                    return
                except (MessageRefused, MessagesBusy) as error:
                    log.warning("reply's file rejected", reason=str(error))
                    reply = replace(reply, text=f"{reply.text}\n\n{NO_FILE}")
            await messages.edit(None, _body(reply))
        except MessageError as error:
            log.warning("command reply rejected", reason=str(error))
            if not isinstance(error, MessagesClosed):
                await self._tell(wanted, REFUSED if isinstance(error, MessageRefused) else NOT_SHOWN)

    def _account(self, wanted: RunCommand, reply: CommandReply) -> None:
        origin = wanted.invocation.origin
        if reply.act is not None:
            self._figures.audit.acted(origin.person, origin.place, reply.act)
        if reply.refused is not None:
            self._figures.audit.refused(origin.person, origin.place, reply.refused)


def _body(reply: CommandReply) -> Body:
    """Words that a reply repeats, as `/history` does, are shown as safely as an answer."""
    text = telling_hosts(reply.text)
    shown, rest = cut(text)
    if rest.strip():
        shown = f"{cut(text, MESSAGE_LIMIT - 2)[0]}\n…"
    return {
        "content": shown,
        "components": buttons.row(reply.buttons),
        "allowed_mentions": {"parse": []},
        "flags": EPHEMERAL | SUPPRESS_EMBEDS,
    }
