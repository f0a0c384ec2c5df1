"""Reads `settings.toml` and the secrets, and tells every mistake in them in one go."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_origin

import tomli
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from discordianai.settings import Settings

SEARCHED = (Path("settings.toml"), Path("/etc/discordianai/settings.toml"))
"""Where the file is looked for when nobody names one."""

Document = dict[str, Any]
"""A parsed TOML file: its values are whatever was written there."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` has one sentence for each mistake."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret's key in the file, and its names elsewhere."""

    table: str
    key: str
    credential: str
    variable: str


SECRETS = (
    Secret("discord", "token", "discord-token", "DISCORD_TOKEN"),
    Secret("openai", "api_key", "openai-api-key", "OPENAI_API_KEY"),
    Secret("perplexity", "api_key", "perplexity-api-key", "PERPLEXITY_API_KEY"),
)


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings from `path`, or from the first of `SEARCHED` that exists.

    A secret is taken from systemd's credential directory, else from the environment, else from the file. A
    relative database path is one in systemd's state directory, where there is one. Raises `SettingsError`.
    """
    document = _read(_find(path))
    problems = _add_secrets(document, environment)
    settings = _validate(document, problems)
    problems += _missing(settings)
    if problems:
        raise SettingsError(*problems)
    return _in_the_state_directory(settings, environment)


def _in_the_state_directory(settings: Settings, environment: Mapping[str, str]) -> Settings:
    """A service may write nowhere else."""
    directory, _, _ = environment.get("STATE_DIRECTORY", "").partition(":")  # there may be several
    if not directory:
        return settings
    database = str(Path(directory, settings.conversations.database))  # an absolute path stays what it is
    conversations = settings.conversations.model_copy(update={"database": database})
    return settings.model_copy(update={"conversations": conversations})


def load_without_secrets(path: Path | None = None) -> Settings:
    """As `load`, for commands that speak to nobody: no secret is looked up, and none is missed.

    One that stands in the file is in the result. Raises `SettingsError`.
    """
    document = _read(_find(path))
    _add_secrets(document, {})
    return _in_the_state_directory(_validate(document, []), os.environ)


def _validate(document: Document, problems: list[str]) -> Settings:
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        # The chained text would repeat it, less plainly.
        raise SettingsError(*problems, *complaints(error)) from None


def _find(path: Path | None) -> Path:
    if path is not None:
        return path
    for candidate in SEARCHED:
        if candidate.exists():
            return candidate
    places = " and ".join(str(candidate.absolute()) for candidate in SEARCHED)
    raise SettingsError(f"no settings file: looked for {places}; name one with --settings PATH")


def _read(path: Path) -> Document:
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"no settings file: looked for {path.absolute()}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: should be UTF-8, but byte {error.start} is not") from None
    except tomli.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None  # says line and column
    except RecursionError:
        raise SettingsError(f"{path}: not valid TOML: nested too deeply") from None


def _add_secrets(document: Document, environment: Mapping[str, str]) -> list[str]:
    problems = []
    for secret in SECRETS:
        try:
            value = _outside_the_file(secret, environment)
        except (OSError, UnicodeDecodeError):
            problems.append(f"{secret.table}.{secret.key}: the credential {secret.credential} cannot be read")
            continue
        table = document.setdefault(secret.table, {})
        if not isinstance(table, dict):
            continue  # pydantic will say so
        if value:
            table[secret.key] = value
        elif table.get(secret.key) == "":
            del table[secret.key]
    return problems


def _outside_the_file(secret: Secret, environment: Mapping[str, str]) -> str:
    if directory := environment.get("CREDENTIALS_DIRECTORY"):
        credential = Path(directory) / secret.credential
        if credential.exists():
            return credential.read_text(encoding="utf-8").strip()
    return environment.get(secret.variable, "").strip()


def _missing(settings: Settings) -> list[str]:
    problems = []
    if settings.discord.token is None:
        problems.append(
            "discord.token: missing; set DISCORD_TOKEN to the bot's token from the Discord developer portal"
        )
    if not settings.providers:
        problems.append(
            "openai.api_key, perplexity.api_key: no provider is set up; "
            "set OPENAI_API_KEY or PERPLEXITY_API_KEY, or both"
        )
    return problems


def complaints(error: ValidationError) -> list[str]:
    """A line for each mistake that pydantic found in a document."""
    return [_complaint(details) for details in error.errors(include_url=False)]


def _complaint(details: ErrorDetails) -> str:
    """One line: the key's path, what is wrong, what would be right."""
    path = ".".join(str(part) for part in details["loc"] if part != "[key]")
    if details["type"] == "extra_forbidden":
        return f"{path}: no such key; {_nearest(details)}"
    message = "should be a table" if details["type"] in {"model_type", "dict_type"} else details["msg"]
    message = message[message.find("should") :] if "should" in message else message
    return f"{path}: {_shown(details)}{message}{_default(details)}"


def _shown(details: ErrorDetails) -> str:
    """The value as it stands in the file, unless it could be a secret or a page long."""
    if any(part in {"token", "api_key"} for part in details["loc"]):
        return ""
    value = details["input"]
    text = repr(value) if not isinstance(value, dict) else "a table"
    return f"{text[:40]} cannot be used: "


def _nearest(details: ErrorDetails) -> str:
    *parents, key = details["loc"]
    table = _table_at(parents)
    if table is None:
        return "remove it"
    known = list(table.model_fields)
    near = difflib.get_close_matches(str(key), known, n=1)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _default(details: ErrorDetails) -> str:
    *parents, key = details["loc"]
    table = _table_at(parents)
    field = table.model_fields.get(str(key)) if table else None
    if field is None or field.default is None or isinstance(field.default, BaseModel | tuple):
        return ""
    return f" (the default is {field.default!r})"


def _table_at(path: list[int | str]) -> type[BaseModel] | None:
    table: type[BaseModel] = Settings
    parts = iter(path)
    for part in parts:
        field = table.model_fields.get(str(part))
        model = _model_of(field) if field else None
        if field is None or model is None:
            return None
        if get_origin(field.annotation) is dict:
            next(parts, None)  # a name that the operator chose
        table = model
    return table


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    candidates = (field.annotation, *get_args(field.annotation))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
