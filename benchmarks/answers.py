"""Questions that people ask the bot in the sandbox, and what becomes of each as they see it."""

import random
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import trio

from discordianai.sandbox.discord import CHANNELS, Interaction, SandboxMessage, direct_messages, person
from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers import ServiceOptions
from discordianai.sandbox.providers.scripted_answers import compose

UNLIMITED = ServiceOptions(requests_per_minute=10**6, tokens_per_minute=10**9, perplexity_rates=())
"""Providers whose own limits nobody meets."""

TOO_LATE = 3.5
"""Seconds; Discord gives up on an interaction after 3."""

SETTLE_TIMEOUT = 400.0
"""Seconds; more than a question's own deadline."""

BEGINNING = 200
"""Characters by which a message is told to be part of an answer."""

SHORT_ANSWER, LONG_ANSWER = 700, 2400
"""Characters: at most, and at least."""

UNACKNOWLEDGED, OPEN = "not acknowledged", "without a last word"
WHOLE, PART = "answered whole", "answered in part, with a note"
REFUSED, TOLD = "refused", "told of an error"

_SOURCES = re.compile(r"One page says so (?:\[.*?\]+(?:\(<?[^)\s]*\))?|\(\[.*?\]\([^)\s]*\)\))\.")
"""With the number of a source, or as OpenAI refers to the page of a search."""

_FENCE = re.compile(r"^```\w*$", re.MULTILINE)
_SMALL_PRINT = re.compile(r"^-# .*$", re.MULTILINE)


def is_whole(prompt: str, shown: str) -> bool:
    """Whether all of the answer to `prompt` is shown, and once."""
    return _squeezed(shown).count(_wanted(prompt)) == 1


def goes_on(prompt: str, shown: str, further: str) -> bool:
    """Whether a further message begins where those of the answer to `prompt` end that are `shown`."""
    wanted, beginning = _wanted(prompt), _squeezed(_SMALL_PRINT.sub("", further))[:BEGINNING]
    _, quoted, rest = _squeezed(shown).partition(_squeezed(f": “{prompt}”"))
    return bool(quoted and beginning) and wanted.startswith(quoted + rest + beginning)


def _wanted(prompt: str) -> str:
    """What both services say, but for their names and sources, and what was said before."""
    return _squeezed(compose("", prompt, [], sources=False).text.partition("You asked")[2])


def _squeezed(text: str) -> str:
    """Without white space, sources, and the fences that are added where a code block runs on."""
    return "".join(_FENCE.sub("", _SOURCES.sub("", text)).split())


def outcome(prompt: str, interaction: Interaction) -> str:
    """One of the words above. `OPEN` may still change; an answer that is shown wrong stays that."""
    text = interaction.text
    if interaction.response_type is None:
        return UNACKNOWLEDGED
    if interaction.response_type == 4:  # a message, in place of the bot that thinks
        return REFUSED
    if interaction.loading:
        return OPEN
    if "The answer breaks off here." in text:
        return PART
    if is_whole(prompt, text):
        return WHOLE
    return TOLD if "(error " in text else OPEN


def last_sentence(interaction: Interaction) -> str:
    """What it was told in the end, without numbers, so that the same refusals count as one."""
    return re.sub(r"\d+", "N", interaction.text.strip().splitlines()[-1])


def ask_at_once(sandbox: Sandbox, prompts: Iterable[str]) -> dict[str, Interaction]:
    """Each prompt is asked by another person, all in one moment."""
    return {
        prompt: sandbox.discord.invoke_now("ask", {"prompt": prompt}, user=person(number))
        for number, prompt in enumerate(prompts)
    }


async def settled(asked: Collection[Interaction], timeout: float = SETTLE_TIMEOUT) -> int:
    """Wait until nothing more is to come; how many are open even then."""
    await trio.sleep(TOO_LATE)
    with trio.move_on_after(timeout):
        while any(_is_open(interaction) for interaction in asked):  # noqa: ASYNC110  # of all of them
            await trio.sleep(0.1)
    return sum(_is_open(interaction) for interaction in asked)


def _is_open(interaction: Interaction) -> bool:
    """Whether the bot still thinks, or offers to stop."""
    if interaction.response_type is None:
        return False
    return interaction.loading or "Stop" in labels(interaction.messages)


def labels(messages: Iterable[SandboxMessage]) -> list[str]:
    """What stands on the buttons under these messages."""
    return [
        part["label"]
        for message in messages
        if not message.deleted
        for row in message.components
        for part in row["components"]
    ]


@dataclass(frozen=True, slots=True)
class Load:
    """Questions at random moments, `rate` a second, by so many `people`; a fifth of them in private.

    `searches` and `long` are the parts that are for the web, and whose answers take several messages; without
    `long` the answers have any length. `direct` messages are among the channels.
    """

    people: int
    rate: float
    searches: float = 0.0
    long: float | None = None
    direct: bool = False

    async def ask(
        self,
        sandbox: Sandbox,
        chance: random.Random,
        note: Callable[[str, Interaction], None],
        *,
        first: int = 1,
        seconds: float = float("inf"),
    ) -> None:
        """Ask for so long, whether or not the bot keeps up; each question is another text."""
        began = at = trio.current_time()
        number = first - 1
        while (at := at + chance.expovariate(self.rate)) < began + seconds:
            await trio.sleep_until(at)
            name, option = ("search", "query") if chance.random() < self.searches else ("ask", "prompt")
            number, prompt = self.next_prompt(number, chance)
            user = person(chance.randrange(self.people))
            channel = chance.choice((*CHANNELS, direct_messages(user)) if self.direct else CHANNELS)
            options: dict[str, object] = {option: prompt, "private": chance.random() < 0.2}
            note(prompt, sandbox.discord.invoke_now(name, options, user=user, channel=channel))

    def next_prompt(self, number: int, chance: random.Random) -> tuple[int, str]:
        """The next number whose answer has the length that is wanted."""
        long = self.long is not None and chance.random() < self.long
        while True:
            number += 1
            prompt = f"what about number {number}?"
            length = len(compose("", prompt, [], sources=False).text)
            if self.long is None or (length >= LONG_ANSWER if long else length <= SHORT_ANSWER):
                return number, prompt
