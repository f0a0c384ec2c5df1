"""Asks a provider's model as the bot asks, and finds out what of the request it refuses."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import trio

from discordianai.dispatch.refusals import TooLong
from discordianai.operations.checks.findings import Finding, ok, problem, warning
from discordianai.providers.errors import (
    AuthenticationFailed,
    BadRequest,
    EndpointNotFound,
    FileRefused,
    MalformedAnswer,
    ModelNotFound,
    PermissionDenied,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ToolsRefused,
)
from discordianai.providers.port import ChatProvider, End, TextDelta
from discordianai.records import ChatRequest, ToolCall, Turn
from discordianai.settings.secret_sources import key_of

SLOW = 10.0
"""Seconds until the first token that people take for a bot that hangs."""

_PARAM = re.compile(r"param ([\w.\[\]-]+)", re.ASCII)
TOOLS, IMAGES = "tools", "images"


class LeftOutField(Protocol):
    """A field that requests for one model are sent without, because its endpoint refuses it."""

    @property
    def model(self) -> str:
        """The model."""

    @property
    def field(self) -> str:
        """Its name, for operators."""


class RefusalMemory(Protocol):
    """What a provider's client has learned of what its endpoint refuses."""

    def left_out(self, provider: str) -> Sequence[LeftOutField]:
        """All that is left out at the provider of that name."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The first token came after so many `seconds`; the request had to go without `refused`."""

    seconds: float
    refused: tuple[str, ...] = ()


async def ask(provider: ChatProvider, request: ChatRequest) -> Answered:
    """Ask as the bot does, then without what the model may refuse. Raises `ProviderError`."""
    try:
        return Answered(await _first_token(provider, request))
    except BadRequest as error:
        for refused in _suspects(request, error):
            try:
                seconds = await _first_token(provider, _without(request, refused))
            except BadRequest:
                continue
            return Answered(seconds, refused)
        raise


def _suspects(request: ChatRequest, error: BadRequest) -> Iterator[tuple[str, ...]]:
    """What may be refused, the likeliest first; nothing where the error names something else."""
    named = _PARAM.search(error.detail)
    told = isinstance(error, ToolsRefused | FileRefused)
    if named and not told and not any(part in named[1] for part in ("tool", "image", "content")):
        return
    tools = [TOOLS] if request.tools else []
    pictures = [IMAGES] if request.turns[-1].images else []
    single = [*pictures, *tools] if isinstance(error, FileRefused) else [*tools, *pictures]
    yield from ((suspect,) for suspect in single)
    if len(single) > 1:
        yield (TOOLS, IMAGES)


def _without(request: ChatRequest, refused: Sequence[str]) -> ChatRequest:
    turns: tuple[Turn, ...] = request.turns
    if IMAGES in refused:
        turns = (*turns[:-1], replace(turns[-1], images=()))
    return replace(request, turns=turns, tools=() if TOOLS in refused else request.tools)


async def _first_token(provider: ChatProvider, request: ChatRequest) -> float:
    """Seconds until it, or a call of a tool, comes.

    Leaving makes the provider stop: no more is paid. Raises `ProviderError`.
    """
    began = trio.current_time()
    async with provider.stream(request) as events:
        async for event in events:
            if isinstance(event, TextDelta | ToolCall | End):
                break
    return trio.current_time() - began


def judge_answer(
    subject: str,
    provider: ChatProvider,
    model: str,
    answered: Answered,
    protocol: str,
    patience: float,
    left_out: Sequence[str] = (),
) -> Iterator[Finding]:
    """What an answer shows.

    `patience` is the seconds after which the bot gives up; `left_out` are the fields that the client itself
    has left out.
    """
    name, label = provider.provider.name, provider.provider.label
    found = f"{model} answers after {answered.seconds:.1f} s, over {protocol}"
    seconds = round(answered.seconds, 3)
    if answered.seconds > min(SLOW, patience / 2):
        yield warning(
            subject,
            f"{found}; the bot gives up after {patience:g} s",
            f"people wait that long: choose a faster model or less reasoning_effort in [providers.{name}],"
            " or raise first_token_timeout",
            seconds=seconds,
            model=model,
            protocol=protocol,
        )
    else:
        yield ok(subject, found, seconds=seconds, model=model, protocol=protocol)
    if TOOLS in {*answered.refused, *left_out}:
        yield warning(
            f"{name} tools",
            f"{model} refuses function tools, so that it cannot hand a search to another provider",
            f"choose a model that takes them, or set tools = false in [providers.{name}]:"
            " the bot then decides by rules who answers",
            model=model,
        )
    if IMAGES in answered.refused:
        yield problem(
            f"{name} images",
            f"{model} refuses images: people who send one get no answer from {label}",
            f"set images = false in [providers.{name}], or choose a model that takes them",
            model=model,
        )
    if left_out:
        yield warning(
            f"{name} fields",
            f"{model} is asked without {', '.join(left_out)}: the endpoint refuses that",
            "nothing: the bot leaves it out, and tries again every 24 hours",
            model=model,
            fields=", ".join(left_out),
        )


def judge_refusal(subject: str, error: ProviderError, model: str) -> Finding:
    """What to do about a request that failed."""
    name, label = error.provider.name, error.provider.label
    table, detail = f"[providers.{name}]", f"({error.detail})"
    match error:
        case QuotaExhausted():
            return problem(subject, f"the account has no credit left {detail}", f"top it up at {label}")
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
        case TooLong():
            advice = "shorten instructions in [assistant], or raise context_tokens"
            return problem(subject, f"the instructions leave {model} no room for a question {detail}", advice)
        case BadRequest():
            return problem(subject, f"the request is refused {detail}", f"check the keys of {table}")
        case MalformedAnswer():
            advice = f"check base_url and dialect in {table}, and any proxy on the way"
            return problem(subject, f"the response is not an answer {detail}", advice)
    return problem(subject, f"{error.what_happened} {detail}", "try again; check the provider's status page")
