"""Tells a person in a direct message what cannot be posted in the channel, at most once a minute.

Discord treats bots that open many direct messages as spam, so only a few are sent in all.
"""

import structlog
import trio

from discordianai.discord.messages.port import MessageError
from discordianai.discord.messages.posting import ChannelMessages
from discordianai.discord.messages.rest import Bucket, DiscordApi, Endpoint, id_of

WITHIN = 15.0
"""Seconds."""


async def say(api: DiscordApi, person_id: int, words: str) -> bool:
    """Write `words`; return whether Discord accepted them. It does not if the person accepts none, or has
    left.
    """
    log = structlog.get_logger("discordianai.discord.messages.direct_message")
    if not api.direct_messages.take(person_id, trio.current_time()):
        log.info("direct message not sent", reason="this person, or too many people, had one just now")
        return False
    opening = Endpoint(api, "/users/@me", Bucket(), as_bot=True)
    with trio.move_on_after(WITHIN):
        try:
            channel = await opening.insist("POST", "/channels", {"recipient_id": str(person_id)})
            there = ChannelMessages(api, id_of(channel))
            await there.create({"content": words, "allowed_mentions": {"parse": []}})
        except MessageError as error:
            log.info("direct message rejected", reason=str(error))
            return False
        return True
    return False
