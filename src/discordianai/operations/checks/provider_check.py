"""A provider: its connection, its models, and the first token of an answer through the bot's own client and
pool.
"""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import partial
from urllib.parse import urlsplit

import httpx
import trio

from discordianai.dispatch.budget import BudgetOptions
from discordianai.operations.checks.answer_check import RefusalMemory, ask, judge_answer, judge_refusal
from discordianai.operations.checks.bot_request import bot_request
from discordianai.operations.checks.findings import Figure, Finding, ok, problem, warning
from discordianai.operations.checks.online_check import (
    CheckContext,
    ResponseObserver,
    Tell,
    bounded,
)
from discordianai.operations.checks.reach import Connected, Unreachable, address, reach
from discordianai.providers.client import make_provider
from discordianai.providers.errors import EndpointNotFound, ModelNotFound, ProviderError
from discordianai.providers.limits import rate_limits
from discordianai.providers.model_list import ENDS_SOON, ListedModel, list_models
from discordianai.providers.optional_fields import RefusedFields
from discordianai.providers.options import DIALECTS_BY_HOST, ProviderOptions
from discordianai.providers.port import ChatProvider
from discordianai.records import Dialect, Provider, Quota, RateLimits
from discordianai.settings.tables import Settings
from discordianai.transport.clients import build_client
from discordianai.transport.proxy_rules import Proxies, Proxy

MOST_NAMED = 5


def judge_ends(
    provider: str, in_use: Iterable[str], listed: Iterable[ListedModel], today: date | None = None
) -> Iterator[Finding]:
    """A finding for each model in use that has a `shutdown_date`; a problem if that is soon."""
    today = today or datetime.now(UTC).date()
    ends = {model.id: model.shutdown for model in listed if model.shutdown is not None}
    for model in in_use:
        if (day := ends.get(model)) is None:
            continue
        left = (day - today).days
        when = f"in {left} days, on {day}" if left > 1 else "tomorrow" if left == 1 else f"on {day}"
        verdict = problem if left < ENDS_SOON else warning
        yield verdict(
            f"{provider} model",
            f"{model} is shut down {when}" if left > 0 else f"{model} was to be shut down on {day}",
            f"choose another model in [providers.{provider}] before that",
            model=model,
            day=day.isoformat(),
            days_left=left,
        )


def alternatives(model: str, listed: Collection[ListedModel]) -> str:
    """Models that the provider lists, those with similar names first; empty where it lists none."""
    names = [one.id for one in listed]
    similar = get_close_matches(model, names, MOST_NAMED, 0.5)
    return ", ".join(similar or names[:MOST_NAMED])


MOST_MODELS = 10
"""Models of one provider that are asked: each costs a question."""

LIST_TIMEOUT = 5.0
"""Seconds for the list of models: its absence is no problem."""

RATE_HEADER = re.compile(r"x-ratelimit-|ratelimit|retry-after|anthropic-ratelimit-", re.IGNORECASE)
LONGEST_VALUE, MOST_HEADERS = 40, 12


class ProviderCheck:
    """Asks one of them."""

    def __init__(self, provider: Provider, settings: Settings, context: CheckContext) -> None:
        self.name = provider.name
        self._settings = settings
        self._context = context
        self._connected = False
        self._listed: Sequence[ListedModel] | None = None
        self._refusals: RefusalMemory | None = None  # that of the client, once there is one

    async def connect(self, tell: Tell) -> None:
        """See `OnlineCheck.connect`."""
        url = self._settings.provider(self.name).base_url
        proxies = Proxies.of_environment()
        try:
            reached = await reach(url, self._context.ssl_context, proxies)
        except Unreachable as error:
            tell(problem(f"{self.name} connection", str(error), error.advice))
            return
        self._connected = True
        parts = urlsplit(url)
        proxy = proxies.choose(parts.scheme, parts.hostname or "", parts.port)
        tell(_connection(self.name, url, proxy, reached, http2=self._context.http2))

    async def ask(self, seconds: float, tell: Tell) -> None:
        """Have each model in use answer a question, where there is a connection."""
        if not self._connected:
            return
        options = replace(self._settings.pool(self.name), max_connections=1, max_keepalive=1)
        table = self._settings.provider(self.name)
        client = build_client(self.name, options, table.read_timeout, http2=self._context.http2)
        observer = ResponseObserver(client.http)
        tell(_dialect(self.name, table))
        async with client.http:
            self._refusals = refused = RefusedFields()
            provider = make_provider(client.http, self._settings.record(self.name), table, refused)
            listing = partial(self._list, client.http, seconds)
            for number, model in enumerate(table.all_models[:MOST_MODELS]):
                subject = f"{self.name} answer" if number == 0 else f"{self.name} answer ({model})"
                have_answered = partial(self._have_answered, subject, provider, model, observer, listing)
                await bounded(subject, seconds, have_answered, tell)
                if number == 0:
                    for finding in self._told_by(observer):
                        tell(finding)
            for finding in judge_ends(self.name, table.all_models, await listing()):
                tell(finding)

    async def _have_answered(
        self,
        subject: str,
        provider: ChatProvider,
        model: str,
        observer: ResponseObserver,
        listing: Callable[[], Awaitable[Sequence[ListedModel]]],
        tell: Tell,
    ) -> None:
        record, table = provider.provider, self._settings.provider(self.name)
        try:
            answered = await ask(provider, bot_request(self._settings, record, model))
        except (ModelNotFound, EndpointNotFound) as error:
            tell(await self._not_found(subject, error, model, listing))
        except ProviderError as error:
            tell(judge_refusal(subject, error, model))
        else:
            patience = max(table.first_token_timeout, table.read_timeout)
            findings = judge_answer(
                subject, provider, model, answered, observer.protocol, patience, self._left_out(model)
            )
            for finding in findings:
                tell(finding)

    def _left_out(self, model: str) -> tuple[str, ...]:
        """What the client has left out of its requests for that model."""
        fields = self._refusals.left_out(self.name) if self._refusals is not None else ()
        return tuple(one.field for one in fields if one.model == model)

    async def _not_found(
        self,
        subject: str,
        error: ProviderError,
        model: str,
        listing: Callable[[], Awaitable[Sequence[ListedModel]]],
    ) -> Finding:
        """Many endpoints answer 404 alike to a wrong path and to a model that they lack: their list tells."""
        listed = await listing()
        chat = (
            error.provider.dialect is Dialect.CHAT
        )  # the others say which; an agent's presets aren't listed
        if chat and listed and model not in {one.id for one in listed}:
            error = ModelNotFound(error.provider, error.detail)
        finding = judge_refusal(subject, error, model)
        if isinstance(error, ModelNotFound) and (others := alternatives(model, listed)):
            return replace(finding, advice=f"{finding.advice}; it lists {others}")
        if isinstance(error, EndpointNotFound):
            url = self._settings.provider(self.name).base_url
            return replace(
                finding, found=f"{finding.found}: {address(url)}", advice=f"{finding.advice}{_version(url)}"
            )
        return finding

    async def _list(self, client: httpx.AsyncClient, seconds: float) -> Sequence[ListedModel]:
        """What the provider lists; nothing where it does not, or not in time. Asked for once."""
        if self._listed is None:
            self._listed = ()
            with trio.move_on_after(min(seconds, LIST_TIMEOUT)), suppress(ProviderError):
                table = self._settings.provider(self.name)
                self._listed = await list_models(client, self._settings.record(self.name), table)
        return self._listed

    def _told_by(self, observer: ResponseObserver) -> Iterator[Finding]:
        """What the headers of the answer say: the clock, and the limits."""
        if observer.sample is not None:
            self._context.samples[self.name] = observer.sample
        if observer.headers:
            yield _limit_headers(self.name, observer)
        yield from _limits(self.name, observer, self._settings.rate_limit(self.name))


def _dialect(name: str, table: ProviderOptions) -> Finding:
    """Which dialect is spoken, and why."""
    host = urlsplit(table.base_url).hostname or ""
    if table.dialect != "auto":
        why = f"as set in [providers.{name}]"
    elif host in DIALECTS_BY_HOST:
        why = f"by the host {host}"
    else:
        why = f"the default for the host {host}"
    return ok(f"{name} dialect", f"{table.spoken.value}, {why}", dialect=table.spoken.value)


def _version(url: str) -> str:
    """A hint for the usual mistake."""
    last = url.rpartition("/")[2]
    versioned = re.fullmatch(r"v[0-9]+(beta|alpha)?|openai", last) is not None
    return "" if versioned else "; most addresses end in a version, such as /v1"


def _limit_headers(name: str, observer: ResponseObserver) -> Finding:
    """The headers about rate limits, as they came."""
    seen = {key: value for key, value in observer.headers.items() if RATE_HEADER.match(key)}
    if not seen:
        return ok(f"{name} headers", "no rate limit in them: [rate_limits] alone counts")
    shown = [f"{key}: {value[:LONGEST_VALUE]}" for key, value in sorted(seen.items())[:MOST_HEADERS]]
    return ok(f"{name} headers", "; ".join(shown), count=len(seen))


def _connection(name: str, url: str, proxy: Proxy | None, reached: Connected, *, http2: bool) -> Finding:
    """Which protocol it will be, and why."""
    if url.startswith("http://"):
        protocol = "HTTP/1.1, because the address begins with http://"
    elif not http2:
        protocol = "HTTP/1.1, because the package h2 is not installed"
    elif reached.protocol != "h2":
        protocol = "HTTP/1.1, because the server does not offer HTTP/2"
    else:
        protocol = "HTTP/2"
    where = address(url) if proxy is None else f"{address(url)}, through the proxy {proxy},"
    found = (
        f"{where} accepted a connection in {reached.seconds * 1000:.0f} ms, {reached.tls or 'without TLS'}"
    )
    seconds = round(reached.seconds, 4)
    return ok(
        f"{name} connection", f"{found}; {protocol}", seconds=seconds, protocol=protocol.partition(",")[0]
    )


def _limits(name: str, observer: ResponseObserver, ours: BudgetOptions) -> list[Finding]:
    """Compare the limits in the headers with the settings."""
    told = rate_limits(observer.headers)
    if told is None:
        return []
    findings = []
    for key, quota in _for_a_minute(told).items():
        subject, setting = f"{name} limits", getattr(ours, key)
        figures: dict[str, Figure] = {"key": key, "setting": setting, "allowed": quota.limit}
        if setting is not None and setting > quota.limit:
            found = f"{key} is {setting:,}, and the account allows {quota.limit:,}"
            advice = f"{key} = {quota.limit} in [rate_limits.{name}]"
            findings.append(warning(subject, found, advice, **figures))
        else:
            said = "not set" if setting is None else f"{setting:,}"
            found = f"{key} is {said}; the account allows {quota.limit:,}, {quota.remaining:,} are left"
            findings.append(ok(subject, found, **figures))
    if (second := told.requests_per_second) is not None:
        findings.append(_at_once(f"{name} limits", second.limit, ours, name))
    return findings


def _for_a_minute(told: RateLimits) -> dict[str, Quota]:
    quotas = {"requests_per_minute": told.requests, "tokens_per_minute": told.tokens}
    return {key: quota for key, quota in quotas.items() if quota is not None}


def _at_once(subject: str, allowed: int, ours: BudgetOptions, name: str) -> Finding:
    """Where the account counts by the second, `burst` is what has to fit."""
    figures: dict[str, Figure] = {"key": "burst", "setting": ours.burst, "allowed": allowed}
    if ours.burst is not None and ours.burst > allowed:
        found = f"burst is {ours.burst:,}, and the account allows {allowed:,} a second"
        return warning(subject, found, f"burst = {allowed} in [rate_limits.{name}]", **figures)
    said = "not set" if ours.burst is None else f"{ours.burst:,}"
    noun = "request" if allowed == 1 else "requests"
    return ok(subject, f"burst is {said}; the account allows {allowed:,} {noun} a second", **figures)
