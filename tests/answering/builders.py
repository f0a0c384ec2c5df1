"""An answer service, with providers that a test scripts."""

import time
from collections.abc import Sequence

from discordianai.answering.context import ContextBuilder, ContextRules
from discordianai.answering.journal import Journal
from discordianai.answering.open_questions import QuestionCounter
from discordianai.answering.options import AssistantOptions
from discordianai.answering.provider_chain import ProviderChain
from discordianai.answering.service import AnswerService
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.options import AccountingOptions, ConversationOptions
from discordianai.dispatch.dispatcher import Dispatcher, DispatcherOptions
from discordianai.dispatch.options import TOOL, DispatchOptions, RoutingOptions, UserRateOptions
from discordianai.dispatch.routing import Router
from discordianai.dispatch.token_estimator import TokenEstimator
from discordianai.option import Live
from discordianai.records import (
    Person,
    Place,
    Question,
    ReplyAddress,
)
from tests.doubles.provider import FakeProvider, Step
from tests.doubles.reply import FakeReply
from tests.doubles.store import MemoryStore

ANN, BEN = Person(1, "Ann"), Person(2, "Ben")
BRIEF = ContextRules(AssistantOptions("be brief"), ConversationOptions(max_turns=10))


class Scene:
    """An assistant whose providers answer from `scripts`."""

    def __init__(
        self,
        *scripts: list[Step],
        provider: FakeProvider | None = None,
        others: Sequence[FakeProvider] = (),
        strategy: str = TOOL,
        rules: ContextRules | None = None,
        accounting: AccountingOptions | None = None,
    ) -> None:
        self.provider = provider or FakeProvider(*scripts)
        self.store = MemoryStore()
        options = DispatcherOptions(slots=10, dispatch=DispatchOptions(max_attempts=1))
        providers = [self.provider, *others]
        self.dispatchers = {each.provider.name: Dispatcher(each, Live(options)) for each in providers}
        router = Router([each.provider for each in providers], Live(RoutingOptions(strategy)))
        provider_chain = ProviderChain(self.dispatchers, router)
        self.channels = ChannelSettingsCache(self.store)
        self.estimator = TokenEstimator()
        contexts = ContextBuilder(
            self.store,
            self.channels,
            Live(rules or BRIEF),
            self.estimator,
            b"a key of this bot's",
        )
        ledger = Ledger(self.store, Live(accounting or AccountingOptions()), time.time)
        journal = Journal(self.store, QuestionCounter())
        self.limited: list[Question] = []
        dispatch, user = Live(DispatchOptions()), Live(UserRateOptions())
        self.answer_service = AnswerService(
            provider_chain,
            contexts,
            journal,
            ledger,
            dispatch,
            user,
            self.limited.append,
        )
        self._number = 0

    def question(self, text: str = "why?", person: Person = ANN) -> Question:
        self._number += 1
        address = ReplyAddress(1, self._number, "token", 7, private=False, acknowledged_at=0.0)
        return Question(self._number, text, person, Place(7, 5), address)

    async def ask(self, question: Question | None = None, reply: FakeReply | None = None) -> FakeReply:
        question, reply = question or self.question(), reply or FakeReply()
        await self.answer_service.answer(question, self.answer_service.enqueue(question), reply)
        return reply

    async def remembered(self, question: Question) -> list[str]:
        turns = await self.store.recent(ConversationKey.of(question.person, question.place), 100)
        return [turn.text for turn in turns]
