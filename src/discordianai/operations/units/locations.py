"""Where a service manager reads its units, and where settings and secrets are; any path as systemd reads
it.
"""

import os
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class UnitError(Exception):
    """The service cannot be installed. The message says why, and what helps."""


def quoted(path: Path | str) -> str:
    """One word of a command line or a list, whatever is in it: spaces, quotes, backslashes, percent signs."""
    text = _percent(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def program(path: Path | str) -> str:
    """The first word of a command line, after which no $ is replaced; it may not have three characters."""
    if any(character in "\"'\\" for character in str(path)):
        raise UnitError(f"systemd cannot start a program whose path contains a quote or a backslash: {path}")
    return quoted(f":{path}")


def bare(path: Path | str) -> str:
    """The rest of a line, where quotes and backslashes mean themselves: the file of a `LoadCredential=`."""
    text = _percent(path)
    if text != text.strip() or text.endswith("\\"):
        raise UnitError(f"{text!r} begins or ends in a way that a unit does not allow: rename it")
    return text


def _percent(path: Path | str) -> str:
    text = str(path)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise UnitError(f"{text!r} has a control character or is not UTF-8: rename it")
    return text.replace("%", "%%")


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,17}")
"""It becomes a part of a user's name, which has at most 31 characters, of a unit's and of a folder's."""


@dataclass(frozen=True, slots=True)
class UnitLocations:
    """The folders of one service manager: the system's, or a user's."""

    units: Path
    configuration: Path
    of_user: bool

    @property
    def systemctl(self) -> str:
        """The `systemctl` command for its manager."""
        return "systemctl --user" if self.of_user else "systemctl"


SYSTEM = UnitLocations(Path("/etc/systemd/system"), Path("/etc/discordianai"), of_user=False)


def places_of_user(environment: Mapping[str, str] = os.environ) -> UnitLocations:
    """The folders of the current user."""
    base = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return UnitLocations(base / "systemd" / "user", base / "discordianai", of_user=True)


@dataclass(frozen=True, slots=True)
class BotService:
    """One bot on this machine: the only one, or one of several that have names. Raises `UnitError`."""

    places: UnitLocations
    name: str | None

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise UnitError(
                f"--name {self.name!r}: use at most 18 of a-z, 0-9, - and _, and begin with a letter or digit"
            )

    @property
    def unit(self) -> str:
        """The unit's name for systemctl."""
        return f"discordianai@{self.name}.service" if self.name else "discordianai.service"

    @property
    def folder(self) -> Path:
        """The folder of its settings and secrets."""
        return self.places.configuration / self.name if self.name else self.places.configuration

    @property
    def state(self) -> str:
        """The name of its `StateDirectory=`, below the manager's own folder for these."""
        named = f"discordianai-{self.name}" if self.name else "discordianai"
        return f"{named}-state" if self.places.of_user else named

    def secret_file(self, credential: str) -> Path:
        """The file of the secret with that name."""
        return self.folder / credential
