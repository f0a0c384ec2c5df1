"""Tells a person what could not be shown where it belongs: that a bug has ended what they asked for, say.

What can be told nowhere there is told in a direct message: see `direct_messages.py`.
"""

import re
from typing import Any

import structlog
import trio

from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.messages.buckets import Bucket
from discordianai.discord.messages.fallbacks import WITHOUT_BUTTONS
from discordianai.discord.messages.port import Body, MessageError, MessagesBusy
from discordianai.discord.messages.posting import InteractionWebhook, heading_for
from discordianai.discord.messages.rest import DiscordApi, Endpoint
from discordianai.records import Question, ReplyAddress

ATTEMPTS, PAUSE = 3, 1.0
"""Tries, and seconds between them."""

WITHIN = 20.0
"""Seconds for all of it, beside the time for which nothing may be sent at all."""

LONGEST_HOLD = 15 * 60.0
"""Seconds of that which are waited for: an interaction takes no words any more then."""

FORM_TITLE = "You wrote"
"""Above what somebody wrote into a form and gets back."""

_WEBHOOK = re.compile(r"/webhooks/\d+/[^/?]+")


async def say(
    api: DiscordApi,
    address: ReplyAddress,
    words: str,
    *,
    person_id: int,
    shown: bool = False,
    newest: str = "",
) -> bool | None:
    """Write `words`; whether Discord took them, or None where it can take nothing at the moment.

    In the channel they are for `person_id`.

    `newest` is the path of the answer's newest message, by default that of the interaction's original one. If
    a part of the answer is `shown` there, it stays, loses its buttons, and the words are a further message. A
    message that shows nothing but that the bot is thinking is removed where it takes no words.
    """
    if not newest and address.message_id is None:
        newest = f"{_webhook(address)}/messages/@original"
    body: Body = {"content": f"-# {words}", "components": [], "allowed_mentions": {"parse": []}}
    told = None  # until each way was tried
    with trio.move_on_after(within(api)):
        in_place = bool(newest) and not shown and await _send(api, "PATCH", newest, body)
        if in_place:
            return True
        told = _either(in_place, await _say_below(api, address, body, f"{heading_for(person_id)}-# {words}"))
        if newest and not await _send(api, "PATCH", newest, WITHOUT_BUTTONS) and not shown:
            await _send(api, "DELETE", newest)
    return told


async def _say_below(api: DiscordApi, address: ReplyAddress, body: Body, named: str) -> bool | None:
    """Whether Discord took a further message; `named` says for whom it is where nothing else does."""
    channel = f"/channels/{address.channel_id}/messages"
    if address.message_id is not None:
        reference = {"message_id": address.message_id, "fail_if_not_exists": False}
        told = await _send(api, "POST", channel, {**body, "message_reference": reference})
    else:
        private = {"flags": EPHEMERAL} if address.private else {}
        told = await _send(api, "POST", f"{_webhook(address)}?wait=true", {**body, **private})
    if told or not address.as_member or address.private:
        return told
    return _either(told, await _send(api, "POST", channel, {**body, "content": named}))


def _either(one: bool | None, other: bool | None) -> bool | None:
    """Of two ways: whether one of them was taken, or None if that may still be."""
    return one or other or (None if None in {one, other} else False)


def _webhook(address: ReplyAddress) -> str:
    return f"/webhooks/{address.application_id}/{address.token}"


def for_one_person(**parts: Any) -> dict[str, Any]:  # a message's parts, as Discord's API has them
    """The body of a message that only the person sees who has used the bot, and that pings nobody."""
    return {"flags": EPHEMERAL, "allowed_mentions": {"parse": []}, **parts}


async def follow_up(api: DiscordApi, address: ReplyAddress, words: str) -> bool:
    """Write `words` for this person alone, below what is there; return whether Discord accepted them."""
    path = f"{_webhook(address)}?wait=true"
    body = for_one_person(content=f"-# {words}")
    with trio.move_on_after(within(api)):
        return bool(await _send(api, "POST", path, body))
    return False


def given_back(form_text: str) -> dict[str, Any]:
    """What was written into a form, for a message that says why there is no answer: an embed holds it all."""
    return {"embeds": [{"title": FORM_TITLE, "description": form_text}]} if form_text.strip() else {}


async def give_form_back(api: DiscordApi, question: Question) -> None:
    """Send the text of a question that has no answer to the person alone, if it comes from a form.

    Nobody should have to write it again, and others are not to read it.
    """
    if not question.from_form:
        return
    webhook, reason = InteractionWebhook(api, question.address), "Discord takes nothing"
    with trio.move_on_after(WITHIN):
        try:
            if question.address.private or not await webhook.is_thinking():
                await webhook.create(for_one_person(**given_back(question.text)))
                return
            reason = "everybody would read it"
        except MessageError as error:
            reason = str(error)
    log = structlog.get_logger("discordianai.discord.messages.failure_notice")
    log.info("form not given back", question=question.number, reason=reason)


def within(api: DiscordApi, seconds: float = WITHIN) -> float:
    """`seconds`, after any time for which requests are held, as during a ban."""
    return seconds + min(api.limits.held_for, LONGEST_HOLD)


async def _send(api: DiscordApi, method: str, path: str, body: Body | None = None) -> bool | None:
    """Whether it was accepted, or None where a later try may do; what Discord refuses is not retried."""
    log = structlog.get_logger("discordianai.discord.messages.failure_notice")
    endpoint, path = _endpoint(api, path)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            await endpoint.once(method, path, body, within(api))
        except MessageError as error:
            log.warning("failure notice rejected", reason=str(error), attempt=attempt)
            if not isinstance(error, MessagesBusy):
                return False
            wait = error.wait
        else:
            return True
        if wait > WITHIN:
            return None
        await trio.sleep(max(wait, PAUSE))
    return None


def _endpoint(api: DiscordApi, path: str) -> tuple[Endpoint, str]:
    """What a path belongs to, and the rest of it. In a channel, what others have met there is known."""
    if (webhook := _WEBHOOK.match(path)) is not None:
        return Endpoint(api, webhook[0], Bucket(), as_bot=False), path[webhook.end() :]
    _, _, channel_id, rest = path.split("/", 3)
    bucket = api.channels.bucket(int(channel_id))
    endpoint = Endpoint(api, f"/channels/{channel_id}", bucket, as_bot=True, channel=int(channel_id))
    return endpoint, f"/{rest}"
