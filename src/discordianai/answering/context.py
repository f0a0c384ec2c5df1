"""The part of a conversation that a model sees: instructions, the newest turns that fit, the question."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from types import MappingProxyType

from discordianai.conversations.channel_settings import ChannelSettings
from discordianai.conversations.channel_settings_cache import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.conversations.pending_questions import AnsweredTurn
from discordianai.conversations.store import ConversationStore
from discordianai.conversations.window import ContextOptions, fitting
from discordianai.dispatch.refusals import TooLong
from discordianai.dispatch.token_estimator import TokenEstimator, of_attached
from discordianai.records import ChatRequest, Person, Place, Provider, Question, Role, Route, Turn, Usage

ANSWER_PART = 0.25
"""The part of a model's context that is kept for the answer where no length is set."""

SEVERAL_SPEAK = "Several people take part. Each of their messages begins with the name of who wrote it."


@dataclass(frozen=True, slots=True)
class ContextRules:
    """At most `max_turns` are sent, as far as they fit into `context` and leave space for the answer.

    `answer_tokens` is how long an answer may be, for models where that is set; `providers` names the
    provider of each model.
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

    def input_tokens(self, model: str) -> int:
        """How many tokens a request to this model may have."""
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

    def request(self, provider: Provider, usual_model: str) -> ChatRequest:
        """What that provider is asked: the newest whole turns that fit, and the question."""
        model = usual_model
        if self.rules.provider_of(self.wanted_model) == provider.name:
            model = self.wanted_model
        asked = Turn(
            Role.USER,
            self.key.spoken(self.question.person, self.question.text),
            images=self.question.images if provider.images else (),
            files=self.question.files if provider.files else (),
        )
        several = SEVERAL_SPEAK if self.key.shared else ""
        instructions = "\n".join(filter(None, (self.rules.instructions, several, self.channel.persona)))
        left = self.rules.input_tokens(model) - self.estimator.estimate(model, (instructions, asked.text))
        left -= of_attached(asked)
        turns = fitting(self.history, left, lambda turn: self.estimator.of_turn(model, turn))
        return ChatRequest(
            model=model,
            turns=(*turns, asked),
            instructions=instructions,
            person=self.identifiers.of("person", self.question.person.id),
            conversation=self.identifiers.of("conversation", *astuple(self.key)),
            number=self.question.number,
        )

    def fitting_request(self, provider: Provider, usual_model: str) -> ChatRequest:
        """The same. Raises `TooLong` where the question alone, with its files, does not fit.

        What the estimator has learned is left out: a provider that counts what it finds on the web as input
        makes each text seem long.
        """
        request = self.request(provider, usual_model)
        asked = request.turns[-1]
        tokens = TokenEstimator.of_text(asked.text, 1.0) + of_attached(asked)
        most = max(
            self.rules.input_tokens(request.model) - TokenEstimator.of_text(request.instructions, 1.0), 0
        )
        if tokens > most:
            raise TooLong(provider, f"about {tokens} tokens, {most} fit", tokens, most)
        return request

    def usage(self, route: Route, answer: str) -> Usage:
        """An estimate of what the request took, where the provider does not say."""
        model = route.model
        asked = self.estimator.estimate(model, self.request(route.provider, model).texts)
        return Usage(asked, self.estimator.estimate(model, [answer]) if answer else 0)

    def exchange(self, answer: str) -> AnsweredTurn:
        """The question and its answer as they are remembered."""
        now = time.time()
        said = self.key.spoken(self.question.person, self.question.remembered or self.question.text)
        turns = (Turn(Role.USER, said, now), Turn(Role.ASSISTANT, answer, now))
        return AnsweredTurn(self.key, turns, self.question.person.id, self.question.place.guild_id)


class ContextBuilder:
    """Looks up earlier turns, and the settings of the channel."""

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
        """The question in its conversation, as that is now."""
        key = self.key(question)
        history = await self._store.recent(key, self._rules.max_turns)
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
