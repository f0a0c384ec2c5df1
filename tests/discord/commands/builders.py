"""The services of a bot on a real database, and uses of its commands."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from discordianai.answering.context import ContextBuilder, ContextRules
from discordianai.conversations.accounting import Limit
from discordianai.conversations.channel_settings import ChannelSettingsCache
from discordianai.conversations.conversation_key import ConversationKey, Scope
from discordianai.conversations.ledger import Ledger
from discordianai.conversations.options import AccountingOptions, ConversationOptions
from discordianai.conversations.sqlite.store import SqliteStore, open_store
from discordianai.discord.commands.command import CommandReply, HandledCommand, Invocation
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.registry import COMMANDS, OfferedCommands
from discordianai.discord.commands.services import BotServices
from discordianai.dispatch.token_estimator import TokenEstimator
from discordianai.option import Live
from discordianai.records import Person, Provider, Role, Turn
from tests.discord.builders import ANN, origin
from tests.known_providers import OPENAI, PERPLEXITY

OFFER = Offer({OPENAI: ("gpt-6-luna", "gpt-6.1-terra"), PERPLEXITY: ("fast",)})
HERE = ConversationKey(1, ANN.id)
"""The conversation of `origin()`."""


def offering(*providers: Provider) -> Offer:
    """One model of each."""
    return Offer({provider: (f"{provider.name}-model",) for provider in providers})


@asynccontextmanager
async def open_services(
    folder: Path,
    *,
    scope: Scope = Scope.USER_IN_CHANNEL,
    offer: Offer = OFFER,
    max_turns: int = 50,
    daily_limit: Live[Limit] | None = None,
) -> AsyncIterator[tuple[BotServices, SqliteStore]]:
    async with open_store(folder / "conversations.sqlite3") as store:
        ledger = Ledger(store, Live(AccountingOptions()), time.time)
        conversations = ConversationOptions(scope=scope.value, max_turns=max_turns)
        yield services(store, ledger, conversations, offer, daily_limit or Live(Limit())), store


def services(
    store: SqliteStore,
    ledger: Ledger,
    conversations: ConversationOptions,
    offer: Offer = OFFER,
    daily_limit: Live[Limit] | None = None,
) -> BotServices:
    """What command handlers may use, on this store."""
    channels = ChannelSettingsCache(store)
    rules = Live(ContextRules(conversations=conversations))
    contexts = ContextBuilder(store, channels, rules, TokenEstimator(), b"key")
    limit = daily_limit or Live(Limit())
    offered = OfferedCommands(COMMANDS, offer)
    return BotServices(
        store, contexts, channels, lambda: "**Ready**", offered, Live(conversations), limit, ledger
    )


def invocation(
    options: Mapping[str, str | bool] | None = None,
    *,
    person: Person = ANN,
    channel_id: int = 1,
    guild_id: int | None = 5,
    permissions: int = 0,
    admin: bool = False,
) -> Invocation:
    where = origin(person=person, channel_id=channel_id, guild_id=guild_id, permissions=permissions)
    return Invocation(where, options or {}, admin=admin)


async def pressed(
    command: HandledCommand, reply: CommandReply, label: str, services: BotServices
) -> CommandReply:
    """The reply that the button of that label brings."""
    (button,) = (button for button in reply.buttons if button.label == label)
    return await command.components[button.action](Invocation(origin(), button=button), services)


def turns(*texts: str, at: float) -> Sequence[Turn]:
    """A question and its answer, and so on."""
    roles = (Role.USER, Role.ASSISTANT)
    return [Turn(roles[number % 2], text, at + number) for number, text in enumerate(texts)]
