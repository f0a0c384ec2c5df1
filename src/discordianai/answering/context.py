"""The part of a conversation that a model sees: instructions, the newest turns that fit, the question."""

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from itertools import chain
from types import MappingProxyType

from discordianai.answering.options import AssistantOptions
from discordianai.conversations import speakers
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.conversations.options import ConversationOptions, ModelOptions
from discordianai.conversations.pending_questions import QuestionAndAnswer
from discordianai.conversations.store import ChannelSettings, ConversationStore
from discordianai.conversations.window import fitting
from discordianai.dispatch.refusals import TooLong
from discordianai.dispatch.token_estimator import TokenEstimator, of_attached
from discordianai.option import Live
from discordianai.providers.options import ProviderOptions
from discordianai.providers.responses import MOST_SEARCHES
from discordianai.records import (
    ChatRequest,
    FileKind,
    FileLink,
    Person,
    Place,
    Provider,
    Question,
    Quotation,
    Role,
    Route,
    SearchMode,
    Turn,
    Usage,
    WebSearch,
)

NOT_SHOWN = "[Files sent with this, no longer shown here: {names}]"


def with_files(history: Sequence[Turn], provider: Provider, now: float) -> tuple[Turn, ...]:
    """The turns, with the files of the newest turn that had any, if the provider accepts them.

    Files that have expired at Discord, or are no longer shown, are named, so that the model can say so.
    """
    turns = list(history)
    newest = True
    for place in reversed(range(len(turns))):
        if not turns[place].attachments:
            continue
        turns[place] = _with_own_files(turns[place], provider, now) if newest else naming_files(turns[place])
        newest = False
    return tuple(turns)


def _with_own_files(turn: Turn, provider: Provider, now: float) -> Turn:
    good = [file for file in turn.attachments if not file.expired(now)]
    images = [file for file in good if file.kind is FileKind.IMAGE and provider.images]
    files = [file for file in good if file.kind is FileKind.DOCUMENT and provider.files]
    shown = replace(
        turn,
        images=tuple(file.url for file in images),
        files=tuple(FileLink(file.name, file.url, file.size) for file in files),
        attachments=tuple(file for file in turn.attachments if file not in (*images, *files)),
    )
    return naming_files(shown)


def naming_files(turn: Turn) -> Turn:
    """The turn with only the names of its files. Of a text file there is a marked excerpt."""
    names = [_on_one_line(file.name) for file in turn.attachments if file.kind is not FileKind.TEXT]
    text = f"{turn.text}\n\n{NOT_SHOWN.format(names=', '.join(names))}" if names else turn.text
    return replace(turn, text=text, attachments=())


def _on_one_line(name: str) -> str:
    """No name can end the line or the brackets, because no speaker's mark precedes it."""
    return " ".join("".join(c if c.isprintable() and c not in "[]" else " " for c in name).split())


COMPARED = 300
"""Letters by which an answer is recognised."""

SURE = 40
"""So many equal letters in a row are no coincidence; a shorter message must be the whole answer."""

_LINK = re.compile(r"\]\([^)\s]*+\)?|<?https?://\S+")
"""Where an address has no end, all of it counts as one: so no character is looked at again."""


def quotes_last_turn(quotation: Quotation, history: Sequence[Turn]) -> bool:
    """Whether it is the bot's last answer, or one message of it, which the model is shown anyway.

    The message differs from what was remembered: it has small print, and links for the numbers of sources.
    """
    if not quotation.own or not history or history[-1].role is not Role.ASSISTANT:
        return False
    lines = (line for line in quotation.own.splitlines() if not line.startswith("-# "))
    shown, last = _letters("\n".join(lines))[:COMPARED], _letters(history[-1].text)
    return shown in last if len(shown) >= SURE else shown in {"", last}


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, _LINK.sub("", text)))


ANSWER_PART = 0.25
"""The part of a model's context that is reserved for the answer if no length is set."""

MARGIN = 1.3
"""The most tokens of a question, as a multiple of the estimate."""

SEARCH_TOKENS = 4000
"""The most tokens that one search adds to the input. Perplexity's added 2700 when measured."""


@dataclass(frozen=True, slots=True)
class ContextRules:
    """Decides what a model is shown; `providers` are those that can be asked, by name.

    `listed` has the models that some of them offer besides those of their options; it may change.
    """

    assistant: AssistantOptions = field(default_factory=AssistantOptions)
    conversations: ConversationOptions = field(default_factory=ConversationOptions)
    models: Mapping[str, ModelOptions] = field(default_factory=lambda: MappingProxyType({}))
    providers: Mapping[str, ProviderOptions] = field(default_factory=lambda: MappingProxyType({}))
    listed: Mapping[str, Collection[str]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def scope(self) -> Scope:
        """Who shares a conversation."""
        return Scope(self.conversations.scope)

    def provider_of(self, model: str) -> str | None:
        """The name of the first provider that offers that model; those whose options name it come first."""
        named = (name for name, options in self.providers.items() if model in options.all_models)
        listed = (name for name, models in self.listed.items() if model in models)
        return next(chain(named, listed), None)

    def context_tokens(self, model: str) -> int:
        """Tokens that a request to that model and its answer may have together."""
        options = self.models.get(model)
        return (options and options.context_tokens) or self.conversations.context_tokens

    @property
    def most_context_tokens(self) -> int:
        """Those of the model with the largest context."""
        return max(self.conversations.context_tokens, *map(self.context_tokens, self.models), 0)

    def input_tokens(self, model: str) -> int:
        """How many tokens a request to this model may have."""
        context = self.context_tokens(model)
        return context - self.answer_tokens(model)

    def answer_tokens(self, model: str) -> int:
        """How many tokens are reserved for an answer of this model: its limit, if one is set."""
        return self._answer_limit(model) or int(self.context_tokens(model) * ANSWER_PART)

    def _answer_limit(self, model: str) -> int | None:
        """How long an answer of that model may be, where that is set."""
        offering = (
            options
            for name, options in self.providers.items()
            if model in options.all_models or model in self.listed.get(name, ())
        )
        return next(filter(None, (options.max_answer_tokens for options in offering)), None)


@dataclass(frozen=True, slots=True)
class QuestionContext:
    """One question in its conversation, as it was when its turn came. `clock` tells the time of day."""

    question: Question
    key: ConversationKey
    history: tuple[Turn, ...]
    channel: ChannelSettings
    rules: ContextRules
    estimator: TokenEstimator
    identifiers: "Identifiers"
    clock: Callable[[], float] = time.time

    @property
    def wanted_model(self) -> str:
        """The one that the person, or else the channel, has chosen; empty if the bot chooses."""
        return self.question.model or self.channel.model

    @property
    def asked(self) -> str:
        """The person's words, the messages that they refer to, and their files."""
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
        now = self.clock()
        return any(
            file.kind is kind and not file.expired(now) for file in (*self.question.readable_again, *earlier)
        )

    def without_earlier_files(self) -> "QuestionContext":
        """The same, with only the names of the files of earlier questions."""
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
        several = speakers.EXPLANATION if self.key.shared else ""
        instructions = "\n".join(
            filter(None, (self.rules.assistant.instructions, several, self.channel.persona))
        )
        left = self.rules.input_tokens(model) - self.estimator.estimate(model, (instructions, asked.text))
        left -= of_attached(asked)
        history = with_files(self.history, provider, self.clock())
        turns = fitting(history, left, lambda turn: self.estimator.of_turn(model, turn) + of_attached(turn))
        return ChatRequest(
            model=model,
            turns=(*turns, asked),
            instructions=instructions,
            person=self.identifiers.derive("person", self.question.person.id),
            conversation=self.identifiers.derive("conversation", *astuple(self.key)),
            number=self.question.number,
        )

    def fitting_request(self, provider: Provider, usual_model: str) -> ChatRequest:
        """The same. Raises `TooLong` if the question alone, with its files, does not fit.

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
        """An estimate of the request's usage, for providers that do not report it."""
        model = route.model
        asked = self.estimator.estimate(model, self.request(route.provider, model).texts)
        return Usage(asked, self.estimator.estimate(model, [answer]) if answer else 0)

    def most(self, provider: Provider, request: ChatRequest, expected: Usage) -> Usage:
        """The most that a request may take, for the limits in money; `expected` is an estimate.

        It includes as many searches as there can be, and what each of them finds as input.
        """
        searching = provider.web_search is WebSearch.ALWAYS or request.search is not SearchMode.OFF
        searches = MOST_SEARCHES if searching else 0
        return Usage(
            int(expected.input_tokens * MARGIN) + searches * SEARCH_TOKENS,
            self.rules.answer_tokens(request.model),
            searches=searches,
        )

    def exchange(self, answer: str) -> QuestionAndAnswer:
        """The question and its answer as they are remembered."""
        now = self.clock()
        said = self.key.spoken(self.question.person, self.kept)
        asked = Turn(Role.USER, said, now, attachments=self.question.readable_again)
        turns = (asked, Turn(Role.ASSISTANT, answer, now))
        return QuestionAndAnswer(self.key, turns, self.question.person.id, self.question.place.guild_id)


class ContextBuilder:
    """Looks up earlier turns, and the settings of the channel.

    `clock` is the store's: what is said gets its time from it, and the store forgets by it.
    """

    def __init__(
        self,
        store: ConversationStore,
        channels: ChannelSettingsCache,
        rules: Live[ContextRules],
        estimator: TokenEstimator,
        identifier_key: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._channels = channels
        self._rules = rules
        self._estimator = estimator
        self._identifiers = Identifiers(identifier_key)
        self._clock = clock

    def key(self, question: Question) -> ConversationKey:
        """The conversation that a question belongs to."""
        return self.key_at(question.person, question.place, private=question.address.private)

    def key_at(self, person: Person, place: Place, *, private: bool = False) -> ConversationKey:
        """The conversation that a question of that person there would continue."""
        return ConversationKey.of(person, place, self._rules.now.scope, private=private)

    def provider_of(self, model: str) -> str | None:
        """The name of the one that offers that model."""
        return self._rules.now.provider_of(model)

    async def build(self, question: Question) -> QuestionContext:
        """The question in its conversation, as that is now."""
        key, rules = self.key(question), self._rules.now
        history = await self._store.recent(key, rules.conversations.max_turns)
        if key.shared:
            history = tuple(map(_marked, history))
        if question.quotation is not None and quotes_last_turn(question.quotation, history):
            question = replace(question, quotation=None)
        # In direct messages with others, a person's settings would hold for what the rest ask.
        among_others = question.place.guild_id is None and not question.address.as_member
        channel = ChannelSettings() if among_others else self._channels.of(question.place)
        return QuestionContext(
            question, key, history, channel, rules, self._estimator, self._identifiers, self._clock
        )


def _marked(turn: Turn) -> Turn:
    """A turn of a shared conversation as it is stored today; older versions marked it less."""
    if turn.role is not Role.USER:
        return turn
    said = speakers.read(turn.text)
    return replace(turn, text=speakers.marked(said.name, said.text))


class Identifiers:
    """Identifiers of people and conversations for providers, which must tell them apart but not know them.

    A plain hash of a Discord id could be found again by trying all ids; only `key` leads back from these.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def derive(self, kind: str, *parts: object) -> str:
        """32 characters, the same for the same parts."""
        told = ":".join(map(str, (kind, *parts)))
        return hmac.new(self._key, told.encode(), hashlib.sha256).hexdigest()[:32]
