"""Admission control: makes a question of a draft, within the limits of the person, the server and the bot."""

import time
from collections.abc import Callable, Iterator

from discordianai.answering.open_questions import AdmissionDenied, OpenQuestions
from discordianai.discord.audit_log import RefusalCause
from discordianai.discord.commands.command import LONGEST_PROMPT, QuestionDraft
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.events.interaction import EventOrigin
from discordianai.discord.interactions.activity_limits import ActivityLimits
from discordianai.discord.interactions.outcomes import Refuse
from discordianai.discord.interactions.posting_rights import PostingRights
from discordianai.discord.rendering.characters import first_visible
from discordianai.dispatch.budget import RateWindow
from discordianai.dispatch.options import ServerRateOptions, UserRateOptions
from discordianai.dispatch.refusals import in_seconds
from discordianai.option import Live
from discordianai.records import Person, Question, ReplyAddress

EMPTY = "Your question is empty."
TOO_LONG = f"That's too long. A question can have up to {LONGEST_PROMPT} characters."
BUSY = "I have too many questions open right now. Please try again in a minute."
NOT_SET_UP = "That provider isn't set up on this bot. `/ask` lists the ones that are."
NO_SEARCH = "This bot can't search the web. Its operator needs to set that up."
STOPPING = "I'm restarting. Please ask again in a minute."
PERSON_FULL = "You have {most} questions open here. Please wait for an answer, or stop one."


class Admission:
    """Lives on the listener's thread. `numbers` count the questions, `clock` tells monotonic seconds.

    `activity` has the limits of what is no question, `rights` says what may be posted for whom.
    """

    def __init__(
        self,
        offer: Offer,
        user: Live[UserRateOptions],
        server: Live[ServerRateOptions],
        open_questions: OpenQuestions,
        numbers: Iterator[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._offer = offer
        self._user = user
        self._open_questions = open_questions
        self._numbers = numbers
        self._clock = clock
        self._person_window = _window(user)
        self._server_window = _window(server)
        self.activity = ActivityLimits(clock)
        self.rights = PostingRights(clock)

    def admit(self, origin: EventOrigin, draft: QuestionDraft) -> Question | Refuse:
        """The question, which is open from now on and must be released; or why there is none."""
        person = origin.person
        if reason := self._malformed(draft) or self._unavailable(draft):
            return Refuse(reason)
        if reason := self._too_many(origin):
            return Refuse(reason, RefusalCause.LIMIT)
        if denial := self._open_questions.admit(person.id):
            full = denial is AdmissionDenied.PERSON_FULL
            return Refuse(self._words(denial), RefusalCause.LIMIT if full else None)
        try:
            self._count(origin)
            return self._question(origin, draft, person)
        except Exception:
            self._open_questions.take_back(person.id)
            raise

    def _question(self, origin: EventOrigin, draft: QuestionDraft, person: Person) -> Question:
        return Question(
            number=next(self._numbers),
            text=draft.text.strip(),
            person=person,
            place=origin.place,
            provider=draft.provider or self._offer.provider_of(draft.model),
            search=draft.search,
            model=draft.model,
            attachments=draft.attachments,
            quotation=draft.quotation,
            in_thread=draft.in_thread,
            note=draft.note,
            may_attach=draft.may_attach,
            from_form=draft.from_form,
            address=address_of(origin, private=draft.private, message_id=draft.message_id),
        )

    def _malformed(self, draft: QuestionDraft) -> str | None:
        if first_visible(draft.text, 0) == len(draft.text):
            return EMPTY
        return TOO_LONG if draft.typed and len(draft.text) > LONGEST_PROMPT else None

    def _unavailable(self, draft: QuestionDraft) -> str | None:
        """Why this bot cannot do what was asked for."""
        provider = next((known for known in self._offer.providers if known.name == draft.provider), None)
        if draft.provider is not None and provider is None:
            return NOT_SET_UP
        if draft.search and not self._offer.searches:
            return NO_SEARCH
        if not draft.model:
            return None
        provider_name = self._offer.provider_of(draft.model)
        if provider_name is None:
            return "I don't have that model. `/ask` lists the available models as you type."
        if provider is not None and provider_name != provider.name:
            return (
                f"{draft.model} isn't one of {provider.label}'s models. Leave out the model or the provider."
            )
        return None

    def _too_many(self, origin: EventOrigin) -> str | None:
        """Both windows are checked before either counts, so that a refused question uses neither."""
        now, guild_id = self._clock(), origin.place.guild_id
        if wait := self._person_window.delay(origin.person.id, now):
            return f"That's a lot of questions. Please wait {in_seconds(wait)}."
        if guild_id is not None and (wait := self._server_window.delay(guild_id, now)):
            return f"This server is asking a lot of questions. Please wait {in_seconds(wait)}."
        return None

    def _count(self, origin: EventOrigin) -> None:
        now = self._clock()
        self._person_window.take(origin.person.id, now)
        if origin.place.guild_id is not None:
            self._server_window.take(origin.place.guild_id, now)

    def _words(self, denial: AdmissionDenied) -> str:
        if denial is AdmissionDenied.PERSON_FULL:
            return PERSON_FULL.format(most=self._user.now.most_open)
        return STOPPING if denial is AdmissionDenied.STOPPING else BUSY


def _window(rate: Live[UserRateOptions] | Live[ServerRateOptions]) -> RateWindow:
    window = RateWindow(rate.now.questions, rate.now.per_seconds)
    rate.follow(lambda options: window.reconfigure(options.questions, options.per_seconds))
    return window


def address_of(origin: EventOrigin, *, private: bool, message_id: int | None = None) -> ReplyAddress:
    """Where the answer to this goes. Discord's 15 minutes count from now."""
    return ReplyAddress(
        application_id=origin.application_id,
        interaction_id=origin.interaction_id,
        token=origin.token,
        channel_id=origin.place.channel_id,
        private=private,
        acknowledged_at=time.time(),
        message_id=message_id,
        as_member=origin.as_member,
    )
