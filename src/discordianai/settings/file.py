"""Reads `settings.toml` and the secrets, and tells every mistake in them in one go."""

import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import tomli
from pydantic import SecretStr, ValidationError

from discordianai import safe_files
from discordianai.conversations.database_url import PASSWORD_CREDENTIAL, PASSWORD_VARIABLE, is_url
from discordianai.dispatch.options import STRATEGIES
from discordianai.settings.by_provider import ProvidersSettings, is_provider_name
from discordianai.settings.complaints import complaints
from discordianai.settings.secret_kinds import wrong_key, wrong_token
from discordianai.settings.tables import Settings

FILE_NAME = "settings.toml"
SYSTEM_FOLDER = Path("/etc/discordianai")

INIT = "run `discordianai init` to create one"
"""What to do without a file."""

LARGEST = 2**20
"""Bytes that the file, or a credential, may have."""

LONGEST_MESSAGE = 100
"""Characters of the parser's own words: they may repeat a key of any length."""

_INI_LINE = re.compile(r"^[ \t]*[A-Z][A-Z0-9_]{3,}[ \t]*[=:]", re.MULTILINE)
"""A key of the reference's config.ini: ours are in lower case."""

_BARE_TEXT = re.compile(r"\s*[\w.-]+\s*=\s*(?!true\b|false\b)[A-Za-z/][^\"'#=]*(?:#.*)?")
"""A key whose text is not quoted."""

Document = dict[str, Any]
"""A parsed TOML file: its values are whatever was written there."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NoSettings(SettingsError):
    """There is no file."""


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
    table = _table(document, DATABASE_PASSWORD)
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


def no_file(places: Iterable[Path]) -> "NoSettings":
    """The error where none of these files exists."""
    *most, last = (str(place.absolute()) for place in places)
    looked = f"{', '.join(most)} and {last}" if most else last
    return NoSettings(f"no settings file: looked for {looked}; {INIT}, or name one with --settings PATH")


def read_document(path: Path) -> Document:
    """The file's tables as they stand there. Raises `SettingsError`."""
    try:
        content = safe_files.read(path, LARGEST)
        text = content.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        raise no_file([path]) from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError(
            f"{path}: should be UTF-8, but a byte in line {line} is not: save it as UTF-8"
        ) from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> Document:
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        why = f"line {error.lineno}, column {error.colno}: {error.msg[:LONGEST_MESSAGE]}"
        why = f"{why}: {_remedy(text, error.lineno)}"
    except RecursionError as error:
        why = f"line {_line_of(error, text)}: nested too deeply"
    except ValueError as error:  # Python's limit on the digits that it converts
        why = f"line {_line_of(error, text)}: a number with too many digits"
    raise SettingsError(f"{path}: not valid TOML: {why}")


def _remedy(text: str, number: int) -> str:
    """What to do about a mistake in that line, as far as it can be told from the text."""
    if _INI_LINE.search(text):
        return (
            "this looks like the config.ini of johndotpub/DiscordianAI: keep it under that name, and run"
            " `discordianai migrate config.ini > settings.toml`"
        )
    lines = text.split("\n")
    line = lines[number - 1] if number <= len(lines) else ""
    if any(quote in line for quote in "“”„‟‘’‚«»"):
        return 'it has typographic quotes: type " instead'
    if any(not sign.isprintable() or (sign.isspace() and sign != " ") for sign in line.strip("\r\t")):
        return "it has a sign that cannot be seen, such as a no-break space: type the line anew"
    if "\\" in line:
        return r"in double quotes a backslash is written twice, as in C:\\bot; in single quotes, once"
    if _BARE_TEXT.fullmatch(line):
        return 'put the text in quotes, as in key = "text"'
    return "`discordianai settings` shows how each key is written"


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
        table = _table(document, secret)
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


def _table(document: Document, secret: Secret) -> Document:
    """Where the secret belongs; where something else stands, nowhere, and pydantic says so."""
    table = document
    for name in secret.table.split("."):
        inner = table.setdefault(name, {})
        if not isinstance(inner, dict):
            return {}
        table = inner
    return table


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


def of_another_kind(settings: Settings) -> Iterator[str]:
    """Secrets that cannot be what they should be."""
    if settings.discord.token is not None and (why := wrong_token(settings.discord.token_text)):
        yield f"{DISCORD_TOKEN.path}: {why}"
    for name, table in settings.providers.by_name.items():
        key = table.api_key
        if key is not None and (why := wrong_key(key.get_secret_value(), table.base_url)):
            yield f"{key_of(name).path}: {why}"
