"""Tells a person what could not be shown where it belongs: that a bug has ended what they asked for, or, in a
direct message, what cannot be posted in the channel.
"""

import httpx
import structlog
import trio

from discordianai import bounded_http
from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.messages.application_limits import Call, wait_of
from discordianai.discord.messages.port import Body, MessageError, MessagesBusy
from discordianai.discord.messages.posting import ChannelMessages, heading_for
from discordianai.discord.messages.rest import Bucket, DiscordApi, Endpoint, id_of, json_of, reason_of
from discordianai.records import ReplyAddress

ATTEMPTS, PAUSE = 3, 1.0
"""Tries, and seconds between them."""

WITHIN = 20.0
"""Seconds for all of it."""


async def say(
    api: DiscordApi,
    address: ReplyAddress,
    words: str,
    *,
    person_id: int,
    shown: bool = False,
    newest: int | None = None,
) -> bool:
    """Write `words`; whether Discord took them. In the channel they are for `person_id`.

    If a part of an answer is `shown`, it stays, and they are posted as a further message; the `newest`
    message of that answer, the original one by default, loses its buttons.
    """
    token, channel = f"/webhooks/{address.application_id}/{address.token}", f"/channels/{address.channel_id}"
    body = {"content": f"-# {words}", "components": [], "allowed_mentions": {"parse": []}}
    private = {"flags": EPHEMERAL} if address.private else {}
    with trio.move_on_after(WITHIN):
        if address.message_id is not None:
            reference = {"message_id": address.message_id, "fail_if_not_exists": False}
            return await _send(api, "POST", f"{channel}/messages", body | {"message_reference": reference})
        if not shown and await _send(api, "PATCH", f"{token}/messages/@original", body):
            return True
        if shown and await _send(api, "POST", f"{token}?wait=true", body | private):
            await _send(api, "PATCH", f"{token}/messages/{newest or '@original'}", {"components": []})
            return True
        if address.as_member and not address.private:
            there = body | {"content": f"{heading_for(person_id)}-# {words}"}
            return await _send(api, "POST", f"{channel}/messages", there)
    return False


async def follow_up(api: DiscordApi, address: ReplyAddress, words: str) -> bool:
    """Write `words` for this person alone, below what is there; return whether Discord accepted them."""
    path = f"/webhooks/{address.application_id}/{address.token}?wait=true"
    body = {"content": f"-# {words}", "flags": EPHEMERAL, "allowed_mentions": {"parse": []}}
    with trio.move_on_after(WITHIN):
        return await _send(api, "POST", path, body)
    return False


async def _send(api: DiscordApi, method: str, path: str, body: Body) -> bool:
    """Whether it was accepted; what Discord refuses is not retried."""
    log = structlog.get_logger("discordianai.discord.messages.failure_notice")
    as_bot = {"Authorization": f"Bot {api.token}"} if path.startswith("/channels/") else {}
    for attempt in range(1, ATTEMPTS + 1):
        wait = 0.0
        try:
            await api.limits.enter(Call(f"{method} notice", as_bot=bool(as_bot)), WITHIN)
            request = api.client.build_request(method, api.url + path, headers=as_bot, json=body)
            with api.limits.probing():
                response = await bounded_http.send(api.client, request)
            answer = json_of(response)
            api.limits.note(response.status_code, response.headers, answer)
        except MessagesBusy as error:
            reason, again = str(error), False
        except httpx.HTTPError as error:
            reason, again = type(error).__name__, True  # its text may carry the address, and so a token
        else:
            if response.is_success:
                return True
            reason = reason_of(response, answer or {})
            wait = wait_of(response.headers, answer or {}) or 0.0 if response.status_code == 429 else 0.0
            again = wait <= WITHIN and (response.status_code == 429 or response.status_code >= 500)
        log.warning("failure notice rejected", reason=reason, attempt=attempt)
        if not again:
            return False
        await trio.sleep(max(wait, PAUSE))
    return False


DIRECTLY_WITHIN = 15.0
"""Seconds."""


async def say_directly(api: DiscordApi, person_id: int, words: str) -> bool:
    """Write `words`; return whether Discord accepted them. It does not if the person accepts none, or has
    left.
    """
    log = structlog.get_logger("discordianai.discord.messages.failure_notice")
    if not api.direct_messages.take(person_id, trio.current_time()):
        log.info("direct message not sent", reason="this person, or too many people, had one just now")
        return False
    opening = Endpoint(api, "/users/@me", Bucket(), as_bot=True)
    with trio.move_on_after(DIRECTLY_WITHIN):
        try:
            channel = await opening.insist("POST", "/channels", {"recipient_id": str(person_id)})
            there = ChannelMessages(api, id_of(channel))
            await there.create({"content": words, "allowed_mentions": {"parse": []}})
        except MessageError as error:
            log.info("direct message rejected", reason=str(error))
            return False
        return True
    return False
