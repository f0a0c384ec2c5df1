"""A bot's settings and secrets while `init` completes them. Nothing that is there is ever overwritten."""

import copy
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomli
from pydantic import SecretStr

from discordianai import safe_files
from discordianai.cli.partial_file import NotWritten, partial_file
from discordianai.operations.units.locations import SYSTEM, BotService, places_of_user
from discordianai.privileges import acting_as_owner
from discordianai.settings import file as settings_file
from discordianai.settings import toml_text
from discordianai.settings.document import Document, SettingsError, read_document
from discordianai.settings.file import FILE_NAME
from discordianai.settings.keys import SECRETS
from discordianai.settings.secret_sources import Secret, SecretPlaces, add_secrets, of_another_kind
from discordianai.settings.tables import Settings

OTHER_PORTS = range(8081, 8100)
"""Where the status page goes where its usual port is taken."""

HEAD = (
    "Written by `discordianai init`. Other keys have their defaults: `discordianai settings` prints all.",
    "The secrets are in files of their own, beside this one.",
)


class Manager(StrEnum):
    """Who starts the bot."""

    NONE = "none"
    USER = "user"
    SYSTEM = "system"

    @property
    def bot(self) -> BotService | None:
        """The bot as a service; None where it is none."""
        if self is Manager.NONE:
            return None
        return BotService(SYSTEM if self is Manager.SYSTEM else places_of_user(), None)


@dataclass(frozen=True, slots=True)
class ConfigurationFolder:
    """Where settings and secrets are."""

    manager: Manager
    settings: Path

    def secret(self, secret: Secret) -> Path:
        """The file of that secret."""
        return self.settings.parent / secret.credential


def folder_of(manager: Manager, named: Path | None = None) -> ConfigurationFolder:
    """The folder that the bot reads when it is started like that."""
    bot = manager.bot
    return ConfigurationFolder(manager, bot.folder / FILE_NAME if bot else named or Path(FILE_NAME))


class Configuration:
    """What there is, and what is added to it. Raises `SettingsError` for what cannot be used."""

    def __init__(self, folder: ConfigurationFolder) -> None:
        self.folder = folder
        self.is_new = not folder.settings.exists()
        self._look({} if self.is_new else read_document(folder.settings))

    def _look(self, document: Document) -> None:
        """Take these settings, with the secrets that are stored for them."""
        with_secrets = copy.deepcopy(document)
        places = SecretPlaces({}, self.folder.settings.parent)
        problems, origins = add_secrets(with_secrets, places)
        settings = settings_file.validate(with_secrets)
        if problems := [*problems, *of_another_kind(settings)]:
            raise SettingsError(*problems, "correct or remove what is named here, then run this again")
        self._document, self._secrets, self.origins = document, with_secrets, origins

    @property
    def settings(self) -> Settings:
        """With every secret that is known by now."""
        return settings_file.validate(self._secrets)

    def has(self, secret: Secret) -> bool:
        """Whether it is set."""
        return secret in self.origins

    def is_value(self, secret: Secret, value: str) -> bool:
        """Whether it is set to that."""
        return _merged(self._secrets, _nested(secret, value)) == self._secrets

    def change(self, document: Document) -> None:
        """Set further keys of a file that is yet to be written."""
        merged = _merged(self._document, document)
        if not self.is_new and merged != self._document:
            text = toml_text.render(toml_text.differing(settings_file.validate(document)))
            raise SettingsError(
                f"{self.folder.settings} exists and is not changed; add this to it yourself:\n\n{text}"
            )
        self._look(merged)

    def with_secret(self, secret: Secret, value: str) -> Settings:
        """The settings as they would be with this secret. Raises `SettingsError`."""
        settings = settings_file.validate(_merged(self._secrets, _nested(secret, value)))
        problems = [line for line in of_another_kind(settings) if line.startswith(secret.path)]
        if problems:
            raise SettingsError(*problems)
        return settings

    def save_secret(self, secret: Secret, value: str) -> Path:
        """Write it into a file of its own, for its owner alone. Raises `NotWritten`."""
        file = self.folder.secret(secret)
        if os.path.lexists(file):
            raise NotWritten(f"{file} exists and cannot be used: remove it, then run this again")
        _write(file, f"{value}\n", 0o600, self.folder.manager)
        self._look(self._document)
        return file

    def save_settings(self) -> None:
        """Write what differs from the defaults. Raises `NotWritten`."""
        values = toml_text.differing(settings_file.validate(self._document))
        plain = {key: value for key, value in values.items() if not isinstance(value, SecretStr)}
        text = "\n".join(filter(None, (toml_text.comment(HEAD), toml_text.render(plain))))
        # A service of the machine runs as a user of its own, who has to read them; no secret is in them.
        mode = 0o644 if self.folder.manager is Manager.SYSTEM else 0o600
        _write(self.folder.settings, text, mode, self.folder.manager)
        self.is_new = False


def parse_changes(texts: Iterable[str]) -> Document:
    """What several `KEY=VALUE` of the command line set together. Raises `SettingsError`."""
    document: Document = {}
    for text in texts:
        document = _merged(document, _parse_change(text))
    return document


def _parse_change(text: str) -> Document:
    """The value is TOML's, or text."""
    key, equals, value = text.partition("=")
    for candidate in (value, toml_text.to_toml(value)):
        try:
            document = tomli.loads(f"{key} = {candidate}")
        except tomli.TOMLDecodeError:
            continue
        if "\n" not in text and equals:
            _refuse_secrets(document)
            return document
    raise SettingsError(f"--set {key.strip()[:40]!r}: should be KEY=VALUE, as in --set operations.port=8081")


def _refuse_secrets(table: Document) -> None:
    for key, value in table.items():
        if key in SECRETS:
            raise SettingsError(
                f"--set: {key} is a secret, and others can read a command line; use the options with -file"
            )
        if isinstance(value, dict):
            _refuse_secrets(value)


def available_port(host: str, port: int) -> int | None:
    """`port`, or another one where it is taken; None where all of them are."""
    return next((number for number in (port, *OTHER_PORTS) if _is_free(host, number)), None)


def _is_free(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port)):
            return True
    except OSError:
        return False


def _nested(secret: Secret, value: str) -> Document:
    document: Document = {secret.key: value}
    for name in reversed(secret.table.split(".")):
        document = {name: document}
    return document


def _merged(document: Document, changes: Document) -> Document:
    merged: dict[str, Any] = copy.deepcopy(document)
    for key, value in changes.items():
        there = merged.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            value = _merged(there, value)  # the same table, completed
        merged[key] = copy.deepcopy(value)
    return merged


def _write(file: Path, text: str, mode: int, manager: Manager) -> None:
    folder_mode = 0o755 if manager is Manager.SYSTEM else 0o700
    try:
        file.parent.mkdir(mode=folder_mode, parents=True, exist_ok=True)
        with acting_as_owner(file), partial_file(file, overwrite=False) as partial:
            descriptor = safe_files.open_existing(partial, os.O_WRONLY, mine=True)
            with os.fdopen(descriptor, "w", encoding="utf-8") as content:
                os.fchmod(descriptor, mode)
                content.write(text)
    except OSError as error:
        raise NotWritten(f"{file} cannot be written: {error.strerror}") from None


def folder_is_shared(folder: Path) -> bool:
    """Whether others can put files there."""
    try:
        return bool(stat.S_IMODE(folder.stat().st_mode) & stat.S_IWOTH)
    except FileNotFoundError:
        return False


def endpoint(name: str, base_url: str, model: str) -> Document:
    """The table of a further provider."""
    return {"providers": {name: {"base_url": base_url, "model": model}}}
