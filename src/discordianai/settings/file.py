"""Reads `settings.toml` and the secrets, and tells every mistake in them in one go."""

import os
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomli
from pydantic import ValidationError

from discordianai import safe_files
from discordianai.dispatch.options import STRATEGIES
from discordianai.settings.by_provider import ProvidersSettings, is_provider_name
from discordianai.settings.complaints import complaints
from discordianai.settings.tables import Settings

SEARCHED = (Path("settings.toml"), Path("/etc/discordianai/settings.toml"))
"""Where the file is looked for when nobody names one."""

LARGEST = 2**20
"""Bytes that the file, or a credential, may have."""

LONGEST_MESSAGE = 100
"""Characters of the parser's own words: they may repeat a key of any length."""

Document = dict[str, Any]
"""A parsed TOML file: its values are whatever was written there."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's key in the file, and its names elsewhere.

    `provider` is the name of whose key it is, empty for Discord's token.
    """

    table: str
    key: str
    credential: str
    variable: str
    provider: str = ""

    @property
    def path(self) -> str:
        """Its path in the file."""
        return f"{self.table}.{self.key}"


DISCORD_TOKEN = Secret("discord", "token", "discord-token", "DISCORD_TOKEN")


def key_of(provider: str) -> Secret:
    """The key of the provider of that name."""
    variable = f"{provider.upper().replace('-', '_')}_API_KEY"
    return Secret(f"providers.{provider}", "api_key", f"{provider}-api-key", variable, provider)


def secrets_of(settings: Settings | None = None) -> tuple[Secret, ...]:
    """Every secret that there can be with these settings; without any, those that every bot can have."""
    providers = (settings or Settings()).providers
    return (DISCORD_TOKEN, *map(key_of, providers.by_name))


class SecretSource(StrEnum):
    """Where a secret can stand. The first of these counts."""

    CREDENTIAL = "systemd credential"
    ENVIRONMENT = "environment"
    FILE = "settings file"


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and all that is wrong with it.

    `settings` are None where they cannot be used, and are there where only a secret is missing. `origins` has
    the places of each secret that was found, the one that counts first.
    """

    settings: Settings | None
    problems: tuple[str, ...]
    origins: Mapping[Secret, tuple[SecretSource, ...]]


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `path`, or from the first of `SEARCHED` that exists.

    A secret is taken from systemd's credential directory, else from the environment, else from the file. A
    relative database path is one in systemd's state directory, where there is one. Raises `SettingsError`.
    """
    reading = examine(find(path), environment)
    if reading.settings is None or reading.problems:
        raise SettingsError(*reading.problems)
    return reading.settings


def examine(path: Path, environment: Mapping[str, str]) -> Reading:
    """As `load`, for whoever wants to know more. Raises `SettingsError` for what is no TOML file."""
    document = _read(path)
    problems, origins = _add_secrets(document, environment)
    try:
        settings = _validate(document)
    except SettingsError as error:
        return Reading(None, (*problems, *error.problems), origins)
    problems += _missing(settings)
    return Reading(_in_the_state_directory(settings, environment), tuple(problems), origins)


def tighten(path: Path, environment: Mapping[str, str] = os.environ) -> int | None:
    """Where the file has secrets in it, take everybody's access but the owner's away; its mode before.

    None where nothing was changed. A file that belongs to somebody else, or is behind a link, is left alone:
    `check` tells of it. Raises `SettingsError`.
    """
    if any(SecretSource.FILE in places for places in examine(path, environment).origins.values()):
        with suppress(OSError):
            return safe_files.tighten(path)
    return None


def _in_the_state_directory(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """A service may write nowhere else."""
    directory, _, _ = environment.get("STATE_DIRECTORY", "").partition(":")  # there may be several
    if not directory:
        return settings
    database = str(Path(directory, settings.conversations.database))  # an absolute path stays what it is
    conversations = replace(settings.conversations, database=database)
    return settings.model_copy(update={"conversations": conversations})


def load_without_secrets(path: Path | None = None) -> Settings:
    """As `load`, for commands that speak to nobody: no secret is looked up, and none is missed.

    One that stands in the file is in the result. Raises `SettingsError`.
    """
    document = _read(find(path))
    _add_secrets(document, {})
    return _in_the_state_directory(_validate(document), os.environ)


def _validate(document: Document) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        # The chained text would repeat it, less plainly.
        raise SettingsError(*complaints(error)) from None


def find(path: Path | None) -> Path:
    """The file that is meant: `path`, or the first of `SEARCHED` that exists. Raises `SettingsError`."""
    if path is not None:
        return path
    for candidate in SEARCHED:
        if candidate.exists():
            return candidate
    places = " and ".join(str(candidate.absolute()) for candidate in SEARCHED)
    raise SettingsError(f"no settings file found in {places}; name one with --settings PATH")


def _read(path: Path) -> Document:
    try:
        content = safe_files.read(path, LARGEST)
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise SettingsError(f"no settings file: looked for {path.absolute()}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}: should be UTF-8, but a byte in line {line} is not") from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> Document:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg[:LONGEST_MESSAGE]}"
    except RecursionError as error:
        why = f"line {_line_of(error, text)}: nested too deeply"
    except ValueError as error:  # Python's limit on the digits that it converts
        why = f"line {_line_of(error, text)}: a number with too many digits"
    raise SettingsError(f"{path}: not valid TOML: {why}")


def _line_of(error: Exception, text: str) -> int:
    """Where the parser gives up, if it does not say so itself: the fewest lines at which it does so."""
    lines = text.split("\n")

    def gives_up(number: int) -> bool:
        try:
            tomli.loads("\n".join(lines[:number]))
        except (ValueError, RecursionError) as other:
            return type(other) is type(error)
        return False

    return bisect_left(range(len(lines)), True, key=gives_up)


def _add_secrets(
    document: Document, environment: Mapping[str, str]
) -> tuple[list[str], dict[Secret, tuple[SecretSource, ...]]]:
    """Put the secrets into the document; what is wrong with them, and where each was found."""
    problems = []
    origins = {}
    for secret in (DISCORD_TOKEN, *map(key_of, _providers_in(document))):
        table = _table(document, secret)
        if table.get(secret.key) == "":
            del table[secret.key]
        try:
            places = _places(secret, environment)
        except (OSError, UnicodeDecodeError):
            problems.append(f"{secret.path}: the credential {secret.credential} cannot be read")
            places = {}
        if secret.key in table:
            places[SecretSource.FILE] = table[secret.key]
        if places:
            table[secret.key] = next(iter(places.values()))
            origins[secret] = tuple(places)
    return problems, origins


def _providers_in(document: Document) -> list[str]:
    """Those that are known, and those of the operator's choice, whose tables may be wrong yet."""
    known, tables = list(ProvidersSettings.model_fields), document.get("providers")
    further = filter(is_provider_name, tables) if isinstance(tables, dict) else ()
    return list(dict.fromkeys((*known, *further)))


def _table(document: Document, secret: Secret) -> Document:
    """Where the secret belongs; where something else stands, nowhere, and pydantic says so."""
    table = document
    for name in secret.table.split("."):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return {}
        table = inner
    return table


def _places(secret: Secret, environment: Mapping[str, str]) -> dict[SecretSource, str]:
    """Where the secret stands outside the file, and as what."""
    places = {}
    if directory := environment.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / secret.credential
        if credential.exists():
            places[SecretSource.CREDENTIAL] = safe_files.read(credential, LARGEST).decode().strip()
    places[SecretSource.ENVIRONMENT] = environment.get(secret.variable, "").strip()
    return {origin: value for origin, value in places.items() if value}


def _missing(settings: Settings) -> list[str]:
    problems = []
    if settings.discord.token is None:
        problems.append(
            "discord.token: missing; set DISCORD_TOKEN to the bot's token from the Discord developer portal"
        )
    configured = settings.configured
    if not configured:
        problems.append(
            "providers.openai.api_key, providers.perplexity.api_key: no provider is set up; "
            "set OPENAI_API_KEY or PERPLEXITY_API_KEY, or both"
        )
    strategy = settings.routing.strategy
    if configured and strategy not in {*STRATEGIES, *(provider.name for provider in configured)}:
        problems.append(
            f"routing.strategy: {strategy} is not set up; "
            f"set {key_of(strategy).variable}, or another strategy"
        )
    return problems
