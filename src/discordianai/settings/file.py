"""Reads `settings.toml` and the secrets, and tells every mistake in them in one go."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import SecretStr, ValidationError

from discordianai import safe_files
from discordianai.dispatch.options import STRATEGIES
from discordianai.settings.complaints import complaints
from discordianai.settings.document import Document, SettingsError, no_file, read_document
from discordianai.settings.secret_sources import (
    DATABASE_PASSWORD,
    Secret,
    SecretPlaces,
    SecretSource,
    add_secrets,
    key_of,
    of_another_kind,
    table_of,
)
from discordianai.settings.tables import Settings

FILE_NAME = "settings.toml"
SYSTEM_FOLDER = Path("/etc/discordianai")


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
    """Read the settings from `path`, or from the first of `searched()` that exists.

    A secret is taken from systemd's credential directory, else from the environment, else from a file of its
    own beside the settings, else from the settings. A relative database path is one in systemd's state
    directory, where there is one. Raises `SettingsError`.
    """
    reading = examine(find(path), environment)
    if reading.settings is None or reading.problems:
        raise SettingsError(*reading.problems)
    return reading.settings


def examine(path: Path, environment: Mapping[str, str]) -> Reading:
    """As `load`, for whoever wants to know more. Raises `SettingsError` for what is no TOML file."""
    document = read_document(path)
    problems, origins = add_secrets(document, SecretPlaces(environment, path.parent))
    try:
        settings = validate(document)
    except SettingsError as error:
        return Reading(None, (*problems, *error.problems), origins)
    problems += [*missing(settings), *of_another_kind(settings)]
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
    if not directory or settings.conversations.url is not None:
        return settings
    database = str(Path(directory, settings.conversations.database))  # an absolute path stays what it is
    conversations = replace(settings.conversations, database=database)
    return settings.model_copy(update={"conversations": conversations})


def load_without_secrets(path: Path | None = None) -> Settings:
    """As `load`, for commands that speak to nobody: no secret is looked up, and none is missed.

    One that stands in the file is in the result. Raises `SettingsError`.
    """
    document = read_document(find(path))
    add_secrets(document, SecretPlaces({}, None))
    return _in_the_state_directory(validate(document), os.environ)


def load_for_database(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """As `load_without_secrets`, but with the password of the database, which is looked up as the bot does.

    Also where the database of the settings is a file: the command may name another one. Raises
    `SettingsError`.
    """
    path = find(path)
    document = read_document(path)
    add_secrets(document, SecretPlaces({}, None))
    table = table_of(document, DATABASE_PASSWORD)
    if found := SecretPlaces(environment, path.parent).find(DATABASE_PASSWORD):
        table[DATABASE_PASSWORD.key] = next(iter(found.values()))
    return _in_the_state_directory(validate(document), environment)


def database_password(environment: Mapping[str, str] = os.environ) -> SecretStr | None:
    """Of the database, where there is no settings file. Raises `SettingsError`."""
    found = SecretPlaces(environment, None).find(DATABASE_PASSWORD)
    return SecretStr(next(iter(found.values()))) if found else None


def validate(document: Document) -> Settings:
    """The settings in a document. Raises `SettingsError`."""
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        # The chained text would repeat it, less plainly.
        raise SettingsError(*complaints(error)) from None


def user_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the current user's settings."""
    return Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "discordianai"


def searched() -> tuple[Path, ...]:
    """Where the file is looked for when nobody names one."""
    return Path(FILE_NAME), user_folder() / FILE_NAME, SYSTEM_FOLDER / FILE_NAME


def find(path: Path | None) -> Path:
    """The file that is meant: `path`, or the first of `searched()` that exists. Raises `SettingsError`."""
    if path is not None:
        return path
    for candidate in searched():
        if candidate.exists():
            return candidate
    raise no_file(searched())


def missing(settings: Settings) -> list[str]:
    """What a bot with these settings lacks, in sentences with what to do."""
    problems = []
    if settings.discord.token is None:
        problems.append(
            "discord.token: missing; run `discordianai init`, or set DISCORD_TOKEN to the bot's token from"
            " the Discord developer portal"
        )
    configured = settings.configured
    if not configured:
        problems.append(
            "providers.openai.api_key, providers.perplexity.api_key: no provider is set up; "
            "run `discordianai init`, or set OPENAI_API_KEY or PERPLEXITY_API_KEY, or both"
        )
    strategy = settings.routing.strategy
    if configured and strategy not in {*STRATEGIES, *(provider.name for provider in configured)}:
        problems.append(
            f"routing.strategy: {strategy} is not set up; "
            f"set {key_of(strategy).variable}, or another strategy"
        )
    return problems
