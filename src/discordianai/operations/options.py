"""The options of the log and of the operator's pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from discordianai.option import Key


def _host(host: str) -> str:
    """Refuses only what can never be a host: any name may be known to the machine the bot runs on."""
    if not host or not host.isascii() or any(character in "/[]@ \t\n" for character in host):
        raise PydanticCustomError("host", "should be an address or a name, like 127.0.0.1, ::1 or localhost")
    return host


@dataclass(frozen=True, slots=True)
class OperationsOptions:
    """`[operations]`: where health and metrics are served. Port 0 serves nothing."""

    host: Annotated[
        str,
        AfterValidator(_host),
        Key("there is no password: use another address only in a network that you trust"),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Ge(0),
        Le(65_535),
        Key("0 turns it off; a second bot on this machine needs another port"),
    ] = 8080


def _module(name: str) -> str:
    """Libraries are excluded: at DEBUG they log keys and what people write."""
    package, *parts = name.split(".")
    path = Path(__file__).parent.parent.joinpath(*parts)
    known = path.is_dir() or path.with_suffix(".py").is_file()
    if package != "discordianai" or not all(part.isidentifier() for part in parts) or not known:
        raise PydanticCustomError("module", "should be a module of the bot, like discordianai.transport")
    return name


Module = Annotated[str, AfterValidator(_module)]

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, slots=True)
class LoggingOptions:
    """`[logging]`. `auto` is `console` on a terminal, `journal` under systemd, and `plain` elsewhere."""

    level: Annotated[Level, Key("DEBUG, INFO, WARNING or ERROR", live=True)] = "INFO"
    format: Annotated[
        Literal["auto", "console", "plain", "journal", "json"],
        Key("console, journal, plain or json; auto: one of the first three, depending on stderr", live=True),
    ] = "auto"
    levels: Annotated[
        Mapping[Module, Level],
        Key("Levels for single modules of the bot and the modules in them.", live=True),
    ] = field(default_factory=dict)
