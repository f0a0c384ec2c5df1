"""Decides in memory, before the acknowledgement, what becomes of an interaction and who will see the answer.

Discord wants the acknowledgement within three seconds, and a public one cannot become private later: so
nothing here waits.
"""

import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from discordianai.discord import access, buttons
from discordianai.discord.admissions import Admissions, Denial
from discordianai.discord.buttons import Action, Button
from discordianai.discord.interaction import Command, Origin, Press
from discordianai.dispatch.rate_window import RateWindow
from discordianai.dispatch.refusals import in_seconds
from discordianai.model import Person, ProviderName, Question, ReplyAddress
from discordianai.settings import Settings

LONGEST_PROMPT = 6000
"""Characters; Discord's own limit for a text option."""

GO_ON = "Go on where you stopped."

EMPTY = "There is no question in that. Write it after `{option}:`."
TOO_LONG = f"That is too long. A question may have {LONGEST_PROMPT} characters."
BUSY = "I have too many questions open right now. Please try again in a minute."
STOPPING = "I am being restarted. Please ask again in a minute."
OWN_LINE_FULL = "You have {most} questions open here. Please wait for an answer, or stop one."
UNKNOWN = "I don't know this command any more. Please try again in a few minutes."
OLD_BUTTON = "This button is of an older version of me, and does nothing any more."

_INVISIBLE = {"Cc", "Cf", "Zs", "Zl", "Zp"}
"""Unicode categories that show nothing: control, format (zero width, direction marks), spaces."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Not taken; `reason` is told to the person alone."""

    reason: str


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The question of that interaction is to be stopped; `address` is that of whoever wants it."""

    interaction_id: int
    address: ReplyAddress


Decision = Question | Refusal | Withdrawal


class Gate:
    """Who gets in. Lives on the listener's thread.

    `numbers` count the questions, `clock` tells monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        admissions: Admissions,
        numbers: Iterator[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rules = settings.discord
        self._providers = settings.providers
        self._admissions = admissions
        self._clock = clock
        person, server = settings.rate_limits.user, settings.rate_limits.server
        self._most_open = person.in_flight + person.waiting
        self._person_window = RateWindow(person.questions, person.per_seconds)
        self._server_window = RateWindow(server.questions, server.per_seconds)
        self._numbers = numbers

    def decide(self, done: Command | Press) -> Decision:
        """What becomes of it. A question that is taken has been admitted: it must be released."""
        if reason := access.refusal(done.origin, self._rules):
            return Refusal(reason)
        return self._press(done) if isinstance(done, Press) else self._command(done)

    def _command(self, command: Command) -> Decision:
        if command.name == "ask":
            prompt, provider = command.options.get("prompt", ""), _provider(command)
        elif command.name == "search":
            prompt, provider = command.options.get("query", ""), ProviderName.PERPLEXITY
        else:
            return Refusal(UNKNOWN)
        text = str(prompt)
        if all(unicodedata.category(character) in _INVISIBLE for character in text):
            return Refusal(EMPTY.format(option="query" if command.name == "search" else "prompt"))
        if len(text) > LONGEST_PROMPT:
            return Refusal(TOO_LONG)
        private = bool(command.options.get("private", False))
        return self._question(command.origin, command.origin.person, text.strip(), provider, private=private)

    def _press(self, press: Press) -> Decision:
        button = buttons.read(press.custom_id)
        if button is None:
            return Refusal(OLD_BUTTON)
        if not access.may_press(press.origin, button, self._rules):
            return Refusal(access.NOT_YOURS)
        if button.action is Action.STOP:
            return Withdrawal(button.interaction_id, _address(press.origin, private=True))
        return self._question(press.origin, _asker(press, button), GO_ON, None, private=press.private)

    def _question(
        self, origin: Origin, person: Person, text: str, provider: ProviderName | None, *, private: bool
    ) -> Question | Refusal:
        if provider is not None and provider not in self._providers:
            return Refusal(f"{provider.label} is not set up on this bot. Its operator has to put that right.")
        if reason := self._too_many(origin):
            return Refusal(reason)
        if denial := self._admissions.admit(person.id):
            return Refusal(self._words(denial))
        self._count(origin)
        return Question(
            number=next(self._numbers),
            text=text,
            person=person,
            place=origin.place,
            provider=provider,
            address=_address(origin, private=private),
        )

    def _too_many(self, origin: Origin) -> str | None:
        """Both windows are asked before either counts, so that a refused question costs nothing."""
        now, guild_id = self._clock(), origin.place.guild_id
        if wait := self._person_window.wait(origin.person.id, now):
            return f"That's a lot of questions. Please wait {in_seconds(wait)}."
        if guild_id is not None and (wait := self._server_window.wait(guild_id, now)):
            return f"This server asks a lot of questions. Please wait {in_seconds(wait)}."
        return None

    def _count(self, origin: Origin) -> None:
        now = self._clock()
        self._person_window.take(origin.person.id, now)
        if origin.place.guild_id is not None:
            self._server_window.take(origin.place.guild_id, now)

    def _words(self, denial: Denial) -> str:
        if denial is Denial.OWN_LINE_FULL:
            return OWN_LINE_FULL.format(most=self._most_open)
        return STOPPING if denial is Denial.STOPPING else BUSY


def _provider(command: Command) -> ProviderName | None:
    """The provider that was asked for; None where the bot is to choose."""
    choice = str(command.options.get("provider", "auto"))
    return ProviderName(choice) if choice in set(ProviderName) else None


def _asker(press: Press, button: Button) -> Person:
    """Whose conversation goes on: that of who asked, whoever presses."""
    if press.asker is not None and press.asker.id == button.person_id:
        return press.asker
    if press.origin.person.id == button.person_id:
        return press.origin.person
    return Person(button.person_id, "")


def _address(origin: Origin, *, private: bool) -> ReplyAddress:
    return ReplyAddress(
        application_id=origin.application_id,
        interaction_id=origin.interaction_id,
        token=origin.token,
        channel_id=origin.place.channel_id,
        private=private,
        acknowledged_at=time.time(),
    )
