"""From the settings to the options of each room, for the start and for whenever the settings change."""

from discordianai.assistant import AssistantOptions
from discordianai.context import ContextRules
from discordianai.conversations.accounting import Limit, Price
from discordianai.conversations.keys import Scope
from discordianai.conversations.ledger import AccountingOptions
from discordianai.conversations.store import StoreOptions
from discordianai.conversations.window import ContextOptions
from discordianai.discord.attachments import Limits
from discordianai.discord.commands.declaration import Offer
from discordianai.discord.commands.services import HandlerOptions
from discordianai.dispatch.budget import BudgetOptions
from discordianai.dispatch.dispatcher import DispatchOptions
from discordianai.dispatch.retry import RetryOptions
from discordianai.model import Dialect
from discordianai.providers.port import ProviderOptions
from discordianai.settings.tables import Settings
from discordianai.transport.records import PoolOptions

BYTES_PER_TOKEN = 8
"""At most, of a text in any script and charset: what is larger cannot fit, and need not be read to know."""


def provider_options(settings: Settings, name: str) -> ProviderOptions:
    """How that provider is asked. A default verbosity is for a dialect that surely has a place for it."""
    table = settings.provider(name)
    written = "verbosity" in table.model_fields_set or table.spoken is Dialect.RESPONSES
    return ProviderOptions(
        provider=settings.record(name),
        base_url=table.base_url,
        api_key=table.api_key,
        model=table.usual_model,
        read_timeout=table.read_timeout,
        first_token_timeout=table.first_token_timeout,
        effort=table.reasoning_effort,
        verbosity=table.verbosity if written else None,
        max_answer_tokens=table.max_answer_tokens,
    )


def pool_options(settings: Settings, name: str) -> PoolOptions:
    """A default `max_keepalive` gives way to a smaller `max_connections`."""
    pool = settings.pool(name)
    fields = pool.model_dump() | {"max_keepalive": min(pool.max_keepalive, pool.max_connections)}
    return PoolOptions(**fields)


def dispatch_options(settings: Settings, name: str) -> DispatchOptions:
    """As many slots as the pool has connections."""
    return DispatchOptions(
        slots=settings.pool(name).max_connections,
        queue_size=settings.dispatch.queue_size,
        budget=BudgetOptions(**settings.rate_limit(name).model_dump()),
        retry=RetryOptions(max_attempts=settings.dispatch.max_attempts),
    )


def assistant_options(settings: Settings) -> AssistantOptions:
    """How long a question may take, and how many of one person are worked on."""
    return AssistantOptions(
        deadline_seconds=settings.dispatch.deadline_seconds, in_flight=settings.rate_limits.user.in_flight
    )


def attachment_limits(settings: Settings) -> Limits:
    """Bytes of the files that people send along; of texts together, what the largest context may take."""
    contexts = [model.context_tokens or 0 for model in settings.models.values()]
    image = settings.discord.max_image_kilobytes * 1024
    return Limits(
        text=settings.discord.max_file_kilobytes * 1024,
        image=image,
        texts=BYTES_PER_TOKEN * max(settings.conversations.context_tokens, *contexts, 0),
        document=image if any(provider.files for provider in settings.configured) else None,
    )


def store_options(settings: Settings) -> StoreOptions:
    """What the store keeps, and for how long."""
    conversations = settings.conversations
    return StoreOptions(
        max_turns=conversations.max_turns,
        ttl_days=conversations.ttl_days,
        cache_bytes=int(conversations.cache_megabytes * 2**20),
    )


def context_rules(settings: Settings) -> ContextRules:
    """What a model is told, and how much of it."""
    names = [provider.name for provider in settings.configured]
    contexts = {name: model.context_tokens for name, model in settings.models.items() if model.context_tokens}
    return ContextRules(
        instructions=settings.assistant.instructions,
        scope=Scope(settings.conversations.scope),
        max_turns=settings.conversations.max_turns,
        context=ContextOptions(settings.conversations.context_tokens, contexts),
        providers={model: name for name in reversed(names) for model in settings.models_of(name)},
        answer_tokens={
            model: most
            for name in reversed(names)
            if (most := settings.provider(name).max_answer_tokens)
            for model in settings.models_of(name)
        },
    )


def offer(settings: Settings) -> Offer:
    """The providers that can be asked, and their models."""
    return Offer({provider: settings.models_of(provider.name) for provider in settings.configured})


def handler_options(settings: Settings) -> HandlerOptions:
    """What the handlers of commands go by."""
    limit = settings.daily_limits.user
    return HandlerOptions(settings.conversations.max_turns, Limit(limit.tokens, limit.money))


def accounting_options(settings: Settings) -> AccountingOptions:
    """Prices, and what may be spent in a day."""
    person, server = settings.daily_limits.user, settings.daily_limits.server
    return AccountingOptions(
        prices={
            name: Price(model.input_price, model.output_price)
            for name, model in settings.models.items()
            if model.input_price is not None and model.output_price is not None
        },
        person=Limit(person.tokens, person.money),
        guild=Limit(server.tokens, server.money),
    )
