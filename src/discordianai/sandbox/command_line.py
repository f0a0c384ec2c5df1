"""What people type: a slash command with its options, as text."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from discordianai.sandbox.discord.api_objects import Json

SLASH_COMMAND, MESSAGE_COMMAND = 1, 3
"""Discord's types of a command that is typed, and of one in a message's menu."""

STRING, INTEGER, BOOLEAN, ATTACHMENT = 3, 4, 5, 11
"""Discord's types of options."""

_OPTION = re.compile(r'(?<!\S)(\w+):("[^"]*"|\S*)')
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def parse(line: str, commands: Mapping[str, Json]) -> tuple[str, dict[str, object]]:
    """Parse a typed line into a command and its options. Raises `ValueError`.

    `name:value` or `name:"some words"` sets an option; the other words are the first option. A file's option
    is a `Path`. A line without a slash is a question.
    """
    command, _, rest = (line if line.startswith("/") else f"/ask {line}").partition(" ")
    name = command.removeprefix("/")
    typed = {known for known, each in commands.items() if each.get("type", 1) == SLASH_COMMAND}
    if name not in typed:
        known = ", ".join(f"/{each}" for each in commands if each in typed)
        raise ValueError(f"There is no command /{name}. There are {known}.")
    declared = {option["name"]: option for option in commands[name].get("options", ())}
    first = next(iter(declared), "")
    options: dict[str, object] = {}

    def take(found: re.Match[str]) -> str:
        key, value = found[1], found[2].strip('"')
        if key == first:
            return value  # the words after it belong to it, too
        if key not in declared or not value:
            return found[0]
        options[key] = _value(key, value, declared[key])
        return ""

    text = " ".join(_OPTION.sub(take, rest).split(" ")).strip()
    if text and not first:
        raise ValueError(f"/{name} takes no text.")
    if text:
        options[first] = _value(first, text, declared[first])
    return name, options


def _value(name: str, text: str, declared: Json) -> object:
    """The value as Discord's client would send it. Raises `ValueError`."""
    match declared["type"]:
        case kind if kind == BOOLEAN:
            if text.lower() not in _TRUTH:
                raise ValueError(f"{name} is true or false.")
            return _TRUTH[text.lower()]
        case kind if kind == INTEGER:
            if not text.lstrip("-").isdecimal():
                raise ValueError(f"{name} is a whole number.")
            return int(text)
        case kind if kind == ATTACHMENT:
            return Path(text)
        case _:
            return text


def completions(line: str, commands: Mapping[str, Json]) -> Iterator[str]:
    """What the last word of a line may become: a command, an option, or one of an option's values."""
    command, space, rest = line.partition(" ")
    if not space:
        names = (f"/{name} " for name, each in commands.items() if each.get("type", 1) == SLASH_COMMAND)
        yield from (name for name in names if name.startswith(command))
        return
    word = rest.rpartition(" ")[2]
    for option in commands.get(command.removeprefix("/"), {}).get("options", ()):
        name = option["name"]
        values = [str(choice["value"]) for choice in option.get("choices") or ()]
        if option["type"] == BOOLEAN:
            values = ["true", "false"]
        if word.startswith(f"{name}:"):
            yield from (f"{name}:{value} " for value in values if f"{name}:{value}".startswith(word))
        elif f"{name}:".startswith(word):
            yield f"{name}:"
