"""What a model is shown for a question: instructions, what was said before as far as it fits, and it."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from types import MappingProxyType

from discordianai.answering.earlier_files import naming_files, with_files
from discordianai.answering.quoted_answer import quotes_last_turn
from discordianai.conversations.channel_settings import ChannelSettings
from discordianai.conversations.channel_settings_cache import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.conversations.pending_questions import AnsweredTurn
from discordianai.conversations.store import ConversationStore
from discordianai.conversations.window import ContextOptions, fitting
from discordianai.dispatch.refusals import TooLong
from discordianai.dispatch.token_estimator import TokenEstimator, of_attached
from discordianai.records import (
    ChatRequest,
    FileKind,
    Person,
    Place,
    Provider,
    Question,
    Role,
    Route,
    Turn,
    Usage,
)

ANSWER_PART = 0.25
"""Of a model's context, what is left to the answer where no length is set."""

SEVERAL_SPEAK = "Several people take part. Each of their messages begins with the name of who wrote it."


@dataclass(frozen=True, slots=True)
class ContextRules:
    """At most `max_turns` go along, as far as they fit into `context` and leave room to the answer.

    `answer_tokens` is how long an answer may be, for models where that is set; `providers` has the name of
    the one that each model is of.
    """

    instructions: str
    scope: Scope = Scope.USER_IN_CHANNEL
    max_turns: int = 50
    context: ContextOptions = field(default_factory=ContextOptions)
    answer_tokens: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    providers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def provider_of(self, model: str) -> str | None:
        """The name of the one that offers that model."""
        return self.providers.get(model)

    def room(self, model: str) -> int:
        """Tokens for all that this model is shown."""
        context = self.context.of(model)
        return context - self.answer_tokens.get(model, int(context * ANSWER_PART))


@dataclass(frozen=True, slots=True)
class QuestionContext:
    """One question in its conversation, as it was when its turn came."""

    question: Question
    key: ConversationKey
    history: tuple[Turn, ...]
    channel: ChannelSettings
    rules: ContextRules
    estimator: TokenEstimator
    identifiers: "Identifiers"

    @property
    def wanted_model(self) -> str:
        """The one that the person, or else the channel, has asked for; empty where the bot is to choose."""
        return self.question.model or self.channel.model

    @property
    def asked(self) -> str:
        """The person's words, what they point at, and their files."""
        question = self.question
        quotation = question.quotation.text if question.quotation else ""
        return "\n\n".join(filter(None, (question.text, quotation, question.file_text)))

    @property
    def kept(self) -> str:
        """The same as it is remembered."""
        question = self.question
        quotation = question.quotation.excerpt if question.quotation else ""
        return "\n\n".join(filter(None, (question.text, quotation, question.file_excerpt)))

    def has(self, kind: FileKind) -> bool:
        """Whether a file of that kind goes along, with the question or with what was asked before it."""
        earlier = next((turn.attachments for turn in reversed(self.history) if turn.attachments), ())
        now = time.time()
        return any(
            file.kind is kind and not file.expired(now) for file in (*self.question.readable_again, *earlier)
        )

    def without_earlier_files(self) -> "QuestionContext":
        """The same with the files of what was asked before named alone."""
        return replace(self, history=tuple(map(naming_files, self.history)))

    def request(self, provider: Provider, usual_model: str) -> ChatRequest:
        """What that provider is asked: the newest whole turns that fit, and the question."""
        model = usual_model
        if self.rules.provider_of(self.wanted_model) == provider.name:
            model = self.wanted_model
        asked = Turn(
            Role.USER,
            self.key.spoken(self.question.person, self.asked),
            images=self.question.images if provider.images else (),
            files=self.question.files if provider.files else (),
        )
        several = SEVERAL_SPEAK if self.key.shared else ""
        instructions = "\n".join(filter(None, (self.rules.instructions, several, self.channel.persona)))
        left = self.rules.room(model) - self.estimator.estimate(model, (instructions, asked.text))
        left -= of_attached(asked)
        history = with_files(self.history, provider, time.time())
        turns = fitting(history, left, lambda turn: self.estimator.of_turn(model, turn) + of_attached(turn))
        return ChatRequest(
            model=model,
            turns=(*turns, asked),
            instructions=instructions,
            person=self.identifiers.of("person", self.question.person.id),
            conversation=self.identifiers.of("conversation", *astuple(self.key)),
            number=self.question.number,
        )

    def fitting_request(self, provider: Provider, usual_model: str) -> ChatRequest:
        """The same. Raises `TooLong` where the question, with its files, takes more than there is room for.

        What the estimator has learned is left out: a provider that counts what it finds on the web as input
        makes each text seem long.
        """
        request = self.request(provider, usual_model)
        asked = request.turns[-1]
        tokens = TokenEstimator.of_text(asked.text, 1.0) + of_attached(asked)
        room = max(self.rules.room(request.model) - TokenEstimator.of_text(request.instructions, 1.0), 0)
        if tokens > room:
            raise TooLong(provider, f"about {tokens} tokens, room for {room}", tokens, room)
        return request

    def usage(self, route: Route, answer: str) -> Usage:
        """What asking has taken, where the provider has not told."""
        model = route.model
        asked = self.estimator.estimate(model, self.request(route.provider, model).texts)
        return Usage(asked, self.estimator.estimate(model, [answer]) if answer else 0)

    def exchange(self, answer: str) -> AnsweredTurn:
        """What is remembered of it."""
        now = time.time()
        said = self.key.spoken(self.question.person, self.kept)
        asked = Turn(Role.USER, said, now, attachments=self.question.readable_again)
        turns = (asked, Turn(Role.ASSISTANT, answer, now))
        return AnsweredTurn(self.key, turns, self.question.person.id, self.question.place.guild_id)


class ContextBuilder:
    """Looks up what was said before."""

    def __init__(
        self,
        store: ConversationStore,
        channels: ChannelSettingsCache,
        rules: ContextRules,
        estimator: TokenEstimator,
        identifier_key: bytes,
    ) -> None:
        self._store = store
        self._channels = channels
        self._rules = rules
        self._estimator = estimator
        self._identifiers = Identifiers(identifier_key)

    def reconfigure(self, rules: ContextRules) -> None:
        """Use these for the questions whose turn comes from now on."""
        self._rules = rules

    def key(self, question: Question) -> ConversationKey:
        """The conversation that a question belongs to."""
        return self.key_at(question.person, question.place, private=question.address.private)

    def key_at(self, person: Person, place: Place, *, private: bool = False) -> ConversationKey:
        """The conversation that a question of that person there would continue."""
        return ConversationKey.of(person, place, self._rules.scope, private=private)

    def provider_of(self, model: str) -> str | None:
        """The name of the one that offers that model."""
        return self._rules.provider_of(model)

    async def of(self, question: Question) -> QuestionContext:
        """What there is at this moment."""
        key = self.key(question)
        history = await self._store.recent(key, self._rules.max_turns)
        if question.quotation is not None and quotes_last_turn(question.quotation, history):
            question = replace(question, quotation=None)
        channel = self._channels.of(question.place)
        return QuestionContext(
            question, key, history, channel, self._rules, self._estimator, self._identifiers
        )


class Identifiers:
    """Names people and conversations for providers, who need to tell them apart, not to know who they are.

    A plain hash of a Discord id could be found again by trying all ids; only `key` leads back from these.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, kind: str, *parts: object) -> str:
        """32 characters, the same for the same parts."""
        told = ":".join(map(str, (kind, *parts)))
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()[:32]
