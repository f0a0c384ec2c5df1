"""What a model is shown for a question: instructions, what was said before as far as it fits, and it."""

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from types import MappingProxyType

from discordianai.assistant_options import AssistantOptions
from discordianai.conversations.channel_book import ChannelBook
from discordianai.conversations.keys import ConversationKey, Scope
from discordianai.conversations.options import ConversationOptions, ModelOptions
from discordianai.conversations.pending import Exchange
from discordianai.conversations.places import ChannelSettings
from discordianai.conversations.store import ConversationStore
from discordianai.conversations.window import fitting
from discordianai.dispatch.refusals import TooLong
from discordianai.live import Live
from discordianai.model import (
    ChatRequest,
    Person,
    Place,
    Provider,
    Question,
    Role,
    Route,
    Turn,
    Usage,
)
from discordianai.providers.options import ProviderOptions
from discordianai.tokens import TokenEstimator, of_attached

ANSWER_PART = 0.25
"""Of a model's context, what is left to the answer where no length is set."""

SEVERAL_SPEAK = "Several people take part. Each of their messages begins with the name of who wrote it."


@dataclass(frozen=True, slots=True)
class ContextRules:
    """What a model is shown goes by these; `providers` has those that can be asked, by name."""

    assistant: AssistantOptions = field(default_factory=AssistantOptions)
    conversations: ConversationOptions = field(default_factory=ConversationOptions)
    models: Mapping[str, ModelOptions] = field(default_factory=lambda: MappingProxyType({}))
    providers: Mapping[str, ProviderOptions] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def scope(self) -> Scope:
        """Who shares a conversation."""
        return Scope(self.conversations.scope)

    def provider_of(self, model: str) -> str | None:
        """The name of the first one that offers that model."""
        return next((name for name, options in self.providers.items() if model in options.all_models), None)

    def context_tokens(self, model: str) -> int:
        """Tokens that a request to that model and its answer may have together."""
        options = self.models.get(model)
        return (options and options.context_tokens) or self.conversations.context_tokens

    @property
    def most_context_tokens(self) -> int:
        """Those of the model with the largest context."""
        return max(self.conversations.context_tokens, *map(self.context_tokens, self.models), 0)

    def room(self, model: str) -> int:
        """Tokens for all that this model is shown."""
        context = self.context_tokens(model)
        return context - (self._answer_tokens(model) or int(context * ANSWER_PART))

    def _answer_tokens(self, model: str) -> int | None:
        """How long an answer of that model may be, where that is set."""
        offering = (options for options in self.providers.values() if model in options.all_models)
        return next(filter(None, (options.max_answer_tokens for options in offering)), None)


@dataclass(frozen=True, slots=True)
class Context:
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
        instructions = "\n".join(
            filter(None, (self.rules.assistant.instructions, several, self.channel.persona))
        )
        left = self.rules.room(model) - self.estimator.estimate(model, (instructions, asked.text))
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

    def exchange(self, answer: str) -> Exchange:
        """What is remembered of it."""
        now = time.time()
        said = self.key.spoken(self.question.person, self.question.remembered or self.question.text)
        turns = (Turn(Role.USER, said, now), Turn(Role.ASSISTANT, answer, now))
        return Exchange(self.key, turns, self.question.person.id, self.question.place.guild_id)


class Contexts:
    """Looks up what was said before."""

    def __init__(
        self,
        store: ConversationStore,
        channels: ChannelBook,
        rules: Live[ContextRules],
        estimator: TokenEstimator,
        identifier_key: bytes,
    ) -> None:
        self._store = store
        self._channels = channels
        self._rules = rules
        self._estimator = estimator
        self._identifiers = Identifiers(identifier_key)

    def key(self, question: Question) -> ConversationKey:
        """The conversation that a question belongs to."""
        return self.key_at(question.person, question.place, private=question.address.private)

    def key_at(self, person: Person, place: Place, *, private: bool = False) -> ConversationKey:
        """The conversation that a question of that person there would continue."""
        return ConversationKey.of(person, place, self._rules.now.scope, private=private)

    def provider_of(self, model: str) -> str | None:
        """The name of the one that offers that model."""
        return self._rules.now.provider_of(model)

    async def of(self, question: Question) -> Context:
        """What there is at this moment."""
        key, rules = self.key(question), self._rules.now
        history = await self._store.recent(key, rules.conversations.max_turns)
        channel = self._channels.of(question.place)
        return Context(question, key, history, channel, rules, self._estimator, self._identifiers)


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
