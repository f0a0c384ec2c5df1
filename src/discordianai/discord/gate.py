"""Decides in memory, before the acknowledgement, whether a question is taken and who will see the answer.

Discord wants the acknowledgement within three seconds, and a public one cannot become private later: so
nothing here waits.
"""

import itertools
import math
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from discordianai.discord import access
from discordianai.discord.admissions import Admissions
from discordianai.discord.interaction import Invocation
from discordianai.dispatch.rate_window import RateWindow
from discordianai.model import ProviderName, Question, ReplyAddress
from discordianai.settings import Settings

LONGEST_PROMPT = 6000
"""Characters; Discord's own limit for a text option."""

EMPTY = "There is no question in that. Write it after `prompt:`."
TOO_LONG = f"That is too long. A question may have {LONGEST_PROMPT} characters."
BUSY = "I have too many questions open right now. Please try again in a minute."
STOPPING = "I am being restarted. Please ask again in a minute."
UNKNOWN = "I don't know this command any more. Please try again in a few minutes."

_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Unicode categories that show nothing: control, format (zero width, direction marks), spaces."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not taken; `reason` is told to the person alone."""

    reason: str


class Gate:
    """Who gets in. Lives on the listener's thread; `clock` is monotonic seconds."""

    def __init__(
        self, settings: Settings, admissions: Admissions, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rules = settings.discord
        self._providers = settings.providers
        self._admissions = admissions
        self._clock = clock
        limits = settings.rate_limits.user
        self._window = RateWindow(limits.questions, limits.per_seconds)
        self._numbers = itertools.count(1)

    def decide(self, invocation: Invocation) -> Question | Refusal:
        """Take the question or say why not. One that is taken has been admitted: it must be released."""
        reason = access.refusal(invocation, self._rules) or self._malformed(invocation)
        if reason:
            return Refusal(reason)
        if wait := self._window.take(invocation.person.id, self._clock()):
            seconds = math.ceil(wait)
            return Refusal(f"That's a lot of questions. Please wait {seconds} second{'s' * (seconds > 1)}.")
        if not self._admissions.admit():
            return Refusal(STOPPING if self._admissions.closed else BUSY)
        return self._question(invocation)

    def _malformed(self, invocation: Invocation) -> str | None:
        if invocation.command != "ask":
            return UNKNOWN
        prompt = str(invocation.options.get("prompt", ""))
        if all(unicodedata.category(character) in _INVISIBLE for character in prompt):
            return EMPTY
        if len(prompt) > LONGEST_PROMPT:
            return TOO_LONG
        provider = _provider(invocation)
        if provider is not None and provider not in self._providers:
            return f"{provider.label} is not set up on this bot. Leave `provider` out, or ask its operator."
        return None

    def _question(self, invocation: Invocation) -> Question:
        return Question(
            number=next(self._numbers),
            text=str(invocation.options["prompt"]).strip(),
            person=invocation.person,
            place=invocation.place,
            provider=_provider(invocation),
            address=ReplyAddress(
                application_id=invocation.application_id,
                interaction_id=invocation.interaction_id,
                token=invocation.token,
                channel_id=invocation.place.channel_id,
                private=bool(invocation.options.get("private", False)),
                acknowledged_at=time.time(),
            ),
        )


def _provider(invocation: Invocation) -> ProviderName | None:
    """The provider that was asked for; None where the bot is to choose."""
    choice = str(invocation.options.get("provider", "auto"))
    return ProviderName(choice) if choice in set(ProviderName) else None
