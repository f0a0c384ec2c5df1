"""Direct messages, which tell people what can be told nowhere else.

Discord takes a bot that begins many for a spammer, so they are few. Where a channel closes, many are due at
once: those beyond the limit wait here, and the answers that they are about do not.
"""

import structlog
import trio

from discordianai.discord.messages import failure_notice
from discordianai.discord.messages.buckets import Bucket
from discordianai.discord.messages.port import MessageError
from discordianai.discord.messages.posting import ChannelMessages
from discordianai.discord.messages.rest import DiscordApi, Endpoint, id_of
from discordianai.dispatch.budget import RateWindow
from discordianai.guard import Guard

EACH, ALL, PERIOD = 1, 5, 60.0
"""Messages to one person and to all, in so many seconds."""

WITHIN = 15.0
"""Seconds for each, beside the time for which nothing may be sent at all."""

MOST_WAITING, LONGEST_WAIT = 50, 600.0
"""People, and seconds: what is said later helps nobody."""


class DirectMessages:
    """Sends them in the order in which they came."""

    def __init__(self, api: DiscordApi) -> None:
        self._api = api
        self._each = RateWindow(EACH, PERIOD)
        self._all = RateWindow(ALL, PERIOD)
        self._waiting: dict[int, tuple[float, str]] = {}  # since when, and the words, by person
        self._ended = False
        self._news = trio.Event()
        self._log = structlog.get_logger("discordianai.discord.messages.direct_messages")

    async def say(self, person_id: int, words: str, *, may_wait: bool) -> bool:
        """Write `words`; whether Discord accepted them, or they wait for their turn where they `may_wait`.

        It does not accept them if the person takes none, or has left.
        """
        now = trio.current_time()
        if person_id in self._waiting or self._each.delay(person_id, now):
            self._log.info(
                "direct message not sent", reason="another one to this person waits, or was just tried"
            )
            return False
        if not self._waiting and not self._all.take(None, now):
            return await self._send(person_id, words)
        if not may_wait or self._ended or len(self._waiting) >= MOST_WAITING:
            self._log.info("direct message not sent", reason="too many others were sent just now, or wait")
            return False
        self._waiting[person_id] = now, words
        self._news.set()
        return True

    async def run(self) -> None:
        """Send those that wait, until cancelled."""
        try:
            while True:
                await self._news.wait()
                while self._waiting:
                    await self._send_next()
                self._news = trio.Event()
        finally:
            self._ended = True
            if self._waiting:
                self._log.warning("people could not be notified", people=len(self._waiting))

    async def _send_next(self) -> None:
        await trio.sleep(max(self._all.delay(None, trio.current_time()), self._api.limits.held_for))
        person_id, (since, words) = next(iter(self._waiting.items()))
        sent, now = False, trio.current_time()
        if now - since < LONGEST_WAIT:
            self._all.take(None, now)
            with Guard(self._log, "bug in a direct message"):
                sent = await self._send(person_id, words)
        del self._waiting[person_id]
        if not sent:
            self._log.warning("person could not be notified")

    async def _send(self, person_id: int, words: str) -> bool:
        self._each.take(person_id, trio.current_time())
        opening = Endpoint(self._api, "/users/@me", Bucket(), as_bot=True)
        with trio.move_on_after(failure_notice.within(self._api, WITHIN)):
            try:
                channel = await opening.insist("POST", "/channels", {"recipient_id": str(person_id)})
                there = ChannelMessages(self._api, id_of(channel))
                await there.create({"content": words, "allowed_mentions": {"parse": []}})
            except MessageError as error:
                self._log.info("direct message rejected", reason=str(error))
                return False
            return True
        return False
