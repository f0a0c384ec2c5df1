"""Faults that a person can switch on and off by name, of the providers and of Discord."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from discordianai.sandbox.discord.gateway_faults import FAULTS as GATEWAY_FAULTS
from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers.provider_faults import MARKERS, Fault, FaultKind

Action = Callable[[Sandbox], None]

NEXT_QUESTION, PROVIDERS, API, GATEWAY = "Next question", "Providers", "Discord's API", "Discord's gateway"

_MARKED: Mapping[str, str] = {
    "!429": "429, to be tried again in 5 s",
    "!quota": "no credit left",
    "!401": "wrong key",
    "!500": "500",
    "!503": "503: overloaded",
    "!slowdown": "429: slow down",
    "!toolong": "the conversation is too long",
    "!policy": "the question is refused by policy",
    "!stall": "nothing more is sent, in the middle of the answer",
    "!cut": "the stream is reset in the middle",
    "!abort": "the connection is cut, with every stream on it",
    "!error": "an error event in the stream",
    "!quotastream": "the credit ends in the stream",
    "!failed": "200, but failed",
    "!empty": "an answer without text",
    "!length": "the answer is cut at the token limit",
    "!thoughtonly": "the token limit is used up by thinking",
    "!filter": "the answer is cut by the content filter",
    "!refusal": "the model declines",
    "!two": "a commentary before the answer",
    "!reasoning": "visible reasoning first",
    "!searches": "the model searches twice",
    "!clash": "two searches with clashing numbers",
    "!uncited": "a search whose sources are not cited",
    "!nosources": "no search, although one is required",
    "!notools": "tools are refused",
    "!noimages": "images are refused",
    "!nofiles": "files are refused",
    "!slow": "the tokens come slowly",
}

_REST: Mapping[str, tuple[str, Action]] = {
    "limit-discord": ("a global 429 for 10 s", lambda sandbox: sandbox.discord.limit_globally(10)),
    "ban-address": ("Cloudflare bans the bot's address for 10 s", lambda sandbox: sandbox.discord.ban(10)),
    "fail-edits": (
        "503 for the next three edits",
        lambda sandbox: sandbox.discord.fail_next("/webhooks/", 503, 3),
    ),
}

_CONNECTION: Mapping[str, tuple[str, Action]] = {
    "drop-gateway": (
        "closed; the session can be resumed",
        lambda sandbox: sandbox.discord.drop_gateway(resumable=True),
    ),
    "end-session": (
        "closed; the session is forgotten",
        lambda sandbox: sandbox.discord.drop_gateway(resumable=False),
    ),
    "freeze-gateway": ("nothing more is sent or read", lambda sandbox: sandbox.discord.freeze_gateway()),
}


@dataclass(frozen=True, slots=True)
class Switch:
    """A fault by its name. `off` is None where it ends by itself."""

    name: str
    group: str
    help: str
    on: Action
    off: Action | None = None


def _switches() -> Iterator[Switch]:
    for marker, fault in MARKERS.items():
        name = marker.removeprefix("!")
        yield Switch(name, NEXT_QUESTION, _MARKED[marker], partial(_misbehave, fault))
    down = Fault(FaultKind.STATUS, status=503, code="server_is_overloaded")
    for provider in ("openai", "perplexity"):
        yield Switch(
            f"{provider}-down",
            PROVIDERS,
            "503 for every question",
            partial(_outage, provider, down),
            partial(_outage, provider, None),
        )
    for name, (told, action) in _REST.items():
        yield Switch(name, API, told, action)
    for name, (told, action) in _CONNECTION.items():
        yield Switch(name, GATEWAY, told, action)
    for name, gateway in GATEWAY_FAULTS.items():
        code = f" {gateway.code}" if gateway.code else ""
        told = f"at {gateway.moment.name.lower()}: {gateway.action.name.lower()}{code}"
        yield Switch(name, GATEWAY, told, partial(_break_gateway, name), _heal_gateway)


def _misbehave(fault: Fault, sandbox: Sandbox) -> None:
    """At whichever provider is asked next; those that are not asked forget it with the next one."""
    for service in sandbox.providers:
        for earlier in MARKERS.values():
            service.withdraw(earlier)
        service.misbehave(fault)


def _outage(provider: str, fault: Fault | None, sandbox: Sandbox) -> None:
    services = {"openai": sandbox.openai, "perplexity": sandbox.perplexity}
    services[provider].outage = fault


def _break_gateway(name: str, sandbox: Sandbox) -> None:
    """From now on: a new connection meets it, so the old one is closed."""
    sandbox.discord.break_gateway(name)
    sandbox.discord.drop_gateway(resumable=True)


def _heal_gateway(sandbox: Sandbox) -> None:
    sandbox.discord.heal_gateway()


SWITCHES: Mapping[str, Switch] = {switch.name: switch for switch in _switches()}
"""Every fault, by its name."""


class FaultPanel:
    """Which faults are on."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._on: set[str] = set()

    @property
    def active(self) -> tuple[str, ...]:
        """Those that last until they are switched off."""
        return tuple(name for name in SWITCHES if name in self._on)

    def switch(self, name: str, *, on: bool = True) -> Switch:
        """Switch a fault on or off. Raises `ValueError` for an unknown name."""
        switch = SWITCHES.get(name)
        if switch is None:
            raise ValueError(f"There is no fault {name}. There are {', '.join(SWITCHES)}.")
        if not on and switch.off is None:
            raise ValueError(f"{name} ends by itself.")
        if on and switch.off is _heal_gateway:
            self._on -= {name for name in self._on if SWITCHES[name].off is _heal_gateway}  # one at a time
        if on:
            switch.on(self._sandbox)
        elif switch.off is not None:
            switch.off(self._sandbox)
        self._on -= {name}
        if on and switch.off is not None:
            self._on |= {name}
        self._sandbox.discord.note_change()
        return switch

    def heal(self) -> None:
        """Switch off every fault that lasts, and forget those that no question has met."""
        for name in self.active:
            self.switch(name, on=False)
        for service in self._sandbox.providers:
            for fault in MARKERS.values():
                service.withdraw(fault)
        self._sandbox.discord.clear_failures()
        self._sandbox.discord.note_change()
