"""Receives what people do: has the router decide, acknowledges, and hands over. On the listener's loop."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import structlog
from interactions.api.http.http_client import HTTPClient
from interactions.client.errors import HTTPException
from structlog.contextvars import bind_contextvars

from discordianai.discord.discord_statistics import DiscordCounter, Unacknowledged
from discordianai.discord.gateway.bridge import Stopping
from discordianai.discord.interactions import interaction, message_event
from discordianai.discord.interactions.backend import Backend, JournalResult
from discordianai.discord.interactions.interaction import EPHEMERAL, EventOrigin
from discordianai.discord.interactions.outcomes import (
    FAILED,
    CancelAnswer,
    InteractionOutcome,
    OpenModal,
    Refuse,
    RefuseMessage,
    Regenerate,
    RunCommand,
    SuggestChoices,
    label,
)
from discordianai.discord.interactions.payload import Malformed
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.guard import Guard
from discordianai.records import Question

CHANNEL_MESSAGE, DEFERRED_CHANNEL_MESSAGE = 4, 5
DEFERRED_UPDATE, AUTOCOMPLETE, MODAL = 6, 8, 9
"""The responses to an interaction: a message, one that shows that the bot is thinking, and, after a button,
nothing for now; suggestions, and a modal."""

TEXT_INPUT, PARAGRAPH = 4, 2
"""Discord's numbers for the field of a form, and its size."""

ALREADY_ACKNOWLEDGED = 40060
ACKNOWLEDGE_TIMEOUT = 3.0
"""Seconds; Discord's own. It refuses a later acknowledgement."""

CANCEL_WITHIN = 1.0
"""Seconds that the acknowledgement of a Stop waits to learn what it did."""

ALREADY_ENDED = "That answer has already ended."
TRY_AGAIN = "I could not look that up just now. Please try again."

Data = Mapping[str, Any]
"""Something as Discord's API writes it."""


class InteractionHandler:
    """Answers each interaction once, within Discord's three seconds."""

    def __init__(
        self, http: HTTPClient, router: InteractionRouter, backend: Backend, figures: DiscordCounter
    ) -> None:
        self._http = http
        self._router = router
        self._trio = backend
        self._figures = figures
        self._handed_over: set[int] = set()  # numbers of questions, while their events are dealt with
        self._log = structlog.get_logger("discordianai.discord.interactions.handler")

    async def interaction(self, payload: Data) -> None:
        """Take an INTERACTION_CREATE; nothing is raised but cancellation, and the person is told of a bug."""
        guard = Guard(self._log, "a bug stopped an interaction")
        with guard:
            try:
                done = interaction.parse(payload)
            except Malformed as error:
                self._pass_over(error)
                await self._tell_of_bug(payload)
                return
            if done is not None:
                outcome = self._router.route(done)
                try:
                    await self._act(done.origin, outcome)
                finally:
                    self._release_unless_handed_over(outcome)
        if guard.failed:
            with guard:
                await self._tell_of_bug(payload)

    def _pass_over(self, error: Malformed) -> None:
        """What is malformed is no bug of ours: a line without a traceback."""
        self._log.warning("a malformed event of the gateway is passed over", reason=str(error))

    async def _tell_of_bug(self, payload: Data) -> None:
        """By requests of their own, since all that acknowledges may be what failed."""
        about, token = str(payload["id"]), str(payload["token"])
        kind = CHANNEL_MESSAGE
        data: dict[str, Any] = {"content": FAILED, "flags": EPHEMERAL, "allowed_mentions": {"parse": []}}
        if payload["type"] == interaction.AUTOCOMPLETE:
            kind, data = AUTOCOMPLETE, {"choices": []}
        async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
            try:
                await self._http.post_initial_response({"type": kind, "data": data}, about, token)
            except HTTPException as error:
                if error.code != ALREADY_ACKNOWLEDGED:
                    raise
                application = str(payload["application_id"])
                if payload["type"] == interaction.MESSAGE_COMPONENT:  # what stands there is another answer
                    await self._http.post_followup(data, application, token)
                else:
                    await self._http.edit_interaction_message(data, application, token)

    async def message(self, payload: Data, bot_id: int) -> None:
        """Take a MESSAGE_CREATE; nothing is raised but cancellation, and who asked is told of a bug."""
        guard = Guard(self._log, "a bug stopped a message")
        outcome: Question | Refuse | None = None
        with guard:
            try:
                said = message_event.parse(payload, bot_id)
            except Malformed as error:
                self._pass_over(error)
                return
            outcome = self._router.route_message(said, bot_id) if said is not None else None
            try:
                if isinstance(outcome, Question):
                    await self._take_message(outcome)
                elif said is not None and isinstance(outcome, Refuse):
                    self._trio.hand_over(RefuseMessage(said.origin, outcome.reason))
            finally:
                self._release_unless_handed_over(outcome)
        if guard.failed:
            with guard:
                if outcome is not None or _speaks_to(payload, bot_id):
                    reference = {"message_id": payload["id"], "fail_if_not_exists": False}
                    words = {"content": FAILED, "allowed_mentions": {"parse": []}}
                    await self._http.create_message(
                        words | {"message_reference": reference}, payload["channel_id"]
                    )

    def _release_unless_handed_over(self, outcome: InteractionOutcome | None) -> None:
        """A question that was taken has been admitted, and whoever takes it does not come to know of it."""
        if isinstance(outcome, Question):
            if outcome.number in self._handed_over:
                self._handed_over.remove(outcome.number)
            else:
                self._trio.release(outcome)

    def _hand_over(self, question: Question) -> None:
        self._trio.hand_over(question)
        self._handed_over.add(question.number)

    async def _act(self, origin: EventOrigin, outcome: InteractionOutcome) -> None:
        self._figures.decided(label(outcome))
        match outcome:
            case Refuse():
                await self._respond(origin, CHANNEL_MESSAGE, EPHEMERAL, content=outcome.reason)
            case SuggestChoices():
                choices = [{"name": choice, "value": choice} for choice in outcome.choices]
                await self._respond(origin, AUTOCOMPLETE, choices=choices)
            case OpenModal():
                await self._respond(origin, MODAL, **_modal(outcome))
            case CancelAnswer():  # first stopped, then acknowledged: what it stops costs money
                if await self._cancelled(outcome):
                    await self._respond(origin, DEFERRED_UPDATE)
                else:
                    await self._act(origin, Refuse(ALREADY_ENDED))
            case RunCommand():
                kind = DEFERRED_UPDATE if outcome.in_place else DEFERRED_CHANNEL_MESSAGE
                if await self._respond(origin, kind, EPHEMERAL):
                    self._trio.hand_over(outcome)
            case Regenerate():
                await self._regenerate(origin, outcome)
            case Question():
                await self._take_question(origin, outcome)

    async def _cancelled(self, cancel: CancelAnswer) -> bool:
        """Whether there was something to stop; also where that is not told in time: it will be then."""
        try:
            async with asyncio.timeout(CANCEL_WITHIN):
                return await self._trio.cancel_answer(cancel.interaction_id)
        except (TimeoutError, Stopping):
            return True

    async def _regenerate(self, origin: EventOrigin, wanted: Regenerate) -> None:
        try:
            said = await self._trio.recall(wanted.turn)
        except LookupError:
            await self._act(origin, Refuse(TRY_AGAIN))
        else:
            outcome = self._router.regenerate(wanted, said)
            try:
                await self._act(origin, outcome)
            finally:
                self._release_unless_handed_over(outcome)

    async def _take_question(self, origin: EventOrigin, question: Question) -> None:
        """First stored, then acknowledged, then handed over."""
        bind_contextvars(question=question.number)  # each event has a task of its own
        self._trio.announce(question)  # before anything is waited for: the next one may overtake this
        try:
            protection = await self._trio.protect(question)
            if protection is JournalResult.REPLAYED:
                return
            question = replace(question, protected=protection is JournalResult.STORED)
            flags = EPHEMERAL if question.address.private else 0
            if await self._respond(origin, DEFERRED_CHANNEL_MESSAGE, flags):
                self._hand_over(question)
            else:
                await self._trio.forget(question)
        except Exception:
            await self._trio.forget(question)  # the person is told that it has failed
            raise

    async def _take_message(self, question: Question) -> None:
        """A message needs no acknowledgement."""
        bind_contextvars(question=question.number)
        self._trio.announce(question)
        try:
            protection = await self._trio.protect(question)
            if protection is not JournalResult.REPLAYED:
                self._hand_over(replace(question, protected=protection is JournalResult.STORED))
        except Exception:
            await self._trio.forget(question)
            raise

    async def _respond(self, origin: EventOrigin, kind: int, flags: int = 0, **data: object) -> bool:
        """Answer the interaction itself; False where Discord has refused that for good.

        Where it is not known whether the answer arrived, it may have: the person sees the bot think then, and
        must not wait for ever. What is written to an interaction that is none goes to the channel.
        """
        body = {"flags": flags, "allowed_mentions": {"parse": []}} if kind < AUTOCOMPLETE else {}
        refused = False
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
                await self._http.post_initial_response(
                    {"type": kind, "data": body | data}, str(origin.interaction_id), origin.token
                )
        except HTTPException as error:
            if error.code == ALREADY_ACKNOWLEDGED:  # a retry of one that had arrived
                return True
            reason = f"Discord answered {error.status}, code {error.code}"
            refused = error.status < 500  # HTTP's own: the server failed
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = type(error).__name__
        else:
            seconds = time.monotonic() - origin.arrived_at
            self._figures.acknowledged(seconds)
            self._log.debug("acknowledged", seconds=round(seconds, 3))
            return True
        late = time.monotonic() - origin.arrived_at >= ACKNOWLEDGE_TIMEOUT
        self._figures.refused(Unacknowledged.LATE if late else Unacknowledged.FAILED)
        self._log.warning("an interaction was not acknowledged", reason=reason, certain=refused)
        return not refused


def _speaks_to(payload: Data, bot_id: int) -> bool:
    """Whether a message that could not be read is for the bot all the same."""
    mentions = [user["id"] for user in payload.get("mentions", ())]
    return not payload["author"].get("bot") and ("guild_id" not in payload or str(bot_id) in mentions)


def _modal(wanted: OpenModal) -> Data:
    field = {"type": TEXT_INPUT, "style": PARAGRAPH, "custom_id": "text", "label": wanted.modal.label}
    return {
        "custom_id": wanted.custom_id,
        "title": wanted.modal.title,
        "components": [{"type": 1, "components": [field | {"required": True, "max_length": 4000}]}],
    }
