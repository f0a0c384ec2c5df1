"""A provider: its connection, its models, and the first token of an answer through the bot's own client and
pool.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import quote, urlsplit

import httpx
import trio

from discordianai.dispatch.budget import BudgetOptions
from discordianai.operations.checks.findings import Figure, Finding, ok, problem, warning
from discordianai.operations.checks.online_check import (
    CheckContext,
    ResponseObserver,
    Tell,
    bounded,
)
from discordianai.operations.checks.reach import Connected, Unreachable, address, reach
from discordianai.providers.client import make_provider
from discordianai.providers.endpoint import ProviderEndpoint
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    EndpointNotFound,
    MalformedAnswer,
    ModelNotFound,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
)
from discordianai.providers.json_values import text
from discordianai.providers.limits import rate_limits
from discordianai.providers.port import ChatProvider, End, TextDelta
from discordianai.records import ChatRequest, Dialect, Provider, Quota, RateLimits, Role, Turn
from discordianai.settings.file import key_of
from discordianai.settings.tables import Settings
from discordianai.transport.clients import build_client
from discordianai.transport.proxy_rules import Proxies, Proxy

SECONDS = 5.0
"""For all of them: informational: its absence is no problem."""


async def tell_of_ends(name: str, endpoint: ProviderEndpoint, models: Iterable[str], tell: Tell) -> None:
    """A warning for each model of the provider `name` that has a `shutdown_date`, as OpenAI lists it."""
    with trio.move_on_after(SECONDS):
        for model in models:
            try:
                day = text(await endpoint.get(f"/models/{quote(model, safe='')}"), "shutdown_date")
            except (httpx.HTTPError, ProviderError):
                return
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
                advice = f"choose another model in [providers.{name}]"
                tell(warning(f"{name} model", f"{model} is shut down on {day}", advice, model=model, day=day))


QUESTION = "Say: ok"


class ProviderCheck:
    """Asks one of them."""

    def __init__(self, provider: Provider, settings: Settings, means: CheckContext) -> None:
        self.name = provider.name
        self._settings = settings
        self._means = means
        self._connected = False

    async def connect(self, tell: Tell) -> None:
        """See `OnlineCheck.connect`."""
        url = self._settings.provider(self.name).base_url
        proxies = Proxies.of_environment()
        try:
            reached = await reach(url, self._means.context, proxies)
        except Unreachable as error:
            tell(problem(f"{self.name} connection", str(error), error.advice))
            return
        self._connected = True
        parts = urlsplit(url)
        proxy = proxies.choose(parts.scheme, parts.hostname or "", parts.port)
        tell(_connection(self.name, url, proxy, reached, http2=self._means.http2))

    async def ask(self, seconds: float, tell: Tell) -> None:
        """Have a question answered, where there is a connection."""
        if self._connected:
            await bounded(f"{self.name} answer", seconds, self._have_answered, tell)

    async def _have_answered(self, tell: Tell) -> None:
        options = replace(self._settings.pool(self.name), max_connections=1, max_keepalive=1)
        table = self._settings.provider(self.name)
        model = table.usual_model
        client = build_client(self.name, options, table.read_timeout, http2=self._means.http2)
        witness = ResponseObserver(client.http)
        provider = self._settings.record(self.name)
        async with client.http:
            began = trio.current_time()
            try:
                await _first_token(make_provider(client.http, provider, table))
            except ProviderError as error:
                tell(_refusal(error, model))
            else:
                seconds = trio.current_time() - began
                found = f"{model} answers after {seconds:.1f} s, over {witness.protocol}"
                figures = {"model": model, "protocol": witness.protocol}
                tell(ok(f"{self.name} answer", found, seconds=round(seconds, 3), **figures))
            if witness.sample is not None:
                self._means.samples[self.name] = witness.sample
            for finding in _limits(self.name, witness, self._settings.rate_limit(self.name)):
                tell(finding)
            if provider.dialect is Dialect.RESPONSES:
                models = dict.fromkeys(table.all_models)
                await tell_of_ends(self.name, ProviderEndpoint(client.http, provider, table), models, tell)


async def _first_token(provider: ChatProvider) -> None:
    """Wait for it, and leave, which makes the provider stop: no more is paid. Raises `ProviderError`."""
    async with provider.stream(ChatRequest(provider.model, (Turn(Role.USER, QUESTION),))) as events:
        async for event in events:
            if isinstance(event, TextDelta | End):
                return


def _connection(name: str, url: str, proxy: Proxy | None, reached: Connected, *, http2: bool) -> Finding:
    """Which protocol it will be, and why."""
    if url.startswith("http://"):
        protocol = "HTTP/1.1, as the address begins with http://"
    elif not http2:
        protocol = "HTTP/1.1, as the package h2 is not installed"
    elif reached.protocol != "h2":
        protocol = "HTTP/1.1, as the server does not offer HTTP/2"
    else:
        protocol = "HTTP/2"
    where = address(url) if proxy is None else f"{address(url)}, through the proxy {proxy},"
    found = f"{where} takes a connection in {reached.seconds * 1000:.0f} ms, {reached.tls or 'without TLS'}"
    seconds = round(reached.seconds, 4)
    return ok(
        f"{name} connection", f"{found}; {protocol}", seconds=seconds, protocol=protocol.partition(",")[0]
    )


def _refusal(error: ProviderError, model: str) -> Finding:
    """The advice for a request that failed."""
    name, label = error.provider.name, error.provider.label
    table, subject, detail = f"[providers.{name}]", f"{name} answer", f"({error.detail})"
    match error:
        case QuotaExhausted():
            return problem(subject, f"the account is used up {detail}", f"top it up at {label}")
        case PermissionDenied():
            advice = f"give the key and its project access to {model}, or set another model in {table}"
            return problem(subject, f"the key is not permitted to do this {detail}", advice)
        case AuthenticationFailed():
            key = key_of(name)
            advice = (
                f"replace the rejected key: the credential {key.credential},"
                f" {key.variable} in the environment, or {key.path} in the file"
            )
            return problem(subject, f"the key is rejected {detail}", advice)
        case RateLimited():
            advice = f"lower [rate_limits.{name}], or find out who else uses the key"
            return warning(subject, f"the account is at its limit right now {detail}", advice)
        case ModelNotFound():
            advice = f"set model in {table} to one that the account may use"
            return problem(
                subject, f"the model {model} does not exist, or this account may not use it {detail}", advice
            )
        case EndpointNotFound():
            advice = f"check base_url and dialect in {table}"
            return problem(subject, f"the address does not offer this API {detail}", advice)
        case BadRequest():
            return problem(subject, f"the request is refused {detail}", f"check the keys of {table}")
        case MalformedAnswer():
            advice = f"check base_url and dialect in {table}, and any proxy on the way"
            return problem(subject, f"the response is not an answer {detail}", advice)
    return problem(subject, f"{error.what_happened} {detail}", "try again; check the provider's status page")


def _limits(name: str, witness: ResponseObserver, ours: BudgetOptions) -> list[Finding]:
    """Compare the limits in the headers with the settings."""
    told = rate_limits(witness.headers)
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
