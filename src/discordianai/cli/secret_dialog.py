"""Asks for secrets during `discordianai init`: each is tried, and stored when it is accepted."""

import os
from collections.abc import Callable
from pathlib import Path

from discordianai import safe_files
from discordianai.cli.configuration import Configuration, Manager
from discordianai.cli.prompts import NoTerminal, Prompts
from discordianai.settings.document import LARGEST, SettingsError
from discordianai.settings.secret_sources import Secret, SecretSource
from discordianai.settings.tables import Settings

AGAIN, KEEP, SKIP = range(3)

Try = Callable[[Settings], bool]
"""Whether a service accepts the secret in these settings; says what was found."""


class NotAccepted(Exception):
    """Without a terminal: a secret did not pass its trial, which has been told."""


class SecretDialog:
    """Asks on `terminal`, if that is one, and stores in `configuration`. If `offline`, it tries nothing."""

    def __init__(self, configuration: Configuration, terminal: Prompts, *, offline: bool) -> None:
        self._configuration = configuration
        self._folder = configuration.folder
        self._terminal = terminal
        self._say = terminal.say
        self._offline = offline

    def look_again(self, what: str, secret: Secret, accepts: Try) -> None:
        """Try a secret that is stored already."""
        in_a_file = self._configuration.origins[secret][0] is SecretSource.SECRET_FILE
        file = self._folder.secret(secret) if in_a_file else self._folder.settings
        self._say(f"\n{what}: set, in {file}")
        if not self._offline and not accepts(self._configuration.settings):
            removed = f"the file {file}" if in_a_file else f"{secret.path} from {file}"
            self._say(f"To replace it, remove {removed}, and run this again.")
        self._warn_of_environment(secret)

    def given(self, secret: Secret, file: Path | None) -> str:
        """What an option or the environment says; empty where neither does. Raises `SettingsError`."""
        if file is None:
            value = os.environ.get(secret.variable, "").strip()
            if value:
                self._say(f"Using {secret.variable} from the environment.")
            return value
        try:
            value = safe_files.read(file, LARGEST).decode("utf-8-sig").strip()
        except OSError as error:
            raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{file}: should be one line of text: copy the secret again") from None
        if not value:
            raise SettingsError(f"{file}: is empty: copy the secret into it")
        return value

    def take(self, secret: Secret, given: str, accepts: Try, *, option: str, needed: bool) -> None:
        """Have a secret typed, unless it is given, until it is accepted; then store it."""
        value = given
        while True:
            value = value or self._typed(secret, option, needed=needed)
            if not value:
                return
            decision = self._judged(secret, value, accepts, needed=needed)
            if decision == KEEP:
                self._say(f"Stored in {self._configuration.save_secret(secret, value)}, for its owner alone.")
                self._warn_of_environment(secret)
            if decision != AGAIN:
                return
            value = ""

    def _warn_of_environment(self, secret: Secret) -> None:
        """A bot that is started from here would take the secret from there."""
        value = os.environ.get(secret.variable, "").strip()
        if self._folder.manager is Manager.NONE and value and not self._configuration.is_value(secret, value):
            self._say(f"The environment has another one, which comes before it: unset {secret.variable}")

    def _typed(self, secret: Secret, option: str, *, needed: bool) -> str:
        if not self._terminal.interactive:
            if needed:
                raise NoTerminal(
                    f"{secret.path}: there is no terminal to ask on; use {option}, or {secret.variable}"
                )
            return ""
        while True:
            value = self._terminal.ask_secret("Paste it here; it is not shown")
            if value or not needed:
                return value

    def _judged(self, secret: Secret, value: str, accepts: Try, *, needed: bool) -> int:
        """Whether to `KEEP` it, to `SKIP` it, or to have it typed `AGAIN`. Raises `SettingsError`."""
        try:
            settings = self._configuration.with_secret(secret, value)
        except SettingsError as error:
            if not self._terminal.interactive:
                raise
            for problem in error.problems:
                self._say(problem)
            return AGAIN
        if self._offline or accepts(settings):
            return KEEP
        if not self._terminal.interactive:
            raise NotAccepted
        choices = ["enter it again", "keep it anyway"] + ([] if needed else ["do without"])
        return self._terminal.choose("Number", choices)
