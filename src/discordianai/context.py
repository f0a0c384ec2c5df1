"""What a model is shown for a question: instructions, what was said before as far as it fits, and it."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from discordianai.conversations.keys import ConversationKey, Scope
from discordianai.conversations.pending import Exchange
from discordianai.conversations.store import ConversationStore
from discordianai.conversations.window import ContextOptions, fitting
from discordianai.model import ChatRequest, Question, Role, Turn, Usage
from discordianai.tokens import TokenEstimator

ANSWER_PART = 0.25
"""Of a model's context, what is left to the answer where no length is set."""

SEVERAL_SPEAK = "Several people take part. Each of their messages begins with the name of who wrote it."


@dataclass(frozen=True, slots=True)
class ContextRules:
    """At most `max_turns` go along, as far as they fit into `context` and leave room to the answer.

    `answer_tokens` is how long an answer may be, for models where that is set.
    """

    instructions: str
    scope: Scope = Scope.USER_IN_CHANNEL
    max_turns: int = 50
    context: ContextOptions = field(default_factory=ContextOptions)
    answer_tokens: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def room(self, model: str) -> int:
        """Tokens for all that this model is shown."""
        context = self.context.of(model)
        return context - self.answer_tokens.get(model, int(context * ANSWER_PART))


@dataclass(frozen=True, slots=True)
class Context:
    """One question in its conversation, as it was when its turn came."""

    question: Question
    key: ConversationKey
    history: tuple[Turn, ...]
    rules: ContextRules
    estimator: TokenEstimator

    def request(self, model: str) -> ChatRequest:
        """What that model is asked: the newest whole turns that fit, and the question."""
        asked = Turn(Role.USER, self.key.spoken(self.question.person, self.question.text))
        instructions = self.rules.instructions
        if self.key.shared:
            instructions = f"{instructions}\n{SEVERAL_SPEAK}".strip()
        left = self.rules.room(model) - self.estimator.estimate(model, (instructions, asked.text))
        turns = fitting(self.history, left, lambda turn: self.estimator.of_turn(model, turn))
        return ChatRequest(
            model=model,
            turns=(*turns, asked),
            instructions=instructions,
            person=_pseudonym(self.question.person.id),
            number=self.question.number,
        )

    def usage(self, model: str, answer: str) -> Usage:
        """What asking that model has taken, where it has not told."""
        asked = self.estimator.estimate(model, self.request(model).texts)
        return Usage(asked, self.estimator.estimate(model, [answer]) if answer else 0)

    def exchange(self, answer: str) -> Exchange:
        """What is remembered of it."""
        now = time.time()
        said = self.key.spoken(self.question.person, self.question.text)
        turns = (Turn(Role.USER, said, now), Turn(Role.ASSISTANT, answer, now))
        return Exchange(self.key, turns, self.question.person.id, self.question.place.guild_id)


class Contexts:
    """Looks up what was said before."""

    def __init__(self, store: ConversationStore, rules: ContextRules, estimator: TokenEstimator) -> None:
        self._store = store
        self._rules = rules
        self._estimator = estimator

    def key(self, question: Question) -> ConversationKey:
        """The conversation that a question belongs to."""
        return ConversationKey.of(
            question.person, question.place, self._rules.scope, private=question.address.private
        )

    async def of(self, question: Question) -> Context:
        """What there is at this moment."""
        key = self.key(question)
        history = await self._store.recent(key, self._rules.max_turns)
        return Context(question, key, history, self._rules, self._estimator)


def _pseudonym(person_id: int) -> str:
    """Providers want to tell people apart, and need not know who they are on Discord."""
    return hashlib.sha256(f"discordianai:{person_id}".encode()).hexdigest()[:32]
