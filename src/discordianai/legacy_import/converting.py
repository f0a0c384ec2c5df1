"""Converts the file, and reports what could not be converted."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from discordianai.legacy_import.legacy_keys import (
    ENDING,
    LEVELS,
    NO_COUNTERPART,
    PRESETS,
    RULES,
    Rule,
    names,
    word,
)
from discordianai.legacy_import.new_settings import NewSettings, one_line
from discordianai.legacy_import.reading import read
from discordianai.settings.secret_sources import Secret, secrets_of
from discordianai.settings.tables import Settings

PLACEHOLDER = re.compile(r"your_\w+_here")
"""How that bot's example file fills in secrets."""

OLD_OPENAI_KEY = "API_KEY"


@dataclass(frozen=True, slots=True)
class Migration:
    """The new file, and a line for each thing in the old one that has not come over as it was."""

    settings: str
    remarks: tuple[str, ...]


def migrate(path: Path, *, with_secrets: bool = False) -> Migration:
    """Convert the config.ini at `path`. Raises `SettingsError` when it cannot be read as one."""
    found = read(path)
    sheet = NewSettings()
    about_secrets = list(_secrets(found, sheet if with_secrets else None))
    for key, rule in RULES.items():
        if text := found.get(key):
            sheet.take(key, rule, text)
    channels = names(found.get("ALLOWED_CHANNELS", "")) + names(found.get("ALLOWED_CHANNEL_IDS", ""))
    about_names = (*_about_level(found), *_about_model(found), *_about_preset(found))
    remarks = (*about_secrets, *sheet.remarks, *about_names, *_about(channels), *_left_out(found))
    return Migration(sheet.text(_head(path, channels)), remarks)


def _head(path: Path, channels: list[str]) -> Iterator[str]:
    yield f"Made by `discordianai migrate` from {path.name}; each line names the key it comes from."
    yield "Other keys have their defaults; the settings.toml in the repository explains every key."
    if channels:
        yield ""
        yield "These channels were allowed by name. Put their ids into allowed_channel_ids of [discord]:"
        yield from (f"  {channel}" for channel in channels)


def _secrets(found: Mapping[str, str], sheet: NewSettings | None) -> Iterator[str]:
    """Copy the secrets to `sheet`, or say of each where it belongs."""
    for secret in secrets_of():
        name = _present(secret, found)
        if name is None:
            continue
        if PLACEHOLDER.fullmatch(word(found[name])):
            yield f"{name}: left out: it is the placeholder of the example file"
        elif sheet is not None:
            sheet.take(name, Rule((f"{secret.table}.{secret.key}",), word), found[name])
        else:
            yield (
                f"{name}: a secret, not copied: put it into the file {secret.credential} where"
                f" `discordianai service install` says, or into the environment as {secret.variable}"
            )


def _present(secret: Secret, found: Mapping[str, str]) -> str | None:
    """The key in config.ini that has this secret."""
    candidates = [secret.variable, *([OLD_OPENAI_KEY] if secret.provider == "openai" else [])]
    return next((key for key in candidates if found.get(key)), None)


def _about_level(found: Mapping[str, str]) -> Iterator[str]:
    name = word(found.get("LOG_LEVEL", "")).upper()
    if name in LEVELS:
        yield f"LOG_LEVEL: {name} is not known here; {LEVELS[name]} is the nearest"


def _about_model(found: Mapping[str, str]) -> Iterator[str]:
    name = word(found.get("GPT_MODEL", ""))
    if name in ENDING:
        usual = Settings().providers.openai.model
        yield f"GPT_MODEL: OpenAI shuts {name} down on {ENDING[name]}; without the line, {usual} answers"


def _about_preset(found: Mapping[str, str]) -> Iterator[str]:
    name = word(found.get("PERPLEXITY_MODEL", "")).lower()
    if name in PRESETS:
        yield f"PERPLEXITY_MODEL: {name} no longer exists; the preset {PRESETS[name]} replaces it"


def _about(channels: list[str]) -> Iterator[str]:
    if channels:
        yield (
            f"ALLOWED_CHANNELS: {one_line(', '.join(channels))}: channels are allowed by id here: switch on"
            " Discord's developer mode, right-click each channel, Copy Channel ID, and write it into"
            " allowed_channel_ids of [discord]. As long as that list is empty, all channels are allowed"
        )


def _left_out(found: Mapping[str, str]) -> Iterator[str]:
    for key in found:
        if key not in {*RULES, *(secret.variable for secret in secrets_of()), OLD_OPENAI_KEY}:
            yield f"{one_line(key)}: no equivalent: {NO_COUNTERPART.get(key, 'the old bot had no such key')}"
