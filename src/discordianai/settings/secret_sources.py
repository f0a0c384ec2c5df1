"""The secrets: where each can stand, and what is wrong with those that are found."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from discordianai import safe_files
from discordianai.conversations.database_url import PASSWORD_CREDENTIAL, PASSWORD_VARIABLE, is_url
from discordianai.settings.by_provider import ProvidersSettings, is_provider_name
from discordianai.settings.document import LARGEST, Document, SettingsError
from discordianai.settings.secret_kinds import wrong_key, wrong_token
from discordianai.settings.tables import Settings


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's key in the file, and its names elsewhere.

    `provider` is the name of whose key it is, empty for the other secrets.
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

DATABASE_PASSWORD = Secret("conversations", "database_password", PASSWORD_CREDENTIAL, PASSWORD_VARIABLE)
"""Only where the database is a URL. Without it, libpq looks into the file PGPASSFILE or ~/.pgpass."""


def key_of(provider: str) -> Secret:
    """The key of the provider of that name."""
    variable = f"{provider.upper().replace('-', '_')}_API_KEY"
    return Secret(f"providers.{provider}", "api_key", f"{provider}-api-key", variable, provider)


def secrets_of(settings: Settings | None = None) -> tuple[Secret, ...]:
    """Every secret that there can be with these settings; without any, those that every bot can have."""
    settings = settings or Settings()
    of_database = () if settings.conversations.url is None else (DATABASE_PASSWORD,)
    return (DISCORD_TOKEN, *map(key_of, settings.providers.by_name), *of_database)


class SecretSource(StrEnum):
    """Where a secret can stand. The first of these counts."""

    CREDENTIAL = "systemd credential"
    ENVIRONMENT = "environment"
    SECRET_FILE = "file beside the settings"  # noqa: S105  # the name of a place
    FILE = "settings file"


@dataclass(frozen=True, slots=True)
class SecretPlaces:
    """Where secrets stand outside the settings; `folder` is None where none is to be looked for in files."""

    environment: Mapping[str, str]
    folder: Path | None

    def find(self, secret: Secret) -> dict[SecretSource, str]:
        """The secret at each place that has it. Raises `SettingsError`."""
        found = {}
        directory = self.environment.get("CREDENTIALS_DIRECTORY")
        try:
            if directory and (credential := Path(directory) / secret.credential).exists():
                content = safe_files.read(credential, LARGEST)
                found[SecretSource.CREDENTIAL] = content.decode("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError):
            raise SettingsError(f"{secret.path}: the credential {secret.credential} cannot be read") from None
        found[SecretSource.ENVIRONMENT] = self.environment.get(secret.variable, "").strip()
        if not any(found.values()) and not directory and self.folder is not None:
            # A service has been given all that is meant for it.
            found[SecretSource.SECRET_FILE] = read_secret_file(self.folder / secret.credential)
        return {origin: value for origin, value in found.items() if value}


def read_secret_file(file: Path) -> str:
    """The secret in a file beside the settings; empty where there is no such file. Raises `SettingsError`."""
    try:
        with os.fdopen(safe_files.open_existing(file), "rb") as content:
            return content.read(LARGEST).decode("utf-8-sig").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except PermissionError:
        raise SettingsError(f"{file}: may not be read by this user: run this as its owner") from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: should be one line of text: write the secret again") from None


def add_secrets(
    document: Document, places: SecretPlaces
) -> tuple[list[str], dict[Secret, tuple[SecretSource, ...]]]:
    """Put the secrets into the document; what is wrong with them, and where each was found."""
    problems: list[str] = []
    origins = {}
    of_database = (DATABASE_PASSWORD,) if _wants_password(document) else ()
    for secret in (DISCORD_TOKEN, *map(key_of, _providers_in(document)), *of_database):
        table = table_of(document, secret)
        if table.get(secret.key) == "":
            del table[secret.key]
        try:
            found = places.find(secret)
        except SettingsError as error:
            problems += error.problems
            found = {}
        if secret.key in table:
            found[SecretSource.FILE] = table[secret.key]
        if found:
            table[secret.key] = next(iter(found.values()))
            origins[secret] = tuple(found)
    return problems, origins


def _providers_in(document: Document) -> list[str]:
    """Those that are known, and those of the operator's choice, whose tables may be wrong yet."""
    known, tables = list(ProvidersSettings.model_fields), document.get("providers")
    further = filter(is_provider_name, tables) if isinstance(tables, dict) else ()
    return list(dict.fromkeys((*known, *further)))


def _wants_password(document: Document) -> bool:
    table = document.get("conversations")
    database = table.get("database") if isinstance(table, dict) else None
    return isinstance(database, str) and is_url(database)


def table_of(document: Document, secret: Secret) -> Document:
    """Where the secret belongs; where something else stands, nowhere, and pydantic says so."""
    table = document
    for name in secret.table.split("."):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return {}
        table = inner
    return table


def of_another_kind(settings: Settings) -> Iterator[str]:
    """Secrets that cannot be what they should be."""
    if settings.discord.token is not None and (why := wrong_token(settings.discord.token_text)):
        yield f"{DISCORD_TOKEN.path}: {why}"
    for name, table in settings.providers.by_name.items():
        key = table.api_key
        if key is not None and (why := wrong_key(key.get_secret_value(), table.base_url)):
            yield f"{key_of(name).path}: {why}"
