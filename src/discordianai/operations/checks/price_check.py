"""Which models have a price, and how old the table of prices is that comes with the package."""

from collections.abc import Iterator
from datetime import date

from discordianai.conversations.options import AccountingOptions
from discordianai.conversations.prices import bundled, host_of
from discordianai.operations.checks.findings import Figure, Finding, ok, warning
from discordianai.settings.tables import Settings

SUBJECT = "prices"

OLD = 180
"""Days after which the table is old: providers change their prices a few times a year."""

MOST_NAMED = 5
"""Models that a finding names."""


def look(settings: Settings, today: date) -> Iterator[Finding]:
    """The table's age; models without a price; limits in money that are not firm."""
    table = bundled()
    days = max((today - table.as_of).days, 0)
    age = "1 day" if days == 1 else f"{days} days"
    found = f"the price table in this version dates from {table.as_of}, {age} old"
    figures: dict[str, Figure] = {"as_of": table.as_of.isoformat(), "days": days}
    if days > OLD:
        advice = "update DiscordianAI, or set the prices of your models in [models]"
        yield warning(SUBJECT, found, advice, **figures)
    else:
        yield ok(SUBJECT, found, **figures)
    yield from _unpriced(settings)
    yield from _unbounded(settings)


def _unpriced(settings: Settings) -> Iterator[Finding]:
    """A preset of an agent has none: what it costs is told with each answer."""
    hosts = {name: host_of(options.base_url) for name, options in settings.providers.by_name.items()}
    prices = AccountingOptions(settings.models, hosts=hosts, table=bundled())
    unpriced = [
        f"{name} {model}"
        for name, models in ((each.name, offered) for each, offered in settings.models_by_provider.items())
        for model in models
        if prices.price(name, model) is None and not settings.provider(name).is_preset(model)
    ]
    if not unpriced:
        return
    named = ", ".join(unpriced[:MOST_NAMED]) + ", ..." * (len(unpriced) > MOST_NAMED)
    found = f"no price is known for {named}: answers count in tokens only"
    if _limited(settings):
        advice = "set input_price and output_price in [models], or limit tokens: money cannot limit these"
        yield warning(SUBJECT, found, advice, models=len(unpriced))
    else:
        yield ok(SUBJECT, found, models=len(unpriced))


def _unbounded(settings: Settings) -> Iterator[Finding]:
    without = [
        provider.name
        for provider in settings.configured
        if settings.provider(provider.name).max_answer_tokens is None
    ]
    if _limited(settings) and without:
        yield warning(
            SUBJECT,
            f"answers of {', '.join(without)} have no limit, so one may cost more than its question reserves",
            "set max_answer_tokens for each provider, as daily_limits has a limit in money",
        )


def _limited(settings: Settings) -> bool:
    limits = settings.daily_limits
    return limits.user.money is not None or limits.server.money is not None
