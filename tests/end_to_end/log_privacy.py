"""Looks for what must not be in a log: people's words, answers, secrets."""

import re
from collections.abc import Iterable, Iterator

from discordianai.sandbox.launcher import Sandbox
from discordianai.sandbox.providers import ProviderService
from discordianai.sandbox.providers.scripted_answers import compose

RUN = 4
"""Words in a row that are nobody's by chance."""

SHORTEST = 12
"""Characters of a text of fewer words that is looked for as a whole; single words are everybody's."""

CHOSEN = {"provider", "model", "locale"}
"""Options that take a name of the operator's, which a log may have."""

_WORD = re.compile(r"\w+")
_ESCAPED = re.compile(r"\\[nrt]")  # as a log writes a line break
_LEVEL = re.compile(r'\blevel=(\w+)|"level": "(\w+)"')
_EVENT = re.compile(r'\bevent=("[^"]*"|\S+)|"event": "([^"]*)"')


def leaks(log: str, texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """The events of the lines that have a secret, or, at INFO and above, some of these texts.

    A line without a level, as those of a traceback, belongs to the one before it.
    """
    private = {run for text in texts for run in _runs(_words(text))}
    lengths = {run.count(" ") + 1 for run in private}
    secrets, found, level, event = set(secrets), [], "", "a line before the first event"
    for line in log.splitlines():
        if match := _LEVEL.search(line):
            level = match[1] or match[2]
            named = _EVENT.search(line)
            event = (named[1] or named[2]) if named else ""
        words = _words(line) if level != "debug" else []
        if any(secret in line for secret in secrets):
            found.append(f"a secret in: {event}")
        elif any(run in private for length in lengths for run in _in_a_row(words, length)):
            found.append(f"somebody's words in: {event}")
    return found


def _words(text: str) -> list[str]:
    return _WORD.findall(_ESCAPED.sub(" ", text.lower()))


def _runs(words: list[str]) -> Iterator[str]:
    """All of `RUN` words, or the whole of a shorter text."""
    if len(words) >= RUN:
        yield from _in_a_row(words, RUN)
    elif len(whole := " ".join(words)) >= SHORTEST:
        yield whole


def _in_a_row(words: list[str], length: int) -> Iterator[str]:
    return (" ".join(words[begin : begin + length]) for begin in range(len(words) - length + 1))


def private_texts(sandbox: Sandbox) -> Iterator[str]:
    """What people wrote in any way, what was sent to providers of it, and what they answered.

    The sandbox may go on in another thread meanwhile.
    """
    for interaction in list(sandbox.discord.interactions.values()):
        yield from _written(interaction.payload.get("data", {}))
    for session in list(sandbox.discord.sessions.values()):
        yield from (event["d"]["content"] for event in list(session.events) if event["t"] == "MESSAGE_CREATE")
    for _, content in list(sandbox.discord.uploads.values()):
        yield content.decode("utf-8", "ignore")
    for service in sandbox.providers:
        yield from _said(service)


def _written(data: object) -> Iterator[str]:
    """The values of options and forms, and the messages of a menu."""
    if isinstance(data, list):
        for part in data:
            yield from _written(part)
    elif isinstance(data, dict) and data.get("name") not in CHOSEN:
        for key in ("value", "content"):
            if isinstance(data.get(key), str):
                yield data[key]
        for key, part in data.items():
            if key != "author":
                yield from _written(part)


def _said(service: ProviderService) -> Iterator[str]:
    for body in list(service.requests):
        items = body["input"] if "input" in body else body["messages"]
        talk = [message for message in items if message["role"] != "system"]
        # Files are at an address of this machine, which is in the log for other reasons.
        yield from (str(message["content"]).replace("127.0.0.1", "") for message in talk)
        people = [message["content"] for message in talk if message["role"] == "user"]
        if all(isinstance(content, str) for content in people):
            for sources in (False, True):
                yield compose(service.label, people[-1], people[:-1], sources=sources).text


def secrets_of(sandbox: Sandbox) -> set[str]:
    """What opens something: the bot's token, the keys, and the tokens of all interactions."""
    return {
        sandbox.discord.options.token,
        *(service.options.api_key for service in sandbox.providers),
        *list(sandbox.discord.interactions),
    }
