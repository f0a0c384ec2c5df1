"""The kinds of values in `settings.toml`, each with what makes one wrong, and what a table is."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_core import PydanticCustomError


class Table(BaseModel):
    """One table of the file: nothing in it is guessed, converted or changed later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _arrays_are_tuples(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value


Id = Annotated[int, Field(ge=1, lt=2**64)]
"""A Discord snowflake."""

Ids = tuple[Id, ...]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
ModelName = Annotated[str, Field(min_length=1, max_length=100)]
"""A hundred characters are the most that Discord takes as a choice."""

RESERVED = ("user", "server", "tool", "rules", "auto", "discord")
"""Names that other keys have where a provider's would stand."""

_PROVIDER_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def is_provider_name(name: str) -> bool:
    """Whether the operator may call a provider so."""
    return _PROVIDER_NAME.fullmatch(name) is not None and name not in RESERVED


def _provider_name(name: str) -> str:
    if name in RESERVED:
        raise PydanticCustomError(
            "provider_name",
            "should have another name: {reserved} have meanings of their own",
            {"reserved": ", ".join(RESERVED)},
        )
    if not is_provider_name(name):
        raise PydanticCustomError(
            "provider_name", "should be named with up to 40 of a-z, 0-9 and -, beginning with a letter"
        )
    return name


ProviderName = Annotated[str, AfterValidator(_provider_name)]


def _label(label: str) -> str:
    if not label.isprintable() or not label.strip():
        raise PydanticCustomError("label", "should be letters and signs on one line")
    return label


Label = Annotated[str, Field(max_length=40), AfterValidator(_label)]
"""What people read of a provider, in a choice of Discord's and below an answer."""


def _http_url(url: str) -> str:
    if not _is_http_url(url):
        raise PydanticCustomError("url", "should be an address like https://host/path")
    return url.rstrip("/")


def _is_http_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url  # urlsplit drops line breaks
        return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, or half an IPv6 address
        return False


Url = Annotated[str, AfterValidator(_http_url)]


def _plain(secret: SecretStr) -> SecretStr:
    """A header cannot carry anything else, and no service gives out a key with a space in it."""
    value = secret.get_secret_value()
    if not (value.isascii() and value.isprintable()) or " " in value or value[:1] in {"'", '"'}:
        raise PydanticCustomError(
            "secret", "should be letters, digits and signs alone, without spaces or quotes: copy it again"
        )
    return secret


Key = Annotated[SecretStr, AfterValidator(_plain)]
"""A secret, as it goes into a header."""


def _file_name(name: str) -> str:
    if "\0" in name:
        raise PydanticCustomError("path", "should be the path of a file, which has no null character in it")
    return name


FileName = Annotated[str, Field(min_length=1), AfterValidator(_file_name)]
Tokens = Annotated[int, Field(ge=1_000, le=10_000_000)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _host(host: str) -> str:
    """Only what could never be one is refused: a name may be known to the machine that it runs on."""
    if not host or not host.isascii() or any(character in "/[]@ \t\n" for character in host):
        raise PydanticCustomError("host", "should be an address or a name, like 127.0.0.1, ::1 or localhost")
    return host


Host = Annotated[str, AfterValidator(_host)]
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def _module(name: str) -> str:
    """Libraries are left out: at DEBUG they log keys, and what people write."""
    package, *parts = name.split(".")
    path = Path(__file__).parent.joinpath(*parts)
    known = path.is_dir() or path.with_suffix(".py").is_file()
    if package != "discordianai" or not all(part.isidentifier() for part in parts) or not known:
        raise PydanticCustomError("module", "should be a module of the bot, like discordianai.transport")
    return name


Module = Annotated[str, AfterValidator(_module)]
