"""One person who does everything that can be done, beside people who use the bot as people do."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import trio

from benchmarks.answers import labels
from discordianai.sandbox.discord import CHANNELS, Interaction, LocalDiscord, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say, type_into, upload
from discordianai.sandbox.launcher import Sandbox

RATE = 20.0
"""Things that the person does in a second."""

FIRST = 20_000_000
"""They are numbered from here on."""

ACTS = ("ask", "command", "mention", "press", "complete", "send_file")
"""What the person does: long questions, commands, mentions, buttons, autocompletion, files."""

FLOODER = person(9_999)
AT_BOT = f"<@{BOT.id}>"


@dataclass
class Flooder:
    """One person who does everything that can be done, again and again, without a pause."""

    sandbox: Sandbox
    chance: random.Random
    note: Callable[[str, Interaction], None]
    rate: float = RATE
    acts: Sequence[str] = ACTS
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(FIRST))
    done: int = 0

    async def flood(self, seconds: float) -> None:
        """For so long."""
        acts = [getattr(self, f"_{name}") for name in self.acts]
        began = trio.current_time()
        for number in range(1, int(seconds * self.rate) + 1):
            await trio.sleep_until(began + number / self.rate)
            self.chance.choice(acts)()
            self.done += 1

    @property
    def _discord(self) -> LocalDiscord:
        return self.sandbox.discord

    def _invoke(self, command: str, options: dict[str, object], prompt: str) -> None:
        channel = self.chance.choice(CHANNELS)
        self.note(prompt, self._discord.invoke_now(command, options, user=FLOODER, channel=channel))

    def _ask(self) -> None:
        number = next(self.numbers)
        self._invoke("ask", {"prompt": f"number {number}? " + "word " * 1_190}, f"long {number}")

    def _command(self) -> None:
        name = self.chance.choice(("help", "history", "usage", "export", "reset", "status"))
        if name in self._discord.commands:
            self._invoke(name, {}, f"{name} {next(self.numbers)}")

    def _mention(self) -> None:
        number = next(self.numbers)
        say(
            self._discord,
            f"{AT_BOT} and number {number}?",
            user=FLOODER,
            channel=self.chance.choice(CHANNELS),
        )

    def _press(self) -> None:
        """A button under somebody's newest answer, or of a message that has none any more."""
        shown = [i.messages[-1] for i in self._discord.interactions.values() if i.messages]
        shown = [message for message in shown[-50:] if labels([message])]
        if shown:
            message = self.chance.choice(shown)
            number = next(self.numbers)
            pressed = self._discord.press(message, self.chance.choice(labels([message])), FLOODER)
            self.note(f"button {number}", pressed)

    def _complete(self) -> None:
        number = next(self.numbers)
        typed = type_into(self._discord, "ask", "model", "g" * (number % 100), user=FLOODER)
        self.note(f"completion {number}", typed)

    def _send_file(self) -> None:
        number = next(self.numbers)
        file = upload(self._discord, f"file{number}.txt", b"word " * 40_000)
        while len(self._discord.uploads) > 50:
            del self._discord.uploads[next(iter(self._discord.uploads))]
        self._invoke("ask", {"prompt": f"number {number}?", "file": file}, f"file {number}")
