"""Handles each event of the gateway in steps: parse, route, admit, journal, acknowledge, hand over.

Runs on the listener's loop. Acknowledging is done here; each of the other steps is in a module of its own.
"""

import asyncio
import time
from dataclasses import replace
from typing import Any

import aiohttp
import structlog
from interactions.api.http.http_client import HTTPClient
from interactions.client.errors import HTTPException
from structlog.contextvars import bind_contextvars

from discordianai.answering.journal import JournalResult
from discordianai.discord.audit_log import PrivilegedAct
from discordianai.discord.discord_statistics import DiscordCounter, Unacknowledged
from discordianai.discord.events import interaction, message_event
from discordianai.discord.events.interaction import AutocompleteInteraction, EventOrigin, Interaction
from discordianai.discord.events.message_content import EPHEMERAL
from discordianai.discord.events.payload import Malformed, Payload, snowflake, text
from discordianai.discord.interactions.admission import Admission
from discordianai.discord.interactions.backend import JOURNAL_WITHIN, Backend
from discordianai.discord.interactions.forms import modal
from discordianai.discord.interactions.outcomes import (
    FAILED,
    AskQuestion,
    CancelAnswer,
    InteractionOutcome,
    OpenModal,
    Refuse,
    RefuseMessage,
    Regenerate,
    RunCommand,
    SuggestChoices,
)
from discordianai.discord.interactions.recent_events import RecentEvents
from discordianai.discord.interactions.router import InteractionRouter
from discordianai.discord.messages.failure_notice import for_one_person, given_back
from discordianai.discord.messages.port import MessagesBusy
from discordianai.guard import Guard
from discordianai.records import Person, Place
from discordianai.repeated_warning import RepeatedWarning

CHANNEL_MESSAGE, DEFERRED_CHANNEL_MESSAGE = 4, 5
DEFERRED_UPDATE, AUTOCOMPLETE, MODAL = 6, 8, 9
"""The responses to an interaction: a message, one that shows that the bot is thinking, and, after a button,
nothing for now; suggestions, and a modal."""

ALREADY_ACKNOWLEDGED = 40060
ACKNOWLEDGE_TIMEOUT = 3.0
"""Seconds; Discord's own. It refuses a later acknowledgement."""

HANDLED_WITHIN = ACKNOWLEDGE_TIMEOUT + 2 * JOURNAL_WITHIN + 0.5
"""Seconds that an event may take from its parsing to its handover: the store is asked twice at most."""

RETRY_PAUSE = 0.4
"""Seconds after an error of Discord's until an acknowledgement is sent again; twice as long each time."""

ALREADY_ENDED = "That answer has already finished."
TRY_AGAIN = "I couldn't look that up just now. Please try again."


class InteractionHandler:
    """Answers each interaction once, within Discord's three seconds."""

    def __init__(
        self,
        http: HTTPClient,
        router: InteractionRouter,
        admission: Admission,
        backend: Backend,
        figures: DiscordCounter,
        recent: RecentEvents | None = None,
    ) -> None:
        self._http = http
        self._recent = recent or RecentEvents()
        self._router = router
        self._admission = admission
        self._activity = admission.activity
        self._backend = backend
        self._figures = figures
        self._audit = figures.audit
        self._log = structlog.get_logger("discordianai.discord.interactions.handler")
        self._malformed = RepeatedWarning(self._log, "malformed gateway event ignored")

    async def interaction(self, payload: Payload) -> None:
        """Handle an INTERACTION_CREATE; only cancellation is raised. After a bug the person is told."""
        guard, malformed = Guard(self._log, "bug in an interaction"), False
        with guard:
            try:
                event = interaction.parse(payload)
            except Malformed as error:
                self._pass_over(error)
                event, malformed = None, True
            if event is not None and self._is_new(event.origin):
                await self._act(event.origin, self._route(event))
        if malformed or guard.failed:
            with guard:
                await self._tell_of_bug(payload)

    async def message(self, payload: Payload, bot_id: int) -> None:
        """Handle a MESSAGE_CREATE; only cancellation is raised. After a bug the person is told."""
        guard = Guard(self._log, "bug in a message")
        outcome: AskQuestion | Refuse | None = None
        with guard:
            try:
                event = message_event.parse(payload, bot_id)
            except Malformed as error:
                self._pass_over(error)
                return
            if event is not None and self._is_new(event.origin):
                outcome = self._router.route_message(event, bot_id)
            if isinstance(outcome, AskQuestion):
                await self._ask(outcome)
            elif event is not None and outcome is not None:
                self._refuse_message(event.origin, outcome)
        if guard.failed:
            with guard:
                if outcome is not None or _speaks_to(payload, bot_id):
                    self._tell_of_bug_in_channel(payload)

    def _is_new(self, origin: EventOrigin) -> bool:
        """Whether this process has not had the event. The store knows the questions of earlier ones, too."""
        new = self._recent.is_new(origin.interaction_id)
        if not new:
            self._figures.event_repeated()
        return new

    def _route(self, event: Interaction) -> InteractionOutcome:
        """What is to be done about it, or a refusal if that is done too often."""
        if isinstance(event, AutocompleteInteraction) and not self._activity.count_suggestion(event.origin):
            return SuggestChoices(())
        outcome = self._router.route(event)
        if isinstance(outcome, OpenModal) and (refuse := self._activity.count_form(event.origin)):
            return refuse
        return outcome

    async def _act(self, origin: EventOrigin, outcome: InteractionOutcome) -> None:
        match outcome:
            case AskQuestion():
                await self._ask(outcome)
            case Regenerate():
                self._figures.decided(outcome.kind)
                await self._regenerate(origin, outcome)
            case RunCommand():
                await self._run(origin, outcome)
            case CancelAnswer():
                self._figures.decided(outcome.kind)
                await self._cancel(origin, outcome)
            case Refuse():
                await self._refuse(origin, outcome)
            case SuggestChoices():
                self._figures.decided(outcome.kind)
                choices = [{"name": choice, "value": choice} for choice in outcome.choices]
                await self._respond(origin, AUTOCOMPLETE, choices=choices)
            case OpenModal():
                self._figures.decided(outcome.kind)
                await self._respond(origin, MODAL, **modal(outcome))

    async def _ask(self, asked: AskQuestion) -> None:
        """The whole way of a question: admit, enqueue, journal, acknowledge, hand over.

        An admitted question that does not get to the end is given up, whatever stopped it. It stays stored
        only after a cancellation: the acknowledgement may have arrived, and the next process finds out.
        """
        limited = self._admission.rights.limited(asked)
        if isinstance(limited, Refuse):
            await self._refuse_question(asked, limited)
            return
        asked = limited
        question = self._admission.admit(asked.origin, asked.draft)
        if isinstance(question, Refuse):
            await self._refuse_question(asked, question)
            return
        handed_over = forget = False
        try:
            bind_contextvars(question=question.number)  # each event has a task of its own
            self._audit.admitted(asked.origin.person, asked.origin.place)
            self._admission.rights.note(asked.origin, asked.draft)
            self._backend.enqueue(question)  # before anything is waited for: the next one may overtake this
            result = await self._backend.journal(question)
            if result is JournalResult.REPLAYED:
                return
            if await self._acknowledge(asked):
                self._backend.hand_over(replace(question, protected=result is JournalResult.STORED))
                handed_over = True
            else:
                forget = True
        except Exception:
            forget = True  # the person is told that it has failed
            raise
        finally:
            if not handed_over:
                self._backend.give_up(question, forget=forget)

    async def _acknowledge(self, asked: AskQuestion) -> bool:
        """Let the person see that the bot thinks; a message needs no acknowledgement."""
        if asked.draft.message_id is not None:
            return True
        self._figures.decided(asked.kind)
        flags = EPHEMERAL if asked.draft.private else 0
        return await self._respond(asked.origin, DEFERRED_CHANNEL_MESSAGE, flags)

    async def _refuse_question(self, asked: AskQuestion, refuse: Refuse) -> None:
        if asked.draft.message_id is not None:
            self._refuse_message(asked.origin, refuse)
        else:
            await self._refuse(asked.origin, refuse)

    async def _regenerate(self, origin: EventOrigin, wanted: Regenerate) -> None:
        if refuse := self._activity.count_press(origin):
            await self._refuse(origin, refuse)
            return
        try:
            said = await self._backend.recall(wanted.turn)
        except LookupError:
            await self._refuse(origin, Refuse(TRY_AGAIN))
            return
        outcome = self._router.regenerate(wanted, said)
        if isinstance(outcome, Refuse):
            await self._refuse(origin, outcome)
        else:
            await self._ask(outcome)

    async def _run(self, origin: EventOrigin, command: RunCommand) -> None:
        """Acknowledge a command, or its button, and have it run."""
        if refuse := self._activity.count_command(origin):
            await self._refuse(origin, refuse)
            return
        self._figures.decided(command.kind)
        kind = DEFERRED_UPDATE if command.in_place else DEFERRED_CHANNEL_MESSAGE
        if await self._respond(origin, kind, EPHEMERAL):
            self._backend.run(command)

    async def _cancel(self, origin: EventOrigin, cancel: CancelAnswer) -> None:
        """Cancel first, then acknowledge: an answer that continues costs money.

        Presses beyond what `ActivityLimits` lets through are only acknowledged.
        """
        passed_on = self._activity.count_stop(origin, cancel.interaction_id)
        asked = cancel.interaction_id, cancel.person_id, origin.place.guild_id
        if not passed_on or await self._backend.cancel(*asked):
            if passed_on and cancel.person_id != origin.person.id:
                self._audit.acted(origin.person, origin.place, PrivilegedAct.STOP)
            await self._respond(origin, DEFERRED_UPDATE)
        else:
            await self._refuse(origin, Refuse(ALREADY_ENDED))

    async def _refuse(self, origin: EventOrigin, refuse: Refuse) -> None:
        self._figures.decided(refuse.kind)
        self._account(origin, refuse)
        written = given_back(origin.form_text)
        told = await self._respond(origin, CHANNEL_MESSAGE, EPHEMERAL, content=refuse.reason, **written)
        if written and not told:  # Discord may accept the reason alone
            await self._respond(origin, CHANNEL_MESSAGE, EPHEMERAL, content=refuse.reason)

    def _refuse_message(self, origin: EventOrigin, refuse: Refuse) -> None:
        self._account(origin, refuse)
        if refuse.silent:
            self._figures.refusal_unsaid()
        else:
            self._reply_why(origin, refuse.reason)

    def _reply_why(self, origin: EventOrigin, reason: str) -> None:
        """Tell somebody in the channel why their message is not answered, unless they were just told."""
        due_in = self._activity.refusal_due(origin.person.id, origin.place.channel_id)
        if due_in is None:
            self._figures.refusal_unsaid()
        else:
            self._backend.refuse(RefuseMessage(origin, reason, due_in))

    def _account(self, origin: EventOrigin, refuse: Refuse) -> None:
        if refuse.cause is not None:
            self._audit.refused(origin.person, origin.place, refuse.cause)

    def _pass_over(self, error: Malformed) -> None:
        """Malformed data is not a bug of the bot: log a line without a traceback, once for each reason."""
        self._malformed.note(str(error), reason=str(error))

    async def _tell_of_bug(self, payload: Payload) -> None:
        """Tell the person by separate requests, since what acknowledges may be what failed.

        What Discord does not take is no further bug.
        """
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
                await self._respond_to_bug(payload)
        except Malformed:
            pass  # nobody can be told then, and it is logged
        except HTTPException as error:
            self._log.warning("person not told of an error", reason=f"Discord answered {error.status}")
        except (MessagesBusy, aiohttp.ClientError, OSError) as error:
            self._log.warning("person not told of an error", reason=type(error).__name__)

    async def _respond_to_bug(self, payload: Payload) -> None:
        about, token = str(snowflake(payload, "id")), text(payload, "token")
        asked_by = payload.get("type")
        kind = CHANNEL_MESSAGE
        data = for_one_person(content=FAILED)
        if asked_by == interaction.AUTOCOMPLETE:
            kind, data = AUTOCOMPLETE, {"choices": []}
        elif asked_by == interaction.MODAL_SUBMIT:
            data |= given_back(interaction.form_text_of(payload))
        try:
            await self._http.post_initial_response({"type": kind, "data": data}, about, token)
        except HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
            application = str(snowflake(payload, "application_id"))
            if asked_by == interaction.MESSAGE_COMPONENT:  # what stands there is another answer
                await self._http.post_followup(data, application, token)
            else:
                await self._http.edit_interaction_message(data, application, token)

    def _tell_of_bug_in_channel(self, payload: Payload) -> None:
        """By ids alone: what reads the rest may be what failed."""
        person, place = Person(int(payload["author"]["id"]), ""), Place(int(payload["channel_id"]))
        self._reply_why(EventOrigin(int(payload["id"]), 0, "", person, place), FAILED)

    async def _respond(self, origin: EventOrigin, kind: int, flags: int = 0, **data: object) -> bool:
        """Answer the interaction itself; False where Discord has refused that for good.

        If it is unknown whether the acknowledgement arrived, it may have: then the person sees the bot think,
        and must not wait for ever. What is written to an invalid interaction goes to the channel.
        """
        body = {"flags": flags, "allowed_mentions": {"parse": []}} if kind < AUTOCOMPLETE else {}
        refused = False
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
                await self._post_response(origin, {"type": kind, "data": body | data})
        except HTTPException as error:
            if error.code == ALREADY_ACKNOWLEDGED:  # a retry of one that had arrived
                return True
            reason = f"Discord answered {error.status}, code {error.code}"
            # By a page instead of JSON, something before Discord has refused it, perhaps by mistake.
            refused = error.status < 500 and isinstance(error.code, int)  # HTTP's own: the server failed
        except MessagesBusy as error:
            reason = str(error)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = type(error).__name__
        else:
            seconds = time.monotonic() - origin.arrived_at
            self._figures.acknowledged(seconds)
            self._log.debug("acknowledged", seconds=round(seconds, 3))
            return True
        late = time.monotonic() - origin.arrived_at >= ACKNOWLEDGE_TIMEOUT
        self._figures.unacknowledged(Unacknowledged.LATE if late else Unacknowledged.FAILED)
        log = self._log.warning if self._activity.count_loss(origin.person.id) else self._log.debug
        log("interaction not acknowledged", reason=reason, certain=refused)
        return not refused

    async def _post_response(self, origin: EventOrigin, response: dict[str, Any]) -> None:
        """Send it until Discord accepts or refuses it, or asks to wait for too long; the caller limits the
        time.

        One that may have arrived is sent again, too: Discord says then that it had.
        """
        end, pause = time.monotonic() + ACKNOWLEDGE_TIMEOUT, RETRY_PAUSE
        while True:
            wait = 0.0
            try:
                await self._http.post_initial_response(response, str(origin.interaction_id), origin.token)
            except HTTPException as error:
                if error.status < 500:  # HTTP's own: the server failed
                    raise
            except MessagesBusy as error:
                wait = error.wait
                if time.monotonic() + wait >= end:
                    raise
            except (aiohttp.ClientError, ConnectionError):
                if time.monotonic() + pause >= end:
                    raise
            else:
                return
            await asyncio.sleep(max(wait, pause))
            pause *= 2


def _speaks_to(payload: Payload, bot_id: int) -> bool:
    """Whether a message that could not be read is addressed to the bot."""
    mentions = [user["id"] for user in payload.get("mentions", ())]
    return not payload["author"].get("bot") and ("guild_id" not in payload or str(bot_id) in mentions)
