"""One person who does everything that can be done, beside people who use the bot as people do."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import trio

from benchmarks.answers import labels
from discordianai.sandbox.discord import CHANNELS, Interaction, LocalDiscord, person
from discordianai.sandbox.discord.api_objects import BOT
from discordianai.sandbox.discord.user_actions import say, type_into, upload, use_menu
from discordianai.sandbox.launcher import Sandbox

RATE = 20.0
"""Things that the person does in a second."""

FIRST = 20_000_000
"""They are numbered from here on."""

ACTS = ("ask", "command", "mention", "press", "complete", "send_file")
"""What the person does: long questions, commands, mentions, buttons, autocompletion, files."""

EVERY_ACT = (*ACTS, "use_menu", "send_form", "forget", "press_nothing", "command_nothing")
"""And what else there is: menus, forms that nobody has opened, deletions, old buttons and old commands."""

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

    def _use_menu(self) -> None:
        number = next(self.numbers)
        name = self.chance.choice(("Ask about this", "Explain", "Summarize", "Translate"))
        text = f"number {number} " + "word " * 300
        self.note(f"{name} {number}", use_menu(self._discord, name, text, user=FLOODER))

    def _send_form(self) -> None:
        number = next(self.numbers)
        field = {"type": 4, "custom_id": "text", "value": f"number {number}?"}
        data = {"custom_id": f"about:{number}", "components": [{"type": 1, "components": [field]}]}
        self.note(f"form {number}", self._discord.interact(5, data, FLOODER, CHANNELS[0]))

    def _forget(self) -> None:
        self._press_id(f"forget:{FLOODER.id}:")

    def _press_nothing(self) -> None:
        ids = (
            "x",
            "stop",
            "stop:1:2",
            f"again:{FLOODER.id}:....",
            "stop:9:9",
            f"page:{FLOODER.id}:-1",
            "::" * 50,
        )
        self._press_id(self.chance.choice(ids))

    def _press_id(self, custom_id: str) -> None:
        """A button under a message of another day."""
        message = {"id": "77", "channel_id": str(CHANNELS[0].id), "flags": 64}
        data = {"custom_id": custom_id, "component_type": 2}
        pressed = self._discord.interact(3, data, FLOODER, CHANNELS[0], message=message)
        self.note(f"button {next(self.numbers)}", pressed)

    def _command_nothing(self) -> None:
        number = next(self.numbers)
        data = {"id": "1", "name": f"nothing-{number}", "type": 1, "options": []}
        self.note(f"nothing {number}", self._discord.interact(2, data, FLOODER, CHANNELS[0]))
